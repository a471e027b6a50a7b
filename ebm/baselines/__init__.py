"""What energy-based regression is compared with: direct, parametric, mixture, latent and binned."""
