"""Training losses of energy-based regression: pure functions of scores, and modules around them."""
