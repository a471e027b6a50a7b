"""Tests of the generated benchmark."""
