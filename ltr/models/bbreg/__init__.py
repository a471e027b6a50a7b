"""Box regressors: networks that score a box beside the features under it."""
