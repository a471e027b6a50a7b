"""What `ebmtrack calibrate` prints and draws."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ebm.pictures.curves import Curves
from ebm.pictures.honesty import draw_reliability
from ebm.pictures.style import OKABE_ITO, new_figure, plain_axes, styled
from pytracking.analysis.box_calibration import (
    LEVELS,
    UNIT,
    BoxRecords,
    confidence_bins,
    discrimination,
    f_score_of_lost,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Factors", "draw_calibration", "record_curves", "table_of"]


class Factors(NamedTuple):
    """What a fit changes: factors on the temperature, and on the power of the classifier's score."""

    temperature: float = 1.0
    power: float = 1.0


def table_of(records: BoxRecords, fits: Sequence[Factors] = (Factors(),)) -> str:
    """Coverage and confidence in words and numbers, a column for each of the factors."""
    frames, present = len(records.frame), int(records.present.sum())
    lines = [
        f"frames               {frames} of {len(set(records.sequence))} sequences, {present} with a target",
        f"target within reach  {int(records.within_reach.sum())}: regions are measured on these",
        f"IoU at least 0.5     {int(records.good.sum())}",
        "",
        _row("", [f"T x {f.temperature:.3g}, score^{f.power:.3g}" for f in fits]),
        _row("log-density, nats", [f"{records.mean_log_prob(f.temperature):.3f}" for f in fits]),
    ]
    for level in LEVELS:
        observed = [_observed(records, level, f) for f in fits]
        lines.append(_row(f"{100 * level:g} % regions hold", [f"{100 * share:.1f} %" for share in observed]))
    confidences = [records.confidence(f.temperature, f.power) for f in fits]
    errors = [confidence_bins(confidence, records.good)[1] for confidence in confidences]
    lines += [
        _row("confidence, mean", [f"{confidence.mean():.3f}" for confidence in confidences]),
        _row("IoU at least 0.5, share", [f"{records.good.mean():.3f}"] * len(fits)),
        _row("confidence, ECE", [f"{error:.3f}" for error in errors]),
        _row("AUROC of IoU >= 0.5", [f"{discrimination(c, records.good):.3f}" for c in confidences]),
    ]
    if present < frames:
        gone = [f"{discrimination(confidence, records.present):.3f}" for confidence in confidences]
        lines += [
            _row("AUROC of being there", gone),
            _row("F-score of 'lost'", [f"{f_score_of_lost(records.lost, records.present):.3f}"] * len(fits)),
        ]
    return "\n".join(lines)


def _row(name: str, cells: Sequence[str]) -> str:
    return f"{name:<24}" + "".join(f"{cell:>22}" for cell in cells)


def _observed(records: BoxRecords, level: float, factors: Factors) -> float:
    found = records.coverage(factors.temperature)
    return float(found.observed[int((found.levels - level).abs().argmin())])


def record_curves(records: BoxRecords) -> Curves:
    """The records as a table: frame, what was said, and what was true; without the sequences' names."""
    order = {name: number for number, name in enumerate(dict.fromkeys(records.sequence))}
    return Curves(
        {
            "sequence": np.array([order[name] for name in records.sequence], dtype=np.float64),
            "frame": records.frame.astype(np.float64),
            "present": records.present.astype(np.float64),
            "iou": records.iou,
            "lost": records.lost.astype(np.float64),
            "presence": records.presence,
            "confidence": records.confidence(),
            "log_density": records.log_prob[:, UNIT],
            "rank": records.rank[:, UNIT],
        },
        {"sequences": ", ".join(order)},
    )


@styled
def draw_calibration(records: BoxRecords, fit: Factors | None = None, title: str = "") -> "Figure":
    """Coverage of the regions, and how often a confidence is right; before and after, where there is a fit.

    Raises:
        MissingPackageError: if matplotlib is not installed.
    """
    figure = new_figure(8.4, 4.5)
    left, right = figure.subplots(1, 2)
    before = records.coverage()
    error = before.standard_error.numpy()
    columns = {"level": before.levels.numpy(), "observed": before.observed.numpy(), "standard_error": error}
    if fit is not None:
        after = records.coverage(fit.temperature).observed.numpy()
        columns["observed_before"], columns["observed_after"] = columns.pop("observed"), after
        columns["standard_error_after"] = columns.pop("standard_error")
    labels = {"sets": title or "Regions of highest density", "curve": "as it is", "rows": str(before.count)}
    draw_reliability(Curves(columns, labels), left)
    plain_axes(right)
    right.plot([0, 1], [0, 1], color="0.45", linewidth=0.8, linestyle=(0, (5, 3)))
    if fit is None:
        _draw_bins(right, records, Factors(), "blue", "o", "as it is")
    else:
        _draw_bins(right, records, Factors(), "vermilion", "s", "as it is")
        _draw_bins(right, records, fit, "blue", "o", "fitted")
    right.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    right.set_xlabel("confidence")
    right.set_ylabel("share of frames with an IoU of at least 0.5")
    right.set_title(f"Confidence, {len(records.frame)} frames", loc="left")
    right.legend(loc="upper left", frameon=False, fontsize=8)
    return figure


def _draw_bins(
    axes: "Axes", records: BoxRecords, factors: Factors, colour: str, marker: str, name: str
) -> None:
    """Bins as marks whose area is their share of the frames."""
    bins, error = confidence_bins(records.confidence(*factors), records.good)
    areas = 12 + 260 * bins[:, 2] / bins[:, 2].sum()
    shown: Any = {"color": OKABE_ITO[colour], "marker": marker, "alpha": 0.75, "linewidth": 0}
    axes.plot(bins[:, 0], bins[:, 1], color=OKABE_ITO[colour], linewidth=0.9)
    axes.scatter(bins[:, 0], bins[:, 1], s=areas, label=f"{name}, ECE {error:.2f}", **shown)
