"""Operators that torch does not have."""
