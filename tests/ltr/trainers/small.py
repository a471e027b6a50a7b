"""The small tracking network as an actor, for tests that need a real one."""

from ltr.actors.base_actor import BaseActor
from ltr.train_settings.build import build_actor, build_network
from ltr.train_settings.recipe import find_recipe

__all__ = ["small_actor"]


def small_actor() -> BaseActor:
    """The small network of `dimp_nce_plus_small` with its losses, in evaluation mode; always the same."""
    recipe = find_recipe("dimp", "dimp_nce_plus_small")
    return build_actor(recipe, build_network(recipe).net).eval()
