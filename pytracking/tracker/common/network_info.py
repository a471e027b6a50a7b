"""What a network states about itself takes the place of the parameter set's."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from ebm.exceptions import InputError
from pytracking.parameter.base import CropParams

__all__ = ["ASCENT", "MEASURED", "SCORES", "STEP", "THRESHOLD", "adopt_geometry", "carried"]

P = TypeVar("P", bound=CropParams)

GEOMETRY = {  # key of the checkpoint's net_info -> parameter
    "image_sample_size": "image_sample_size",
    "search_area_scale": "search_area_scale",
    "crop_type": "border_mode",
    "max_scale_change": "patch_max_scale_change",
}
OWN = (  # keys and parameters of the box branch, and of the confidence that was calibrated for it
    "box_scores",
    "density_temperature",
    "presence_power",
    "confidence_weights",
    "uncertain_confidence",
    "lost_confidence",
)
MEASURED = "tracker_measured"  # key of what `ebmtrack calibrate tracker` has measured, a mapping
THRESHOLD, STEP = "target_not_found_threshold", "box_refinement_step_length"
SCORES = ("score_preprocess",)  # a threshold holds for scores that are made in this way
ASCENT = (  # a step length holds for this ascent
    "box_refinement_space",
    "box_refinement_iter",
    "box_refinement_step_decay",
    "box_refinement_on_decrease",
)
FOLLOWERS = ("uncertain_threshold", "hard_sample_threshold", "low_score_opt_threshold")  # scores, too


def adopt_geometry(params: P, info: Mapping[str, Any] | None) -> tuple[P, tuple[str, ...]]:
    """Replace what belongs to the network rather than to the tracker by what the network states.

    That is the crop's geometry, what is known of the box branch's scores, and the threshold and the step
    lengths that were measured for these weights.

    Args:
        params: the parameter set.
        info: the network's ``info``, from the checkpoint's ``net_info``; None or without the keys changes
            nothing.

    Returns:
        The parameters in force, and sentences on what was overridden, or was measured and does not fit.

    Raises:
        InputError: if the checkpoint states values that no tracker can use.
    """
    if not isinstance(info, Mapping):
        return params, ()
    own = {name: _frozen(info[name]) for name in OWN if name in info and hasattr(params, name)}
    params = _replaced(params, own) if own else params
    params, notes = _adopt_measured(params, info.get(MEASURED))
    if not params.geometry_from_network:
        return params, notes
    stated = {field: info[key] for key, field in GEOMETRY.items() if key in info}
    changed = {field: value for field, value in stated.items() if value != getattr(params, field)}
    if not changed:
        return params, notes
    adopted = _replaced(params, changed)
    return adopted, (f"Crop geometry is the checkpoint's: {_told(params, changed)}.", *notes)


def carried(info: Any) -> str:
    """What a network's ``info`` states that was measured for its weights, in words; empty for nothing."""
    if not isinstance(info, Mapping):
        return ""
    measured = info.get(MEASURED)
    known = dict(measured) if isinstance(measured, Mapping) else {}
    values = {name: known[name] for name in (THRESHOLD, STEP) if name in known}
    values |= {name: info[name] for name in OWN[1:] if name in info}
    return ", ".join(f"{name} {_shown(value)}" for name, value in values.items())


def _adopt_measured(params: P, measured: Any) -> tuple[P, tuple[str, ...]]:
    """The threshold and the step lengths of the weights, where they were measured for what the set does."""
    if measured is None or not getattr(params, "calibration_from_network", False):
        return params, ()
    if not isinstance(measured, Mapping):
        raise InputError(f"The checkpoint's net_info states {MEASURED} = {measured!r}; it must be a mapping.")
    changed: dict[str, Any] = {}
    notes: list[str] = []
    for name, conditions in ((THRESHOLD, SCORES), (STEP, ASCENT)):
        if name not in measured:
            continue
        value = tuple(measured[name]) if isinstance(measured[name], list) else measured[name]
        other = [key for key in conditions if measured.get(key) != getattr(params, key)]
        if other:
            notes.append(
                f"{name} {_shown(value)} was measured for these weights with {other[0]} "
                f"{measured.get(other[0])}; this set has {getattr(params, other[0])} and keeps its own."
            )
        elif name == STEP or params.target_not_found_threshold > 0:  # type: ignore[attr-defined]
            changed[name] = value  # a set that is never lost stays so
    changed = {name: value for name, value in changed.items() if value != getattr(params, name)}
    if not changed:
        return params, tuple(notes)
    adopted = _replaced(params, changed)
    adopted = _replaced(adopted, _following(params, changed.get(THRESHOLD)))
    return adopted, (f"Measured for these weights: {_told(params, changed)}.", *notes)


def _following(params: Any, threshold: float | None) -> dict[str, float]:
    """The other thresholds on scores that the set has, in proportion to the first one."""
    if threshold is None:
        return {}
    factor = threshold / params.target_not_found_threshold
    values = {name: getattr(params, name, None) for name in FOLLOWERS}
    return {name: value * factor for name, value in values.items() if value is not None and value > 0}


def _told(params: P, changed: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{field} {_shown(value)} (parameter set: {_shown(getattr(params, field))})"
        for field, value in changed.items()
    )


def _shown(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_shown, value))})"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _frozen(value: Any) -> Any:
    """What JSON made a list is a tuple again."""
    return tuple(value) if isinstance(value, list) else value


def _replaced(params: P, changed: Mapping[str, Any]) -> P:
    try:
        return replace(params, **changed)
    except (TypeError, ValueError) as error:
        raise InputError(f"The checkpoint's net_info cannot be used: {error}") from error
