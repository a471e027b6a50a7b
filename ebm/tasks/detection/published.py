"""The published table of detection on COCO, to stand beside ours; never mixed with it.

Source: Gustafsson et al., ECCV 2020, table 2, and BMVC 2020, table 2 (COCO 2017 test-dev, ResNet-50-FPN).
"""

from types import MappingProxyType

__all__ = ["PUBLISHED"]

PUBLISHED = MappingProxyType(
    {
        "detector": (37.2, 59.2, 40.3),
        "gaussian": (36.7, 58.7, 39.6),
        "laplace": (37.1, 59.1, 40.2),
        "mixture-2": (37.1, 59.1, 40.0),
        "mixture-4": (37.0, 59.1, 39.9),
        "mixture-8": (36.8, 59.1, 39.7),
        "cvae": (37.2, 59.2, 40.0),
        "iou-net": (38.3, 58.3, 41.4),
        "iou-net*": (38.2, 58.4, 41.4),
        "ml-is": (39.4, 58.6, 42.1),
        "ml-mcmc-1": (36.4, 57.9, 38.8),
        "ml-mcmc-4": (36.4, 57.9, 39.0),
        "ml-mcmc-8": (36.4, 58.0, 39.0),
        "kld-is": (39.6, 58.6, 42.6),
        "nce": (39.5, 58.6, 42.4),
        "dsm": (36.3, 57.9, 38.9),
        "nce+": (39.7, 58.7, 42.7),
    }
)
"""Method -> AP, AP50 and AP75 in percent."""
