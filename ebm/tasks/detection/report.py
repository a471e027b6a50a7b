"""The table of a study, the published beside it, and the rows of its runs."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebm.scores.tables import Table, number_with_error
from ebm.tasks.cells import Record
from ebm.tasks.detection.published import PUBLISHED
from ebm.tasks.detection.resampling import interval
from ebm.tasks.detection.running import DETECTOR
from ebm.tasks.detection.scoring import COLUMNS

__all__ = [
    "Drawn",
    "Means",
    "averaged",
    "means_of",
    "published_table",
    "runs_table",
    "study_table",
    "sweep_table",
]

Mean = tuple[float, float]
Means = Mapping[str, Mapping[str, Mean]]
"""Method -> column -> mean over the seeds, and its standard error (NaN for one seed)."""
Drawn = Mapping[str, NDArray[np.float64]]
"""Method -> scores in percent on sets of pictures drawn again, means over its seeds, ``[draws, columns]``."""
SHOWN = ("AP", "AP50", "AP75", "AP90")


def means_of(records: Sequence[Record], key: str = "method") -> Means:
    """Means over the seeds of records, by method, or by another field of their cells."""
    grouped: dict[str, list[Record]] = {}
    for record in records:
        grouped.setdefault(str(record["cell"][key]), []).append(record)
    found: dict[str, dict[str, Mean]] = {}
    for name, own in grouped.items():
        rows = [_numbers(record) for record in own]
        shared = [column for column in rows[0] if all(column in row for row in rows)]
        found[name] = {column: _mean([row[column] for row in rows]) for column in shared}
    return found


def averaged(records: Sequence[Record], drawn: Mapping[str, NDArray[np.float64]]) -> Drawn:
    """What was drawn, by method.

    Args:
        records: of the study.
        drawn: by the records' files of detections, `resampled_scores`, in [0, 1].
    """
    grouped: dict[str, list[NDArray[np.float64]]] = {}
    for record in records:
        grouped.setdefault(str(record["cell"]["method"]), []).append(drawn[record["detections"]])
    return {name: 100 * np.mean(own, axis=0) for name, own in grouped.items()}


def study_table(means: Means, drawn: Drawn | None = None) -> Table:
    """A row for each method: scores in percent, gain over the detector, cost.

    Args:
        means: over the seeds.
        drawn: adds the ends between which 95 % of the gains lie.
    """
    base = means[DETECTOR]["AP"][0] if DETECTOR in means else math.nan
    rows = []
    for name, own in means.items():
        cells = [number_with_error(*own[column]) if column in own else "-" for column in SHOWN]
        gain = "" if name == DETECTOR else f"{own['AP'][0] - base:+.2f}"
        if gain and drawn is not None and DETECTOR in drawn:
            low, high = interval(drawn[name][:, 0] - drawn[DETECTOR][:, 0])
            gain += f" ({low:+.1f} to {high:+.1f})"
        cost = own.get("seconds_per_iteration")
        speed = own["images_per_second"][0]
        rows.append((name, *cells, gain, "-" if cost is None else f"{cost[0]:.2f}", f"{speed:.1f}"))
    head = ("method", *SHOWN, "gain", "s / iteration", "pictures / s")
    caption = "AP in percent; mean over seeds ± its standard error."
    if drawn is not None:
        caption += " In brackets what holds 95 % of the gains on pictures drawn from these with replacement."
    return Table(head, tuple(rows), caption)


def runs_table(records: Sequence[Record]) -> Table:
    """A row for each cell: scores in percent, the step length that was chosen, the learning rate, cost."""
    more = ("step", "rate", "seconds_per_iteration", "images_per_second", "loss")
    rows = []
    for record in records:
        values = [record["scores"].get(name) for name in COLUMNS] + [record.get(name) for name in more]
        told = ("" if value is None else f"{value:.5g}" for value in values)
        rows.append((str(record["cell"]["method"]), str(record["cell"]["seed"]), *told))
    return Table(("method", "seed", *COLUMNS, *more), tuple(rows), "")


def published_table(names: Sequence[str]) -> Table:
    """What the papers print of the same methods on COCO."""
    rows = []
    for name in names:
        if name in PUBLISHED:
            gain = PUBLISHED[name][0] - PUBLISHED[DETECTOR][0]
            shown = "" if name == DETECTOR else f"{gain:+.1f}"
            rows.append((name, *(f"{value:.1f}" for value in PUBLISHED[name]), shown))
    caption = "As published, COCO 2017 test-dev, ResNet-50-FPN, 60,000 steps of 16 pictures."
    return Table(("method", "AP", "AP50", "AP75", "gain"), tuple(rows), caption)


def sweep_table(means: Means, key: str, changes: Sequence[str] = ()) -> Table:
    """A row for each value of a setting.

    Args:
        means: by value.
        key: names the setting.
        changes: what else differs from the recipes, for all rows.
    """
    rows = []
    for name, own in means.items():
        cells = [number_with_error(*own[column]) if column in own else "-" for column in SHOWN]
        loss = f"{own['loss'][0]:.3g}" if "loss" in own else "-"
        rows.append((name, *cells, loss))
    caption = "".join(["AP in percent; mean over seeds ± its error", *(f"; {own}" for own in changes), "."])
    return Table((key, *SHOWN, "last loss"), tuple(rows), caption)


def _numbers(record: Record) -> dict[str, float]:
    own: dict[str, Any] = {**record["scores"], "images_per_second": record["images_per_second"]}
    for name in ("seconds_per_iteration", "loss"):
        if name in record:
            own[name] = record[name]
    return own


def _mean(values: list[float]) -> Mean:
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return statistics.fmean(values), error
