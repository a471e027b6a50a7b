"""Tests of the tasks on pictures."""
