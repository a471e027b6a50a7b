"""Where the published trackers' arithmetic differs from what is right: one row for each difference."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from ebm.exceptions import DomainError
from ebm.lookup import unknown_name

__all__ = ["DIFFERENCES", "Compat", "Difference", "differences_of"]

Compat = bool | tuple[str, ...]  # all of them, none, or these


class Difference(NamedTuple):
    """A difference, in words.

    Attributes:
        what: what the published trackers do.
        why: why that is not right.
        where: where it shows.
    """

    what: str
    why: str
    where: str


DIFFERENCES: Mapping[str, Difference] = MappingProxyType(
    {
        "half_pixel_drift": Difference(
            "A refined box is taken back to the frame by its centre corner + size / 2, "
            "although it was put into the crop by corner + (size - 1) / 2.",
            "A box that refinement leaves alone moves by half a crop pixel to the bottom right.",
            "Every refined frame: half the search scale, in px of the frame.",
        ),
        "rounded_first_boxes": Difference(
            "The target's boxes in the first frame's samples are computed as if the crop lay at the rounded "
            "position, with the scale that was asked for.",
            "The crop that was cut has whole pixels: its centre and its scale are a little different.",
            "All samples of the first frame, by up to a pixel; hence the filter, and how the target looks to "
            "the box branch.",
        ),
        "decimation_offset": Difference(
            "The corners of a crop that is read with a stride leave out at which pixel the reading starts.",
            "The centre of the crop is wrong by up to half the stride.",
            "Targets so large that the search area is at least 2.1 crops wide.",
        ),
        "unlimited_size": Difference(
            "A refined box may become as small as a crop pixel, or larger than the frame.",
            "A target that has collapsed or exploded is not found again.",
            "Frames whose box would be below min_target_size or larger than the frame.",
        ),
        "stale_position": Difference(
            "Where every refined box is rejected, the target is put back to where the last refinement that "
            "succeeded had put it.",
            "It is the position of an earlier frame; the classifier has found a new one.",
            "Frames whose refined boxes are all too elongated, or not finite.",
        ),
        "zero_mask": Difference(
            "The scores around the first peak are set to zero to look for a second one.",
            "Where all others are negative, the second peak lies within the first.",
            "Frames with negative scores outside the target: flags of distractors.",
        ),
        "idle_window": Difference(
            "window_output does nothing unless perform_hn_without_windowing is set as well.",
            "It says that scores are damped.",
            "Parameter sets of one's own; no published one sets the first without the second.",
        ),
    }
)


def differences_of(compat: Compat) -> frozenset[str]:
    """The rows that are in force.

    Raises:
        UnknownNameError: for a row that is not in the table.
        DomainError: if it is neither True or False nor a tuple of names.
    """
    if isinstance(compat, bool):
        return frozenset(DIFFERENCES) if compat else frozenset()
    if not isinstance(compat, tuple) or not all(isinstance(name, str) for name in compat):
        raise DomainError(
            f"Parameter compat = {compat!r}: must be True, False or a tuple of names, of "
            f"{', '.join(DIFFERENCES)}."
        )
    for name in compat:
        if name not in DIFFERENCES:
            raise unknown_name("difference from the published trackers", name, DIFFERENCES)
    return frozenset(compat)
