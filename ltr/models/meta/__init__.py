"""Optimisers whose iterations are part of a network."""
