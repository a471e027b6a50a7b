"""DiMP's box energy by noise contrast: the label where it is annotated."""

from typing import Any

from ...ebmtrack.dimp import DiMPRecipe, run_dimp

__all__ = ["RECIPE", "run"]

RECIPE = DiMPRecipe(preset="tracking/dimp-nce")


def run(settings: Any) -> None:
    """Train; called by run_training.py."""
    run_dimp(settings, RECIPE)
