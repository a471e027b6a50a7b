"""Actors."""

from .base_actor import BaseActor

__all__ = ["BaseActor"]
