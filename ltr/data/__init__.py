"""From frames and boxes on disk to training samples: loading, cropping, augmenting, labelling, sampling."""
