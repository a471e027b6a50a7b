"""How images are normalised before a network sees them; needs no torch."""

from typing import Any

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "Channels", "input_statistics"]

Channels = tuple[float, float, float]

IMAGENET_MEAN: Channels = (0.485, 0.456, 0.406)  # RGB in [0, 1]
IMAGENET_STD: Channels = (0.229, 0.224, 0.225)


def input_statistics(net: Any) -> tuple[Channels, Channels]:
    """Mean and standard deviation, RGB in [0, 1], of the images that a network takes.

    Args:
        net: a backbone, or a network whose ``feature_extractor`` is one; ImageNet's of any other.
    """
    extractor = getattr(net, "feature_extractor", net)
    return getattr(extractor, "mean", IMAGENET_MEAN), getattr(extractor, "std", IMAGENET_STD)
