"""Groups of tracker parameters, each with its unit, its default and the check of its values.

A tracker's parameter class joins the groups of the parts it is made of. Every part asks for its own group
only.
"""

import math
from dataclasses import dataclass, fields
from typing import Any, Literal

from ebm.exceptions import DomainError
from pytracking.parameter.compat import Compat, differences_of

__all__ = [
    "Augmentation",
    "CropParams",
    "LocalizeParams",
    "MemoryParams",
    "Params",
    "RefineParams",
]


@dataclass(frozen=True, kw_only=True)
class Params:
    """What every parameter set has: where the weights of its network are looked for.

    Attributes:
        network_files: file names in a networks folder, tried in order; empty if the tracker has no network.
        train_setting: ``"module/name"`` of the train setting whose checkpoints fit, or None.
        compat: reproduce the published trackers' arithmetic where it differs from what is right: True, or the
            names of some rows of `pytracking.parameter.compat.DIFFERENCES`.
    """

    network_files: tuple[str, ...] = ()
    train_setting: str | None = None
    compat: Compat = False

    def __post_init__(self) -> None:
        """Hook for the groups; each calls the next one."""
        differences_of(self.compat)

    def reproduces(self, difference: str) -> bool:
        """Whether one row of the table of differences is in force.

        Raises:
            UnknownNameError: if there is no such row.
        """
        return difference in differences_of(self.compat) & differences_of((difference,))

    @property
    def needs_network(self) -> bool:
        """Whether the tracker runs a network at all."""
        return bool(self.network_files) or self.train_setting is not None

    def require(self, condition: bool, name: str, meaning: str) -> None:
        """Raise an error that names the field `name`, its value and what it must be.

        Raises:
            DomainError: if `condition` is false.
        """
        if not condition:
            value = getattr(self, name)
            raise DomainError(f"Parameter {name} = {value!r} of {type(self).__name__}: must be {meaning}.")

    def require_all(self, names: str, low: float, high: float = math.inf, *, open_low: bool = False) -> None:
        """Check that each of the blank-separated number fields `names` lies in [low, high] or (low, high]."""
        for name in names.split():
            value = getattr(self, name)
            good = isinstance(value, int | float) and not math.isnan(value)
            good = good and (low < value if open_low else low <= value) and value <= high
            self.require(good, name, f"a number {'above' if open_low else 'from'} {low:g} up to {high:g}")

    def require_counts(self, names: str, low: int) -> None:
        """Check that each of the blank-separated fields `names` is a whole number of at least `low`."""
        for name in names.split():
            value = getattr(self, name)
            good = isinstance(value, int) and not isinstance(value, bool) and value >= low
            self.require(good, name, f"a whole number of at least {low}")

    def require_flags(self, names: str) -> None:
        """Check that each of the blank-separated fields `names` is True or False."""
        for name in names.split():
            self.require(isinstance(getattr(self, name), bool), name, "True or False")

    def as_dict(self) -> dict[str, Any]:
        """Field name -> value, nested groups as they are."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True, kw_only=True)
class CropParams(Params):
    """Search area of a frame and its resolution. Source: published DiMP parameter files."""

    image_sample_size: int | tuple[int, int] = 288  # crop side, or (h, w), network px
    search_area_scale: float = 5.0  # search side / sqrt(target area)
    border_mode: str = "replicate"  # replicate | inside | inside_major
    patch_max_scale_change: float | None = None  # largest shrinkage of the inside modes; None: any
    scale_factors: tuple[float, ...] = (1.0,)  # search scales per frame, relative to the last one
    geometry_from_network: bool = (
        True  # a checkpoint that states its crop geometry overrides the fields above
    )
    target_inside_ratio: float = 0.2  # part of the target that must stay inside the frame, per axis

    def __post_init__(self) -> None:
        super().__post_init__()
        size = self.image_sample_size
        sides = (size,) if isinstance(size, int) else size
        self.require(all(isinstance(s, int) and s >= 32 for s in sides), "image_sample_size", "32 px or more")
        self.require_all("search_area_scale", 1.0, open_low=True)
        modes = ("replicate", "inside", "inside_major")
        self.require(self.border_mode in modes, "border_mode", f"one of {', '.join(modes)}")
        if self.patch_max_scale_change is not None:
            self.require_all("patch_max_scale_change", 1.0)
        factors = self.scale_factors
        self.require(len(factors) > 0 and all(f > 0 for f in factors), "scale_factors", "positive numbers")
        self.require_flags("geometry_from_network")
        self.require_all("target_inside_ratio", 0.0, 1.0)

    @property
    def crop_size(self) -> tuple[int, int]:
        """Crop (h, w), network px."""
        size = self.image_sample_size
        return (size, size) if isinstance(size, int) else size


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Which altered copies of the first frame the classifier learns from, in the order of their samples.

    Source: published DiMP parameter files, 15 samples: 1 + 4 + 1 + 3 + 4 + 2.
    """

    shift: tuple[tuple[int, int], ...] = ()  # (dy, dx), crop px
    relative_shift: tuple[tuple[float, float], ...] = ((0.6, 0.6), (-0.6, 0.6), (0.6, -0.6), (-0.6, -0.6))
    flip_horizontal: bool = True
    blur: tuple[tuple[float, float], ...] = ((3.0, 1.0), (1.0, 3.0), (2.0, 2.0))  # sigma (y, x), crop px
    scale: tuple[float, ...] = ()  # content shrinks by the factor
    rotate: tuple[float, ...] = (10.0, -10.0, 45.0, -45.0)  # degrees
    dropout: tuple[int, float] | None = (2, 0.2)  # copies, probability of dropping a feature channel
    expansion: float = 2.0  # side of the crop the transforms work on / crop side
    random_shift: float = 1 / 3  # range of the random shift / crop side

    def __post_init__(self) -> None:
        for name, good, meaning in (
            ("expansion", self.expansion >= 1, "at least 1"),
            ("random_shift", 0 <= self.random_shift <= 1, "between 0 and 1"),
            ("blur", all(s > 0 for pair in self.blur for s in pair), "pairs of positive widths"),
            ("scale", all(f > 0 for f in self.scale), "positive factors"),
            ("dropout", self.dropout is None or 0 <= self.dropout[1] < 1, "(copies, probability below 1)"),
        ):
            if not good:
                raise DomainError(f"Augmentation {name} = {getattr(self, name)!r}: must be {meaning}.")


@dataclass(frozen=True, kw_only=True)
class LocalizeParams(Params):
    """From a score map to a target position and a flag. Source: published DiMP parameter files."""

    score_preprocess: str = "none"  # none | exp | softmax (probability over the cells)
    advanced_localization: bool = True  # look for distractors; otherwise the maximum alone decides
    window_output: bool = False  # damp scores far from the crop centre with a Hann window
    window_weight: float = 1.0  # of the window; the rest is damped nowhere
    perform_hn_without_windowing: bool = False  # look for distractors on the undamped map
    target_not_found_threshold: float = 0.25  # classifier score
    uncertain_threshold: float = -math.inf  # classifier score below which the frame is uncertain
    hard_sample_threshold: float = -math.inf  # classifier score below which the frame is a hard negative
    distractor_threshold: float = 0.8  # second peak / first peak
    hard_negative_threshold: float = 0.5  # second peak / first peak
    target_neighborhood_scale: float = 2.2  # side of the masked block / target side
    displacement_scale: float = 0.8  # a peak beyond this part of half the map side is far from the target

    def __post_init__(self) -> None:
        super().__post_init__()
        kinds = ("none", "exp", "softmax")
        self.require(self.score_preprocess in kinds, "score_preprocess", f"one of {', '.join(kinds)}")
        self.require_flags("advanced_localization window_output perform_hn_without_windowing")
        self.require_all("target_not_found_threshold uncertain_threshold hard_sample_threshold", -math.inf)
        self.require_all("distractor_threshold hard_negative_threshold", 0.0)
        self.require_all("window_weight", 0.0, 1.0)
        self.require_all("target_neighborhood_scale displacement_scale", 0.0, open_low=True)


@dataclass(frozen=True, kw_only=True)
class MemoryParams(Params):
    """The classifier's sample memory. Source: published DiMP parameter files."""

    sample_memory_size: int = 50  # samples
    learning_rate: float = 0.01  # weight of a new sample
    hard_negative_learning_rate: float = 0.02  # weight of a new sample when a distractor is in view
    init_samples_minimum_weight: float = 0.25  # first-frame samples together never weigh less; 0: no floor
    train_sample_interval: int = 1  # frames between two stored samples

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_counts("sample_memory_size train_sample_interval", 1)
        self.require_all("learning_rate hard_negative_learning_rate", 0.0, 1.0, open_low=True)
        self.require_all("init_samples_minimum_weight", 0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class RefineParams(Params):
    """Box refinement by gradient ascent on the energy. Source: published DiMP parameter files."""

    use_iou_net: bool = True  # refine boxes; otherwise the size changes by search scale alone
    box_scores: Literal["density", "overlap"] = (
        "overlap"  # what the box branch was trained to give: log-densities up to a constant, or overlaps
    )
    iounet_augmentation: bool = False  # average the reference over the untilted first-frame samples
    iounet_k: int = 3  # best boxes that are averaged
    num_init_random_boxes: int = 9  # starts beside the classifier's own box
    box_jitter_pos: float = 0.1  # range of the starts' centres / sqrt(box area)
    box_jitter_sz: float = 0.5  # range of the starts' sizes / sqrt(box area)
    maximal_aspect_ratio: float = 6.0  # refined boxes beyond it are dropped
    box_refinement_space: Literal["default", "relative"] = (
        "default"  # default (px, scaled by size) | relative (centre / size, log size)
    )
    box_refinement_iter: int = 5  # ascent steps
    box_refinement_step_length: float | tuple[float, float] = 1.0  # or (position, size)
    box_refinement_step_decay: float = 1.0  # factor on the step length
    box_refinement_on_decrease: Literal["keep", "undo"] = (
        "keep"  # decay after every step (DiMP) | take back a step that lowered the score, decay then (ATOM)
    )
    update_scale_when_uncertain: bool = True
    min_target_size: float = (
        4.0  # px; a refined side goes no lower unless the first box was smaller; 0: no limit
    )
    limit_to_frame: bool = True  # a refined side is never longer than the frame's
    density_samples: int = 1024  # boxes that carry a density
    density_reach: float = 0.75  # of a density: centres / size and log sizes no further from the box found
    density_width: float = 0.05  # over which the curvature at the mode is taken, in the same unit
    density_temperature: float = 1.0  # what the energy is divided by
    presence_power: float = 1.0  # of the classifier's score in a confidence; 0 leaves it out

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_flags("use_iou_net iounet_augmentation update_scale_when_uncertain limit_to_frame")
        self.require_counts("iounet_k", 1)
        self.require_counts("num_init_random_boxes box_refinement_iter", 0)
        self.require_counts("density_samples", 16)
        self.require_all("density_reach density_temperature", 0.0, open_low=True)
        self.require_all("density_width presence_power", 0.0)
        self.require_all("box_jitter_pos box_jitter_sz min_target_size", 0.0)
        self.require_all("maximal_aspect_ratio", 1.0, open_low=True)
        self.require(self.box_scores in ("density", "overlap"), "box_scores", "density or overlap")
        spaces = ("default", "relative")
        self.require(self.box_refinement_space in spaces, "box_refinement_space", "default or relative")
        rules = ("keep", "undo")
        self.require(self.box_refinement_on_decrease in rules, "box_refinement_on_decrease", "keep or undo")
        step = self.box_refinement_step_length
        steps = step if isinstance(step, tuple) else (step,)
        good = len(steps) <= 2 and all(s > 0 for s in steps)
        self.require(good, "box_refinement_step_length", "a positive number or a pair (position, size)")
        self.require_all("box_refinement_step_decay", 0.0, 1.0, open_low=True)
