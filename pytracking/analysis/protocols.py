"""The rules by which toolkits score a tracker, as values: one core computes all, a new one joins by listing.

The same result files give figures several points apart under different rules (how absent targets, boxes at
the image border and the first frame count), so every table names the rule it was made with.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Literal

from ebm.lookup import lookup

__all__ = ["PROTOCOLS", "Protocol", "protocol_for", "rules"]

_COLUMNS = ("auc", "op50", "op75", "precision", "norm_precision")


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How one toolkit turns boxes into per-frame measures and measures into scores.

    A frame is *invalid* when its annotation cannot be scored or, where `uses_visibility`, the target is
    hidden; its overlap is then -1, which no threshold accepts. A distance of -1 is accepted by every
    threshold (a hit), an infinite one by none (a miss).
    """

    name: str
    summary: str
    valid_box: Literal["all_positive", "size_positive", "finite"]  # what of x, y, w, h must be > 0
    uses_visibility: bool = True
    first_frame: Literal["truth", "saved", "left_out"] = "truth"  # scored as annotated, as saved, or not
    empty_box: Literal["previous", "saved", "miss"] = "previous"  # a prediction without area: the box before
    broken_box: Literal["error", "previous", "miss"] = "error"  # NaN or a negative size in a prediction
    short_result: Literal["pad", "cut", "error"] = "error"  # too few rows: boxes without area, frames cut off
    long_result: Literal["cut", "error"] = "error"  # too many rows: the last are left out, or refused
    nan_truth: Literal["invalid", "error"] = "error"
    invalid_centre: float = inf  # px
    invalid_normalised: float = -1.0
    hidden_distance: float | None = None  # replaces both distances where the target is not visible
    denominator: Literal["all", "valid"] = "all"  # frames a rate is divided by
    inside_image: bool = False  # only what of a box lies inside the image counts, where its size is known
    average: Literal["sequences", "frames"] = "sequences"  # what weighs the same
    success_thresholds: int = 21  # from 0 to 1
    normalised_score: Literal["at_0.2", "mean"] = "at_0.2"  # of the curve from 0 to 0.5
    columns: tuple[str, ...] = _COLUMNS  # of its tables: keys of `scores.SCORES`


_PYTRACKING = Protocol(
    name="pytracking",
    summary="boxes touching the left or top border and hidden targets fail; the first frame succeeds",
    valid_box="all_positive",
    short_result="pad",
    long_result="cut",
)
_PLAIN = Protocol(
    name="otb",
    summary="every box with area is scored, frame 1 as saved; unannotated frames fail on overlap only",
    valid_box="size_positive",
    uses_visibility=False,
    first_frame="saved",
    empty_box="saved",
    broken_box="miss",
    nan_truth="invalid",
    invalid_centre=-1.0,
)
_LASOT = Protocol(
    name="lasot",
    summary="absent targets fail; a visible one whose box touches the left or top border fails on overlap "
    "and is a hit on distance; the first frame succeeds",
    valid_box="all_positive",
    broken_box="previous",
    long_result="cut",
    nan_truth="invalid",
    invalid_centre=-1.0,
    hidden_distance=inf,
)
_GOT10K = Protocol(
    name="got10k",
    summary="frames without annotation or with an absent target are left out; the first frame succeeds",
    valid_box="finite",
    empty_box="saved",
    broken_box="miss",
    short_result="cut",
    long_result="cut",
    nan_truth="invalid",
    invalid_normalised=inf,
    denominator="valid",
)
_ON_GOT10K = replace(
    _GOT10K,
    summary="absent targets and the first frame are left out, boxes end at the image's border, every frame "
    "weighs the same",
    first_frame="left_out",
    inside_image=True,
    average="frames",
    success_thresholds=101,
    columns=("ao", "sr50", "sr75", "mao"),
)

_UAV = replace(_PYTRACKING, nan_truth="invalid", invalid_centre=-1.0)
_TAGGED_LASOT = replace(_PYTRACKING, short_result="error", hidden_distance=inf)

PROTOCOLS: Mapping[str, Mapping[str, Protocol]] = {
    # rule -> dataset tag -> protocol; the tag "" stands for every other dataset.
    "pytracking": {
        "": _PYTRACKING,
        **dict.fromkeys(("uav", "uav123_10fps", "uav20l"), _UAV),
        **dict.fromkeys(("lasot", "generated_lasot"), _TAGGED_LASOT),
    },
    "lasot": {"": _LASOT},
    "otb": {"": _PLAIN},
    "uav": {
        "": replace(
            _LASOT,
            name="uav",
            summary="absent targets, and boxes touching the left or top border, fail on overlap and are hits "
            "on distance; the first frame succeeds",
            uses_visibility=False,
            hidden_distance=None,
        )
    },
    "got10k": {"": _GOT10K, "got10k_val": _ON_GOT10K, "got10k_test": _ON_GOT10K},
    "pysot": {
        "": replace(
            _PLAIN,
            name="pysot",
            summary="every box with area is scored, frame 1 as saved; unannotated frames fail on overlap and "
            "are hits on distance, absent targets fail",
            uses_visibility=True,
            invalid_normalised=-1.0,
            hidden_distance=inf,
        )
    },
    "trackingnet": {
        "": replace(
            _PLAIN,
            name="trackingnet",
            summary="every annotated frame is scored, frame 1 as saved; normalised precision is the mean of "
            "its curve from 0 to 0.5",
            uses_visibility=True,
            invalid_centre=inf,
            invalid_normalised=inf,
            denominator="valid",
            normalised_score="mean",
        )
    },
    "default": {
        "": Protocol(
            name="default",
            summary="frames with a visible, annotated target count, and no others; a box without area misses",
            valid_box="size_positive",
            first_frame="saved",
            empty_box="miss",
            nan_truth="invalid",
            invalid_normalised=inf,
            denominator="valid",
        )
    },
}


def rules() -> tuple[str, ...]:
    """The names of the protocols."""
    return tuple(PROTOCOLS)


def protocol_for(rule: str, dataset: str) -> Protocol:
    """The protocol of a rule for a dataset tag.

    Raises:
        UnknownNameError: if there is no such rule.
    """
    variants = lookup("protocol", rule, PROTOCOLS)
    return variants.get(dataset, variants[""])
