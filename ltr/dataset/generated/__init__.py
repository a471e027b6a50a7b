"""The generated benchmark: videos drawn from seeds, with exact boxes, in the layouts of real data sets."""

from importlib import import_module
from typing import Any

_HOMES = {
    "FOCUS": "config",
    "SceneConfig": "config",
    "TEST_SCENE": "config",
    "TRAIN_SCENE": "config",
    "Scene": "scene",
    "sample_scene": "scene",
    "ClipTruth": "truth",
    "Renderer": "renderer",
    "render": "renderer",
    "build_test_set": "sets",
    "build_training_set": "sets",
    "ensure_generated": "workspace",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use, so that ``--help`` need not load torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
