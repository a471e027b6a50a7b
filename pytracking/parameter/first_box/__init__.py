"""Parameter sets of the tracker that repeats its first box."""
