"""A train setting as text, ``--show``."""

from ebm.training.shown import show_plain
from ltr.train_settings.recipe import TrainRecipe

__all__ = ["FIXED", "show_recipe"]

FIXED = ("module", "name")  # what names an experiment


def show_recipe(recipe: TrainRecipe, origin: TrainRecipe | None = None) -> str:
    """The resolved setting, one ``key = value`` a line, as ``--set`` takes them.

    Args:
        recipe: the setting.
        origin: the setting it was made from; what differs is marked with the value there.
    """
    before = None if origin is None else origin.plain()
    text = show_plain(recipe.plain(), recipe.fingerprint(), before, f"{recipe.module}/{recipe.name}")
    steps, cells = recipe.samples_per_epoch // recipe.batch_size, recipe.geometry.feature_size
    return "\n".join(
        [
            text,
            "",
            f"# {steps} steps an epoch, {steps * recipe.schedule.epochs} in all; maps of {cells} x {cells}",
            *(f"# {remark}" for remark in recipe.remarks()),
        ]
    )
