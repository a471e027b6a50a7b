"""Pictures in, a few numbers out: files to features of a backbone, and densities on them."""
