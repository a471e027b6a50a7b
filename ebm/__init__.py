"""Energy-based regression: p(y|x) = exp f(x, y) / Z(x)."""
