"""Every published train setting run through the training command on generated data, as a table.

Run: ``OMP_NUM_THREADS=1 python benchmarks/train_settings.py WORKSPACE [--only dimp50 ...] [--samples 8]`` for
one short epoch of each setting, and with ``--long`` for the longer runs of one member of each family and
their loss curves. Each run is ``ltr/run_training.py`` in a process of its own with one thread, in which this
script only writes down the statistics of every step. What is done lies in WORKSPACE and is not done again.
"""

import argparse
import json
import os
import re
import runpy
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from ebm.exceptions import EBMError
from ebm.lookup import lookup

ROOT = Path(__file__).resolve().parents[1]
COMMAND = ROOT / "ltr" / "run_training.py"
STEPS_VARIABLE = "EBMTRACK_BENCHMARK_STEPS"  # file for the statistics of every step

SETTINGS = (
    *(("bbreg", f"atom{rest}") for rest in ("", "_paper", "_gmm_sampl", "_prob_ml", "_nce_plus", "_kld_is")),
    *(("dimp", name) for name in ("dimp18", "dimp50", "prdimp18", "prdimp50", "super_dimp", "dimp_kld_is")),
    *(("dimp", name) for name in ("super_dimp_simple", "dimp_nce", "dimp_nce_plus")),
    *(("dimp", f"dimp18_{loss}") for loss in ("kld_is", "nce", "nce_plus")),
    ("dimp", "super_dimp18"),
    ("dimp", "super_dimp18_simple"),
)
# One member of each family, small enough for minutes on one core: name -> what its curve shows.
FAMILIES = {
    ("bbreg", "atom_small"): "ATOM, overlaps",
    ("bbreg", "atom_nce_plus_small"): "ATOM, NCE+",
    ("dimp", "dimp_small"): "DiMP",
    ("dimp", "prdimp_small"): "PrDiMP",
    ("dimp", "dimp_kld_is_small"): "SuperDiMP (KLD-IS)",
    ("dimp", "dimp_nce_plus_small"): "DiMP-NCE+",
    ("dimp", "super_dimp_simple_small"): "SuperDiMP-simple",
}
SHOWN = ("Loss/total", "Loss/bb_ce", "BBReg/kl", "Loss/iou")


def record(file: Path, arguments: Sequence[str]) -> None:
    """Be ``ltr/run_training.py`` with these arguments, and append every step's statistics to `file`."""
    from ltr.trainers.step import StepResult, TrainStep

    step = TrainStep.__call__

    def noted(self: TrainStep, *args: Any, **options: Any) -> StepResult:
        start = time.perf_counter()
        result = step(self, *args, **options)
        row = {"seconds": time.perf_counter() - start, **result.values}
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")
        return result

    TrainStep.__call__ = noted  # type: ignore[method-assign]
    sys.argv = [str(COMMAND), *arguments]
    runpy.run_path(str(COMMAND), run_name="__main__")


def run(setting: tuple[str, str], folder: Path, arguments: Sequence[str]) -> dict[str, Any]:
    """Run a setting, or read what an earlier run with these arguments left.

    Returns: the command's arguments, exit code, seconds, parameters and the statistics of all steps.
    """
    result = folder / "result.json"
    if result.is_file():
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        if found["arguments"] == list(arguments):
            return found
    folder.mkdir(parents=True, exist_ok=True)
    steps = folder / "steps.jsonl"
    steps.unlink(missing_ok=True)
    start = time.perf_counter()
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        own = {STEPS_VARIABLE: str(steps), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, str(Path(__file__).resolve()), *setting, *arguments]
        code = subprocess.run(
            command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | own, check=False
        )
    rows = [json.loads(line) for line in steps.read_text().splitlines()] if steps.is_file() else []
    numbers = re.search(r"([\d.]+) M parameters, ([\d.]+) M trained", (folder / "log.txt").read_text())
    content = {
        "arguments": list(arguments),
        "code": code.returncode,
        "seconds": time.perf_counter() - start,
        "parameters": [float(number) for number in numbers.groups()] if numbers else None,
        "steps": rows,
    }
    result.write_text(json.dumps(content), encoding="utf-8")
    return content


def common(workspace: Path) -> list[str]:
    """Arguments of every run: generated data, one process, one thread, whole batches, nothing resumed."""
    return [
        *("--datasets", "generated", "--workspace", str(workspace), "--resume", "none"),
        *("--workers", "0", "--threads", "1", "--device", "cpu", "--no-validate", "--set", "groups=none"),
    ]


def row_of(setting: tuple[str, str], found: Mapping[str, Any]) -> str:
    """A line of the table of short runs."""
    losses = [step["Loss/total"] for step in found["steps"] if "Loss/total" in step]
    first, last = (f"{losses[0]:.4g}", f"{losses[-1]:.4g}") if losses else ("none", "none")
    count = "?" if found["parameters"] is None else f"{found['parameters'][0]:.2f}"
    cells = (
        f"`{setting[0]} {setting[1]}`",
        count,
        len(found["steps"]),
        first,
        last,
        "yes" if len(losses) == len(found["steps"]) > 0 else "**no**",
        f"{found['seconds']:.0f}",
        found["code"],
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def chosen(
    only: Sequence[str], usual: Iterable[tuple[str, str]], known: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    """The settings named by `only` among `known`, in order; the `usual` ones without names."""
    by_name = {setting[1]: setting for setting in known}
    return [lookup("setting", name, by_name) for name in only] or list(usual)


def short_runs(workspace: Path, only: Sequence[str], samples: int, batch: int) -> None:
    """One short epoch of every setting, printed as they come."""
    print("| setting | M parameters | steps | first loss | last loss | all finite | seconds | exit code |")
    print("|---|---:|---:|---:|---:|---|---:|---:|")
    for setting in chosen(only, SETTINGS, [*SETTINGS, *FAMILIES]):
        size = [*("--epochs", "1", "--samples", str(samples), "--batch-size", str(batch), "--scale", "tiny")]
        found = run(setting, workspace / "short" / setting[1], [*size, *common(workspace)])
        print(row_of(setting, found), flush=True)


def share(values: Sequence[float], last: bool) -> float:
    """Mean of the first or the last tenth."""
    count = max(1, len(values) // 10)
    return fmean(values[-count:] if last else values[:count])


def long_runs(workspace: Path, only: Sequence[str], size: Sequence[str], plot: Path | None) -> None:
    """Longer runs of one member of each family, or those named: first against last tenth, and the curves."""
    print("| setting | family | steps | statistic | first tenth | last tenth | minutes | exit code |")
    print("|---|---|---:|---|---:|---:|---:|---:|")
    curves: dict[str, dict[str, list[float]]] = {}
    for setting in chosen(only, FAMILIES, [*SETTINGS, *FAMILIES]):
        family = FAMILIES.get(setting, setting[1])
        found = run(setting, workspace / "long" / setting[1], [*size, *common(workspace)])
        minutes = f"{found['seconds'] / 60:.1f}"
        for name in SHOWN:
            values = [step[name] for step in found["steps"] if name in step]
            if not values:
                continue
            curves.setdefault(family, {})[name] = values
            ends = f"{share(values, False):.4g} | {share(values, True):.4g}"
            print(
                f"| `{setting[0]} {setting[1]}` | {family} | {len(values)} | {name} | {ends} | {minutes} | "
                f"{found['code']} |",
                flush=True,
            )
    if plot is not None:
        draw(curves, plot)


def draw(curves: Mapping[str, Mapping[str, Sequence[float]]], file: Path) -> None:
    """Loss of every step and its running mean, a panel a family; at last KLD-IS: its box term and the KL."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    panels = {family: {"total loss": values["Loss/total"]} for family, values in curves.items()}
    kld_is = curves.get(FAMILIES["dimp", "dimp_kld_is_small"], {})
    if kld_is:
        terms = {"box loss": kld_is["Loss/bb_ce"], "KL": kld_is["BBReg/kl"]}
        panels["SuperDiMP: box loss and KL"] = terms
    columns = 4
    figure, axes = plt.subplots(
        -(-len(panels) // columns), columns, figsize=(13, 6), layout="constrained", squeeze=False
    )
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for axis, (title, lines) in zip(axes.flat, panels.items()):
        for number, (name, values) in enumerate(lines.items()):
            draw_line(axis, values, name, f"C{number}")
        axis.set_title(title)
        axis.set_xlabel("step")
        if len(lines) > 1:
            axis.axhline(0, color="black", linewidth=0.5)
            axis.legend()
    axes.flat[0].set_ylabel("total loss")
    figure.savefig(file, dpi=110)


def draw_line(axis: Any, values: Sequence[float], name: str, colour: str) -> None:
    """Every step in grey and the mean of a twentieth of the run around it, but not the few largest values."""
    import numpy as np

    width = max(1, len(values) // 20)
    smooth = np.convolve(values, np.ones(width) / width, mode="valid")
    axis.plot(values, linewidth=0.5, color="0.75")
    axis.plot(np.arange(len(smooth)) + width // 2, smooth, color=colour, label=name)
    low, high = np.quantile(values, (0.0, 0.98))
    if len(axis.get_lines()) > 2:  # another line is there already
        low, high = min(low, axis.get_ylim()[0]), max(high, axis.get_ylim()[1])
    axis.set_ylim(low, high)


def main() -> None:
    """Parse, run, print."""
    if STEPS_VARIABLE in os.environ:
        record(Path(os.environ[STEPS_VARIABLE]), sys.argv[1:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("workspace", type=Path, help="folder of data, checkpoints and results")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these settings alone")
    parser.add_argument("--samples", type=int, help="samples an epoch (default: 8; --long: 1024)")
    parser.add_argument("--batch-size", type=int, help="default: 2; --long: the setting's own")
    parser.add_argument("--epochs", type=int, default=5, help="of the longer runs (default: 5)")
    parser.add_argument("--long", action="store_true", help="the longer runs of one member of each family")
    parser.add_argument("--plot", type=Path, help="picture of the longer runs' loss curves")
    options = parser.parse_args()
    try:
        run_all(options)
    except EBMError as error:
        parser.error(str(error))


def run_all(options: argparse.Namespace) -> None:
    """The short runs or the longer ones."""
    workspace = options.workspace.resolve()
    if options.long:
        batch = [] if options.batch_size is None else ["--batch-size", str(options.batch_size)]
        size = [*("--epochs", str(options.epochs), "--samples", str(options.samples or 1024)), *batch]
        long_runs(workspace, options.only, [*size, "--scale", "demo"], options.plot)
    else:
        short_runs(workspace, options.only, options.samples or 8, options.batch_size or 2)


if __name__ == "__main__":
    main()
