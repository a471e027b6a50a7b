"""The target classifier: features, filter initialiser and unrolled filter optimisers."""
