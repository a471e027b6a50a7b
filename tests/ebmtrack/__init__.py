"""Tests; a package so that equally named test files of different packages can live side by side."""
