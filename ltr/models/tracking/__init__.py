"""Whole tracking networks and their constructors."""
