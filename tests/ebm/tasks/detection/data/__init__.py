"""Tests of detection sets and their files."""
