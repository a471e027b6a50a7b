"""Losses of the classifier and of the box branch."""

from ltr.models.loss.target_classification import LBHinge

__all__ = ["LBHinge"]
