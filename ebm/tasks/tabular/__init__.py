"""Energy-based regression beside Gaussian, mixture-density and quantile regression on small data sets."""
