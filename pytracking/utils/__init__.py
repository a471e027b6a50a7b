"""Helpers around the trackers: where weights are found."""
