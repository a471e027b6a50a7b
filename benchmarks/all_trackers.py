"""The small networks of every kind, trained alike: one table of the generated test set and of real sequences.

Run: ``python benchmarks/all_trackers.py WORKSPACE --otb DIR``. What is not trained in WORKSPACE is, as
``ebmtrack demo`` trains (8 to 20 processor minutes each); ``--no-train`` leaves it out. One seed each.
Weights that ``ebmtrack calibrate tracker`` has measured are taken beside the plain ones if they are called
``WORKSPACE/measured/SETTING.pth.tar``. The baseline is the first box repeated. What lies in WORKSPACE is not
done again. Writes ``results.csv``, a row for each sequence and tracker, and ``auc.png``.
"""

import argparse
import csv
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from ebm.exceptions import EBMError, InputError

if TYPE_CHECKING:
    from pytracking.analysis.sources import BoxSource
    from pytracking.evaluation.data import Sequence as Video

ROOT = Path(__file__).resolve().parents[1]
FIRST_BOX = "first box"
RATES = ("auc", "op50", "precision")
SETS = {"generated": "Generated test set", "otb": "Real sequences (OTB)"}


class Network(NamedTuple):
    """A train setting and what tracks with its weights."""

    label: str
    module: str
    setting: str
    tracker: str
    parameter: str

    def checkpoints(self, workspace: Path) -> Path:
        """The folder that training writes to."""
        return workspace / "checkpoints" / "ltr" / self.module / self.setting


NETWORKS = (
    Network("DiMP-NCE+", "dimp", "dimp_nce_plus_small", "dimp", "nce_plus_small"),
    Network("DiMP-KLD-IS", "dimp", "dimp_kld_is_small", "dimp", "kld_is_small"),
    Network("PrDiMP", "dimp", "prdimp_small", "dimp", "prdimp_small"),
    Network("DiMP", "dimp", "dimp_small", "dimp", "dimp_small"),
    Network("ATOM-NCE+", "bbreg", "atom_nce_plus_small", "atom", "atom_nce_plus_small"),
    Network("ATOM*", "bbreg", "atom_small", "atom", "atom_small"),
)


class Row(NamedTuple):
    """One tracker on one sequence; rates in percent."""

    dataset: str
    sequence: str
    tracker: str
    auc: float
    op50: float
    precision: float


def trained(network: Network, workspace: Path, more: Sequence[str] | None) -> Path | None:
    """The last checkpoint of a network; None if it is not trained and is not to be.

    Args:
        network: which.
        workspace: where.
        more: arguments of the training; None trains nothing.

    Raises:
        InputError: if the training failed.
    """
    if more is not None:
        command = [sys.executable, str(ROOT / "ltr" / "run_training.py"), network.module, network.setting]
        command += ["--datasets", "generated", "--workspace", str(workspace), "--resume", "match", *more]
        if code := subprocess.run(command, check=False).returncode:
            raise InputError(f"The training of {network.setting} ended with code {code}.")
    files = sorted(network.checkpoints(workspace).glob("*_ep*.pth.tar"))
    return files[-1] if files else None


def weights_of(workspace: Path, more: Sequence[str] | None) -> Iterator[tuple[str, Network, Path]]:
    """(label, network, file) of everything that is tracked with."""
    for network in NETWORKS:
        found = trained(network, workspace, more)
        if found is None:
            print(f"{network.label}: {network.setting} is not trained, left out", file=sys.stderr)
            continue
        yield network.label, network, found
        measured = workspace / "measured" / f"{network.setting}.pth.tar"
        if measured.is_file():
            yield f"{network.label}, measured", network, measured


def tracked(
    videos: "list[Video]", weights: Sequence[tuple[str, Network, Path]], root: Path, processes: int
) -> "list[BoxSource]":
    """Track sequences with every network, or find them tracked; the boxes of all, and the first box.

    Raises:
        InputError: if a sequence cannot be tracked.
    """
    from pytracking.analysis.sources import FirstBoxSource, FolderSource
    from pytracking.evaluation.results import ResultFolder
    from pytracking.evaluation.running import run_dataset
    from pytracking.evaluation.spec import make_spec

    sources: list[BoxSource] = []
    for label, network, file in weights:
        print(f"{label}: {file}", flush=True)
        spec = make_spec(network.tracker, network.parameter, checkpoint=file, device="cpu")
        report = run_dataset(videos, spec, results_root=root, workers=processes)
        if report.failed:
            raise InputError(f"{label}: {next(iter(report.failed.values()))}")
        sources.append(FolderSource(label, ResultFolder(report.folder)))
    return [*sources, FirstBoxSource(FIRST_BOX)]


def rows_of(dataset: str, videos: "Sequence[Video]", sources: "list[BoxSource]") -> Iterator[Row]:
    """What each tracker got on each sequence."""
    from pytracking.analysis.extract import evaluate

    for video in videos:
        for tracker in evaluate([video], sources).trackers:
            auc, op50, precision = (tracker.score(rate).mean for rate in RATES)
            yield Row(dataset, video.name, tracker.label, auc, op50, precision)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The report in Markdown: means over the sequences of each set, a line for each tracker."""
    datasets = list(dict.fromkeys(row.dataset for row in rows))
    titles = [f"{SETS.get(name, name)}, {_count(rows, name)}" for name in datasets]
    yield "| | " + " | | | ".join(titles) + " | | |"
    yield "|---" + "|---:" * (3 * len(datasets)) + "|"
    yield "| tracker" + " | AUC | OP50 | precision" * len(datasets) + " |"
    for label in dict.fromkeys(row.tracker for row in rows):
        means = [mean(rows, name, label, rate) for name in datasets for rate in RATES]
        yield f"| {label} | " + " | ".join(f"{value:.1f}" for value in means) + " |"


def _count(rows: Sequence[Row], dataset: str) -> int:
    return len({row.sequence for row in rows if row.dataset == dataset})


def mean(rows: Sequence[Row], dataset: str, tracker: str, rate: str) -> float:
    """Over the sequences of a set."""
    return fmean(getattr(r, rate) for r in rows if (r.dataset, r.tracker) == (dataset, tracker))


def draw(rows: Sequence[Row], path: Path) -> None:
    """AUC of every tracker: small marks for sequences, a large one for their mean."""
    from ebm.files import write_atomic
    from ebm.pictures.style import OKABE_ITO, new_figure, plain_axes, rendered

    labels = list(dict.fromkeys(row.tracker for row in rows))
    datasets = list(dict.fromkeys(row.dataset for row in rows))
    figure = new_figure(7.2, 0.9 + 0.36 * len(labels))
    axes = figure.subplots()
    plain_axes(axes)
    for place, (dataset, colour) in enumerate(zip(datasets, ("blue", "vermilion"))):
        for line, label in enumerate(labels):
            values = [r.auc for r in rows if (r.dataset, r.tracker) == (dataset, label)]
            height = line + 0.3 * (place - 0.5)
            axes.scatter(
                values, [height] * len(values), s=9, alpha=0.45, color=OKABE_ITO[colour], linewidth=0
            )
            name = SETS.get(dataset, dataset) if line == 0 else None
            axes.scatter(
                fmean(values), height, s=48, marker="D", color=OKABE_ITO[colour], label=name, zorder=3
            )
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlim=(0, 100), ylim=(len(labels) - 0.5, -0.5), xlabel="AUC, %: sequences, and their mean")
    axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    write_atomic(path, rendered(figure, "png"))


def write(rows: Sequence[Row], path: Path) -> None:
    """The rows as a csv table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        for row in rows:
            writer.writerow([round(cell, 2) if isinstance(cell, float) else cell for cell in row])


def main() -> int:
    """Train, track, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument(
        "--otb", type=Path, metavar="DIR", help="folder of OTB sequences, as many as there are"
    )
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="1, 2 or 4 (default: 1)")
    parser.add_argument("--scale", default="demo", choices=("tiny", "demo", "full"), help="of generated sets")
    parser.add_argument("--train", default="", metavar="ARGUMENTS", help="more for the training command")
    parser.add_argument("--no-train", action="store_true", help="take the networks that are there")
    args = parser.parse_args()
    more = ["--processes", str(args.processes), "--scale", args.scale, *args.train.split()]
    try:
        return _run(args, None if args.no_train else more)
    except EBMError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _run(args: argparse.Namespace, more: Sequence[str] | None) -> int:
    from ltr.dataset.generated import ensure_generated
    from pytracking.evaluation.datasets import open_dataset

    workspace = args.workspace.resolve()
    weights = list(weights_of(workspace, more))
    drawn = ensure_generated(workspace, "test", scale=args.scale, workers=args.processes)
    roots: Mapping[str, Path] = {"generated": drawn["otb"]} | ({} if args.otb is None else {"otb": args.otb})
    rows: list[Row] = []
    for name, root in roots.items():
        videos = open_dataset(name, root, allow_missing=True)
        sources = tracked(videos, weights, workspace / "tracking_results", args.processes)
        rows += rows_of(name, videos, sources)
        write(rows, workspace / "results.csv")
    draw(rows, workspace / "auc.png")
    print(*table(rows), sep="\n")
    return 0


if __name__ == "__main__":
    from ebm.threads import sleep_when_idle

    sleep_when_idle()
    raise SystemExit(main())
