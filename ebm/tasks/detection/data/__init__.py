"""Pictures with labelled boxes: what is known of them, their files, and batches of them for training."""
