"""ATOM's box energy by noise contrast: the label where it is annotated."""

from typing import Any

from ...ebmtrack.atom import ATOMRecipe, run_atom

__all__ = ["RECIPE", "run"]

RECIPE = ATOMRecipe(preset="tracking/dimp-nce")


def run(settings: Any) -> None:
    """Train; called by run_training.py."""
    run_atom(settings, RECIPE)
