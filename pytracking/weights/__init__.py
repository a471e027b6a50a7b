"""Weights that are installed with the package, and the cards that say what they are."""
