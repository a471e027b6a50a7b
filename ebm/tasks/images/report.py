"""The study's results as tables."""

import csv
import io
import statistics
from collections.abc import Sequence
from typing import Any

from ebm.tasks.cells import Record
from ebm.tasks.images.methods import BASELINES
from ebm.tasks.images.study import LEVELS
from ebm.tasks.images.task import Task

__all__ = ["ablation_markdown", "markdown", "results_csv", "scores_text"]


def figure(values: Sequence[float], digits: int = 2) -> str:
    """Mean ± standard deviation over seeds."""
    mean = f"{statistics.fmean(values):.{digits}f}"
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean


def markdown(seeds: Sequence[Record], task: Task, energies: Sequence[str]) -> str:
    """Every baseline before and after refinement beside the published figures, then the energies."""
    head = ["method", f"MAE, {task.unit}", *(f"refined by {name}" for name in energies)]
    head += [f"CS@{task.close:g}, %", "NLL, nats", "CRPS", "published"]
    rows = [_baseline_row(name, seeds, task, energies) for name in BASELINES]
    lines = [_line(head), _line(["---"] * len(head)), *map(_line, rows)]
    head = ["energy, by its mean", f"MAE, {task.unit}", f"CS@{task.close:g}, %", "NLL, nats", "CRPS"]
    head += [f"in {100 * level:g} % sets" for level in LEVELS]
    lines += ["", _line(head), _line(["---"] * len(head))]
    lines += [_line(_energy_row(name, seeds)) for name in energies]
    count = len(seeds)
    lines += ["", f"Mean ± standard deviation over {count} seed{'s' * (count != 1)}, on the test pictures."]
    return "\n".join(lines) + "\n"


def _baseline_row(name: str, seeds: Sequence[Record], task: Task, energies: Sequence[str]) -> list[str]:
    own = [record["baselines"][name] for record in seeds]
    after = [[record["refined"][loss][name]["MAE"] for record in seeds] for loss in energies]
    before = [one["MAE"] for one in own]
    published = task.published.get(name)
    return [
        name,
        figure(before),
        *(figure(values) for values in after),
        figure([100 * one["close"] for one in own], 1),
        *(figure([one[key] for one in own]) if key in own[0] else "-" for key in ("NLL", "CRPS")),
        "-" if published is None else f"{published[0]:.2f} -> {published[1]:.2f}",
    ]


def _energy_row(name: str, seeds: Sequence[Record]) -> list[str]:
    own = [record["energies"][name] for record in seeds]
    cells = [name, figure([one["MAE"] for one in own]), figure([100 * one["close"] for one in own], 1)]
    cells += [figure([one[key] for one in own]) for key in ("NLL", "CRPS")]
    return cells + [figure([100 * one["coverage"][str(level)] for one in own], 1) for level in LEVELS]


def ablation_markdown(records: Sequence[Record], task: Task) -> str:
    """Sigmas beside the published figures; empty where none were compared."""
    if not records:
        return ""
    head = ["sigmas", f"MAE of validation pictures, {task.unit}", "before refinement", "published"]
    lines = [_line(head), _line(["---"] * len(head))]
    for record in records:
        sigmas = tuple(record["cell"]["sigmas"])
        published = task.published_sigmas.get(sigmas)
        shown = "-" if published is None else f"{published:.2f}"
        named = ", ".join(f"{sigma:g}" for sigma in sigmas)
        lines.append(_line([named, f"{record['MAE']:.2f}", f"{record['base']:.2f}", shown]))
    return "\n".join([*lines, "", "Direct-L2 refined by an ML-IS energy, seed 0."]) + "\n"


def results_csv(seeds: Sequence[Record], task: Task) -> str:
    """A line per method and seed: errors of every target, before or after refinement."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["method", "refined_by", "seed", "MAE", *(f"MAE_{name}" for name in task.targets), "close"]
    )
    for record in seeds:
        seed = record["cell"]["seed"]
        for name, one in record["energies"].items():
            writer.writerow([name, "", seed, *_numbers(one)])
        for name, one in record["baselines"].items():
            writer.writerow([name, "", seed, *_numbers(one)])
            for loss, found in record["refined"].items():
                writer.writerow([name, loss, seed, *_numbers(found[name])])
    return stream.getvalue()


def scores_text(scores: dict[str, Any], task: Task, count: int) -> str:
    """The scores of one density in words."""
    each = ", ".join(f"{name} {value:.2f}" for name, value in scores["each"].items())
    covered = ", ".join(f"{100 * float(k):g} %: {100 * v:.1f} %" for k, v in scores["coverage"].items())
    return (
        f"{count} test pictures\nMAE {scores['MAE']:.2f} {task.unit} ({each})\n"
        f"CS@{task.close:g} {100 * scores['close']:.1f} %\nNLL {scores['NLL']:.3f} nats\n"
        f"CRPS {scores['CRPS']:.2f} {task.unit}\nlabels in highest-density sets of {covered}"
    )


def _numbers(one: dict[str, Any]) -> list[str]:
    return [f"{value:.6g}" for value in (one["MAE"], *one["each"].values(), one["close"])]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
