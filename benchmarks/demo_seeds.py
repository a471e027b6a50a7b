"""The demo's network from several seeds, on the generated test set and on real sequences, as a table.

Run: ``python benchmarks/demo_seeds.py WORKSPACE --otb DIR [--seeds 0 1 2] [--processes 2]``. Each seed is a
run of ``ltr/run_training.py dimp dimp_nce_plus_small --datasets generated --seed N``, whose weights do not
depend on the number of processes. Baselines: the same network untrained, and the first box repeated. A
figure is a mean over sequences; with several seeds a mean over these and their standard deviation. What lies
in WORKSPACE is not done again. ``results.csv`` there has a row for each sequence, tracker and seed.
"""

import argparse
import csv
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING

import numpy as np

from ebm.exceptions import EBMError, InputError

if TYPE_CHECKING:
    from pytracking.evaluation.data import Sequence as Video
    from pytracking.evaluation.results import ResultFolder

ROOT = Path(__file__).resolve().parents[1]
MODULE, SETTING = "dimp", "dimp_nce_plus_small"
TRAINED, UNTRAINED, FIRST_BOX = "trained", "untrained", "first box"
RATES = ("auc", "op50", "op75", "precision")
SETS = {"generated": "Generated test set", "otb": "Real sequences (OTB)"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One tracker on one sequence.

    Attributes:
        dataset: ``generated`` or ``otb``.
        sequence: its name.
        tracker: `TRAINED`, `UNTRAINED` or `FIRST_BOX`.
        seed: of the training.
        auc: percent, as all rates of `ebmtrack evaluate`.
        op50: percent.
        op75: percent.
        precision: percent within 20 px.
        frames: annotated frames after the first.
        ok: of these, frames whose state was ``ok``.
        ok_off: of these, frames whose box did not touch the target.
        ok_half: of the ``ok`` frames, those with an IoU of at least a half.
    """

    dataset: str
    sequence: str
    tracker: str
    seed: int
    auc: float
    op50: float
    op75: float
    precision: float
    frames: int
    ok: int
    ok_off: int
    ok_half: int


def workspace_of(root: Path, seed: int, first: int) -> Path:
    """The workspace of a seed; all see the generated videos of the first one."""
    folder = root / f"seed{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    link, target = folder / "generated", (root / f"seed{first}" / "generated").resolve()
    if seed != first and not link.exists():
        link.symlink_to(target)
    return folder


def train(workspace: Path, seed: int, more: Sequence[str]) -> Path:
    """Train a seed, or find it trained; its last checkpoint.

    Raises:
        InputError: if the training failed.
    """
    command = [sys.executable, str(ROOT / "ltr" / "run_training.py"), MODULE, SETTING, "--seed", str(seed)]
    command += ["--datasets", "generated", "--workspace", str(workspace), "--resume", "match", *more]
    code = subprocess.run(command, check=False).returncode
    if code:
        raise InputError(f"The training of seed {seed} ended with code {code}.")
    files = sorted((workspace / "checkpoints" / "ltr" / MODULE / SETTING).glob("*_ep*.pth.tar"))
    return files[-1]


def state_counts(truth: np.ndarray, boxes: np.ndarray, states: Sequence[str]) -> tuple[int, int, int, int]:
    """Annotated frames after the first; of these ``ok``; of these with IoU 0, and with one of at least 0.5.

    Args:
        truth: boxes xywh, px, ``[T, 4]``; NaN or without area where there is none.
        boxes: the tracker's, ``[T, 4]``.
        states: the tracker's, T of them.
    """
    from pytracking.analysis.metrics import iou

    seen = np.isfinite(truth).all(axis=1) & (np.nan_to_num(truth[:, 2:]) > 0).all(axis=1)
    seen[0] = False  # given, not tracked
    ok = seen & (np.array(states) == "ok")
    overlap = iou(boxes[ok], truth[ok])
    return int(seen.sum()), int(ok.sum()), int((overlap == 0).sum()), int((overlap >= 0.5).sum())


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a seed is measured, and on what.

    Attributes:
        workspace: of the seed.
        seed: of the training.
        processes: that track.
        otb: folder of real sequences, None for none.
        scale: of the generated sets.
    """

    workspace: Path
    seed: int
    processes: int
    otb: Path | None
    scale: str

    def measure(self, checkpoint: Path) -> Iterator[Row]:
        """Track with the trained and the untrained network, and score both beside the first box."""
        from ltr.dataset.generated import ensure_generated
        from pytracking.demo import untrained
        from pytracking.evaluation.datasets import open_dataset

        drawn = ensure_generated(self.workspace, "test", scale=self.scale, workers=self.processes)
        roots = {"generated": drawn["otb"]} | ({} if self.otb is None else {"otb": self.otb})
        files = {TRAINED: checkpoint, UNTRAINED: untrained(self.workspace, self.seed)}
        for name, root in roots.items():
            sequences = open_dataset(name, root, allow_missing=True)
            folders = {label: self._track(sequences, file) for label, file in files.items()}
            for sequence in sequences:
                yield from self._rows(sequence, folders)

    def _track(self, sequences: "list[Video]", checkpoint: Path) -> "ResultFolder":
        from pytracking.evaluation.results import ResultFolder
        from pytracking.evaluation.running import run_dataset
        from pytracking.evaluation.spec import make_spec

        spec = make_spec("dimp", "nce_plus_small", checkpoint=checkpoint, device="cpu")
        root = self.workspace / "tracking_results"
        report = run_dataset(sequences, spec, results_root=root, workers=self.processes)
        if report.failed:
            raise InputError(next(iter(report.failed.values())))
        return ResultFolder(report.folder)

    def _rows(self, video: "Video", folders: "Mapping[str, ResultFolder]") -> Iterator[Row]:
        from pytracking.analysis.extract import evaluate
        from pytracking.analysis.sources import FirstBoxSource, FolderSource

        sources = [FolderSource(label, folder) for label, folder in folders.items()]
        for tracker in evaluate([video], [*sources, FirstBoxSource(FIRST_BOX)]).trackers:
            boxes, states = np.tile(video.init_box, (len(video), 1)), ["ok"] * len(video)
            if (folder := folders.get(tracker.label)) is not None:
                boxes = folder.boxes(video.name)
                lines = folder.file(video.name, "_scores").read_text(encoding="utf-8").splitlines()
                states = [line.split("\t")[1] for line in lines]
            frames, ok, off, half = state_counts(video.ground_truth, boxes, states)
            yield Row(
                dataset=video.dataset,
                sequence=video.name,
                tracker=tracker.label,
                seed=self.seed,
                frames=frames,
                ok=ok,
                ok_off=off,
                ok_half=half,
                **{rate: tracker.score(rate).mean for rate in RATES},
            )


def spread(values: Sequence[float]) -> str:
    """A mean, and the standard deviation where there are several."""
    return f"{fmean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")


def tables(rows: Sequence[Row]) -> Iterator[str]:
    """The lines of the report in Markdown: a table for each set, one of sequences, one of states."""
    seeds = sorted({row.seed for row in rows})
    for dataset in dict.fromkeys(row.dataset for row in rows):
        own = [row for row in rows if row.dataset == dataset]
        sequences = list(dict.fromkeys(row.sequence for row in own))
        yield f"\n{SETS[dataset]}: {len(sequences)} sequences, seeds {', '.join(map(str, seeds))}\n"
        yield "| tracker | AUC | OP50 | OP75 | precision |\n|---|---:|---:|---:|---:|"
        for tracker in (TRAINED, UNTRAINED, FIRST_BOX):
            cells = []
            for rate in RATES:
                means = [fmean(getattr(r, rate) for r in _of(own, tracker, seed)) for seed in seeds]
                cells.append(spread(means[:1] if tracker == FIRST_BOX else means))
            yield f"| {tracker} | {' | '.join(cells)} |"
        yield f"\n| AUC | {' | '.join(f'seed {seed}' for seed in seeds)} | {FIRST_BOX} |"
        yield "|---|" + "---:|" * (len(seeds) + 1)
        for sequence in sequences:
            at = [row for row in own if row.sequence == sequence]
            cells = [f"{row.auc:.1f}" for row in at if row.tracker == TRAINED]
            box = next(row.auc for row in at if row.tracker == FIRST_BOX)
            yield f"| {sequence} | {' | '.join(cells)} | {box:.1f} |"
        yield f"\nStates of the trained network: {_states([r for r in own if r.tracker == TRAINED])}"


def _of(rows: Iterable[Row], tracker: str, seed: int) -> list[Row]:
    return [row for row in rows if (row.tracker, row.seed) == (tracker, seed)]


def _states(rows: Sequence[Row]) -> str:
    frames, ok = sum(row.frames for row in rows), sum(row.ok for row in rows)
    off, half = sum(row.ok_off for row in rows), sum(row.ok_half for row in rows)
    return (
        f"{ok / frames:.0%} of {frames} frames are ok; of these {off / max(ok, 1):.0%} miss the target, "
        f"{half / max(ok, 1):.0%} have an IoU of at least 0.5."
    )


def main() -> int:
    """Train, track, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument(
        "--otb", type=Path, metavar="DIR", help="folder of OTB sequences, as many as there are"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="1, 2 or 4 (default: 1)")
    parser.add_argument("--scale", default="demo", choices=("tiny", "demo", "full"), help="of generated sets")
    parser.add_argument("--train", default="", metavar="ARGUMENTS", help="more for the training command")
    args = parser.parse_args()
    more = ["--processes", str(args.processes), "--scale", args.scale, *args.train.split()]
    rows: list[Row] = []
    try:
        for seed in args.seeds:
            workspace = workspace_of(args.workspace.resolve(), seed, args.seeds[0])
            checkpoint = train(workspace, seed, more)
            place = Place(
                workspace=workspace, seed=seed, processes=args.processes, otb=args.otb, scale=args.scale
            )
            rows += place.measure(checkpoint)
            write(rows, args.workspace / "results.csv")
    except EBMError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(*tables(rows), sep="\n")
    return 0


def write(rows: Iterable[Row], path: Path) -> None:
    """The rows as a csv table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            numbers = {k: round(v, 2) if isinstance(v, float) else v for k, v in asdict(row).items()}
            writer.writerow(numbers)


if __name__ == "__main__":
    from ebm.threads import sleep_when_idle

    sleep_when_idle()
    raise SystemExit(main())
