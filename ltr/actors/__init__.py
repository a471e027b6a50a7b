"""Actors turn a batch into a loss and its statistics."""
