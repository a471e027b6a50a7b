"""Damaged and odd input for every reader, at random but repeatable: ``python -m tests.field.fuzz --help``."""
