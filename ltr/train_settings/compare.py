"""Recipes as plain data, compared: what makes two runs the same experiment, and where two differ."""

from collections.abc import Mapping
from typing import Any

__all__ = ["comparable", "flat_differences"]


def comparable(plain: Mapping[str, Any]) -> dict[str, Any]:
    """A plain recipe without what may change between two parts of one run: its length and its validation."""
    data = {k: v for k, v in plain.items() if k != "validation"}
    if not any(data.get("label_noise", {}).values()):
        data.pop("label_noise", None)  # checkpoints older than the field had exact labels too
    if data.get("groups") is None:
        data.pop("groups", None)  # nor did they have fixed groups
    data["network"] = {k: v for k, v in data["network"].items() if v or k != "still_norms"}
    data["datasets"] = [_without_new_fields(share) for share in data["datasets"]]
    schedule = dict(data["schedule"])
    if schedule["kind"] == "step":
        # The cosine depends on the length, the steps do not.
        del schedule["epochs"]
    return data | {"schedule": schedule}


def _without_new_fields(share: Mapping[str, Any]) -> dict[str, Any]:
    """A data set without fields that older checkpoints have not and that say nothing."""
    return {key: value for key, value in share.items() if value or key not in ("only", "without")}


def flat_differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Where two plain recipes differ: dotted key -> both values, None where one has none."""
    then, now = flatten(first), flatten(second)
    keys = [key for key in {**then, **now} if then.get(key) != now.get(key)]
    return {key: (then.get(key), now.get(key)) for key in keys}


def flatten(data: Any, prefix: str = "") -> dict[str, Any]:
    """Leaves of nested dictionaries and lists by dotted key."""
    if isinstance(data, Mapping):
        items = list(data.items())
    elif isinstance(data, list | tuple):
        items = list(enumerate(data))
    else:
        return {prefix: data}
    leaves: dict[str, Any] = {}
    for key, value in items:
        leaves |= flatten(value, f"{prefix}.{key}" if prefix else str(key))
    return leaves
