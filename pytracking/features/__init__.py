"""From frames to network input: patches and first-frame augmentation."""
