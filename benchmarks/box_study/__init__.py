"""The study of box losses in a tracker: what `benchmarks/tracker_losses.py` does."""
