"""Energies over the boxes of a detector: data, training, refinement and scoring."""
