"""Tracking side of the stand-in."""
