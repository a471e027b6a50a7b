"""Benchmarks as sequences, running trackers over them, and the files that result."""
