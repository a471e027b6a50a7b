"""Tests of pictures in, numbers out."""
