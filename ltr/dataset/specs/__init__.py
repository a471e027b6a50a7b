"""Facts about datasets as JSON: official sequence names."""
