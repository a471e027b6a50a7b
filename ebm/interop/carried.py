"""A calibration as plain numbers, for those who apply it without EBMTrack."""

import json
from typing import Any

import torch
from torch import Tensor

from ebm.exceptions import DomainError
from ebm.fitting.conformal import LEVELS, Calibration

__all__ = ["KEY", "thresholds"]

# Of the entry in a file's metadata.
KEY = "ebmtrack.calibration"


def thresholds(calibration: Calibration) -> str:
    """What intervals and sets of one target are cut by, level by level, as JSON.

    It is an object of

    - ``levels``: L of them;
    - ``groups``: G names, or null where sets do not depend on groups;
    - ``interval``: the mass that an equal-tailed interval holds, ``(G, L)``, G = 1 without groups; 1 is the
      whole line, and null stands where there were too few rows for a level;
    - ``set``: the mass that a highest-density set holds, likewise;
    - ``log_density``: the least log-density inside, where sets are cut at one for all rows, nats, likewise;
    - ``rows``, ``clusters``: how many the calibration had; clusters are null where rows were alone.
    """
    scores = calibration.scores
    columns = {"interval": scores.tail[:, 0], "set": scores.rank, "log_density": -scores.log_prob}
    found: dict[str, Any] = {
        "levels": list(LEVELS),
        "groups": None if calibration.groups is None else list(calibration.names),
        "rows": len(scores.rank),
        "clusters": None if calibration.clusters is None else calibration.count,
    }
    for name, column in columns.items():
        sign = -1.0 if name == "log_density" else 1.0
        each = [_per_group(calibration, column, level) for level in LEVELS]
        found[name] = [
            [None if values is None else sign * values[g] for values in each]
            for g in range(max(1, len(calibration.names)))
        ]
    return json.dumps(found)


def _per_group(calibration: Calibration, column: Tensor, level: float) -> list[float] | None:
    """One threshold per group; None where one of them has too few rows."""
    try:
        return [float(value) for value in calibration.threshold(column, level).to(torch.float64)]
    except DomainError:
        return None
