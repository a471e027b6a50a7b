"""Data of the stand-in."""

from .loader import LTRLoader

__all__ = ["LTRLoader"]
