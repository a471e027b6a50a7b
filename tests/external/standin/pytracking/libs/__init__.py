"""Containers."""

from .tensorlist import TensorList

__all__ = ["TensorList"]
