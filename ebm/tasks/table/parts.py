"""Which rows of a table are for the fit, for its calibration and for the test."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebm.exceptions import DomainError, InputError
from ebm.fitting.conformal import group_codes
from ebm.fitting.groups import split_groups
from ebm.numbers import require_number

__all__ = ["FEWEST", "FEWEST_GROUPS", "Parts", "split"]

FEWEST = 19  # rows of calibration: what sets of 95 % take
FEWEST_GROUPS = 9  # groups of calibration: what sets of 90 % take
LEAST_FIT, LEAST_TEST = 20, 8


@dataclass(frozen=True)
class Parts:
    """Rows by their numbers, each once.

    Attributes:
        fit: to train on and to stop by.
        calibration: to calibrate with; may be none.
        test: to score.
    """

    fit: NDArray[np.int64]
    calibration: NDArray[np.int64]
    test: NDArray[np.int64]


def split(
    rows: NDArray[np.int64],
    test: float,
    calibration: float,
    *,
    in_order: bool = False,
    groups: NDArray[Any] | None = None,
    seed: int = 0,
) -> Parts:
    """Part rows at random, or in their order: fit first, then calibration, test last.

    Where a calibration would get fewer than `FEWEST` rows, or `FEWEST_GROUPS` groups, there is none, and its
    rows are for the fit.

    Args:
        rows: numbers of the rows.
        test: share to score, in (0, 1).
        calibration: share to calibrate with, in [0, 1); together with `test` below 1.
        in_order: as for a series in time.
        groups: of the rows ``(len(rows),)``; whole ones have one part, and shares are met as well as may be.
        seed: of the random order.

    Raises:
        DomainError: (a ValueError) if a share is outside its domain, or too few rows are left for a part.
    """
    if not 0 < require_number("test", test) < 1:
        raise DomainError(f"the share of test rows must be in (0, 1), got {test!r}.")
    if not 0 <= require_number("calibration", calibration) < 1 - test:
        raise DomainError(
            f"the share of calibration rows must be 0 or more, and below {1 - test:g} beside a test share of "
            f"{test:g}; got {calibration!r}."
        )
    if groups is None:
        parts = _of_rows(rows, test, calibration, in_order, seed)
    elif in_order:
        raise InputError("whole groups are parted at random; leave out the order of time, or the groups.")
    else:
        parts = _of_groups(rows, test, calibration, groups, seed)
    fitted, tested = len(parts.fit), len(parts.test)
    if fitted < LEAST_FIT or tested < LEAST_TEST:
        raise DomainError(
            f"{len(rows)} rows make {fitted} to fit, {len(parts.calibration)} to calibrate and {tested} to "
            f"test, and it takes {LEAST_FIT} to fit and {LEAST_TEST} to test. Choose other shares, or more "
            "rows."
        )
    return parts


def _of_rows(rows: NDArray[np.int64], test: float, calibration: float, in_order: bool, seed: int) -> Parts:
    count = len(rows)
    tested, calibrated = math.ceil(test * count - 1e-9), math.ceil(calibration * count - 1e-9)
    calibrated = calibrated if calibrated >= FEWEST else 0
    fitted = max(0, count - tested - calibrated)
    order = rows if in_order else np.random.default_rng(seed).permutation(rows)
    fit, middle, last = np.split(order, [fitted, fitted + calibrated])
    return Parts(fit, middle, last) if in_order else Parts(np.sort(fit), np.sort(middle), np.sort(last))


def _of_groups(
    rows: NDArray[np.int64], test: float, calibration: float, groups: NDArray[Any], seed: int
) -> Parts:
    codes, none = group_codes(groups, len(rows))[0], np.zeros(0, dtype=np.int64)
    rest, tested = split_groups(codes, test, seed)
    own = codes[rest]
    if calibration == 0 or len(own.unique()) < 2:
        return Parts(rows[rest.numpy()], none, rows[tested.numpy()])
    kept, middle = split_groups(own, calibration / (1 - test), seed)
    if len(own[middle].unique()) < FEWEST_GROUPS:
        return Parts(rows[rest.numpy()], none, rows[tested.numpy()])
    return Parts(rows[rest[kept].numpy()], rows[rest[middle].numpy()], rows[tested.numpy()])
