"""Losses of the classifier branch."""

from ltr.models.loss.target_classification import LBHinge

__all__ = ["LBHinge"]
