"""The rules by which toolkits score a tracker, as values: one core computes all, a new one joins by listing.

The same result files give figures several points apart under different rules (how absent targets, boxes at
the image border and the first frame count), so every table names the rule it was made with.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Literal

from ebm.lookup import lookup

__all__ = ["PROTOCOLS", "Protocol", "protocol_for"]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How one toolkit turns boxes into per-frame measures and measures into scores.

    A frame is *invalid* when its annotation cannot be scored or, where `uses_visibility`, the target is
    hidden; its overlap is then -1, which no threshold accepts. A distance of -1 is accepted by every
    threshold (a hit), an infinite one by none (a miss).
    """

    name: str
    summary: str
    valid_box: Literal["all_positive", "size_positive"]  # all of x, y, w, h > 0, or only w and h
    uses_visibility: bool = True
    first_frame: Literal["truth", "saved"] = "truth"  # frame 0 is scored as the annotation, or as saved
    empty_box: Literal["previous", "saved"] = (
        "previous"  # a predicted box without area repeats the one before
    )
    short_result: Literal["pad", "error"] = (
        "error"  # too few rows: boxes without area are appended, or refused
    )
    long_result: Literal["cut", "error"] = "error"  # too many rows: the last are left out, or refused
    nan_truth: Literal["invalid", "error"] = "error"
    invalid_centre: float = inf  # px
    invalid_normalised: float = -1.0
    hidden_distance: float | None = None  # replaces both distances where the target is not visible
    denominator: Literal["all", "valid"] = "all"  # frames a rate is divided by


_PYTRACKING = Protocol(
    name="pytracking",
    summary="boxes touching the left or top border and hidden targets fail; the first frame succeeds",
    valid_box="all_positive",
    short_result="pad",
    long_result="cut",
)
_OTB = Protocol(
    name="otb",
    summary="every box with area is scored, frame 1 as saved; unannotated frames fail on overlap only",
    valid_box="size_positive",
    uses_visibility=False,
    first_frame="saved",
    empty_box="saved",
    nan_truth="invalid",
    invalid_centre=-1.0,
)

PROTOCOLS: Mapping[str, Mapping[str, Protocol]] = {
    # rule -> dataset tag -> protocol; the tag "" stands for every other dataset.
    "pytracking": {
        "": _PYTRACKING,
        "uav": replace(_PYTRACKING, nan_truth="invalid", invalid_centre=-1.0),
        "lasot": replace(_PYTRACKING, short_result="error", hidden_distance=inf),
        "generated_lasot": replace(_PYTRACKING, short_result="error", hidden_distance=inf),
    },
    "otb": {"": _OTB},
}


def protocol_for(rule: str, dataset: str) -> Protocol:
    """The protocol of a rule for a dataset tag.

    Raises:
        UnknownNameError: if there is no such rule.
    """
    variants = lookup("protocol", rule, PROTOCOLS)
    return variants.get(dataset, variants[""])
