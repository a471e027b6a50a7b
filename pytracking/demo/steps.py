"""What both demos do: numbered steps, trackers over videos, and how good they are."""

import time
from collections.abc import Mapping
from collections.abc import Sequence as List
from pathlib import Path
from typing import TYPE_CHECKING

from ebm.exceptions import InputError

if TYPE_CHECKING:
    from pytracking.analysis.extract import Evaluation
    from pytracking.evaluation.data import Sequence as Video
    from pytracking.evaluation.spec import TrackerSpec

__all__ = ["FIRST_BOX", "Steps", "drawn_videos", "evaluated", "track", "write_overlay"]

FIRST_BOX = "first box repeated"


class Steps:
    """Numbers the steps and says how long the run has taken.

    Args:
        count: of all steps.
    """

    def __init__(self, count: int) -> None:
        self._start, self._number, self._count = time.monotonic(), 0, count

    def next(self, text: str) -> None:
        """Say that a step begins."""
        self._number += 1
        print(f"\n[{self._number}/{self._count}] {text} ({self.elapsed()})", flush=True)

    def elapsed(self) -> str:
        """Minutes and seconds so far."""
        seconds = int(time.monotonic() - self._start)
        return f"{seconds // 60}:{seconds % 60:02d}"


def drawn_videos(workspace: Path, scale: str, workers: int) -> "list[Video]":
    """Draw videos to train on and to be tested on, if they are not there; the latter."""
    from ltr.dataset.generated import ensure_generated
    from pytracking.evaluation.datasets import open_dataset

    ensure_generated(workspace, "train", scale=scale, workers=workers)
    root = ensure_generated(workspace, "test", scale=scale, workers=workers)["otb"]
    return open_dataset("generated", root)


def track(videos: "List[Video]", specs: "Mapping[str, TrackerSpec]", workspace: Path, workers: int) -> None:
    """Run trackers on videos; what is finished is kept.

    Args:
        videos: of one run.
        specs: by the labels that are printed.
        workspace: of the results.
        workers: processes.

    Raises:
        InputError: if a tracker fails on a video.
    """
    from pytracking.evaluation.running import run_dataset

    for label, spec in specs.items():
        print(f"{label}: {spec.weights.path}", flush=True)
        report = run_dataset(videos, spec, results_root=workspace / "tracking_results", workers=workers)
        if report.failed:
            name, error = next(iter(report.failed.items()))
            raise InputError(f"Tracking failed on {len(report.failed)} videos, first {name}: {error}")
        if report.outcomes and report.fps is not None:
            print(f"{report.fps:.0f} frames/s")


def evaluated(videos: "List[Video]", specs: "Mapping[str, TrackerSpec]", workspace: Path) -> "Evaluation":
    """How good trackers and the repeated first box are, by the labels of `specs` and `FIRST_BOX`."""
    from pytracking.analysis.extract import evaluate
    from pytracking.analysis.sources import BoxSource, FirstBoxSource, FolderSource
    from pytracking.evaluation.results import ResultFolder

    root = workspace / "tracking_results"
    sources: list[BoxSource] = [
        FolderSource(label, ResultFolder(spec.folder(root))) for label, spec in specs.items()
    ]
    return evaluate(list(videos), [*sources, FirstBoxSource(FIRST_BOX)])


def write_overlay(
    video: "Video", specs: "Mapping[str, TrackerSpec]", workspace: Path, path: Path, fps: float = 30.0
) -> Path:
    """A video with the annotated box and those of the trackers."""
    from pytracking.analysis.overlay import GROUND_TRUTH, write_overlay_video
    from pytracking.evaluation.results import ResultFolder

    tracks = {GROUND_TRUTH: video.ground_truth}
    for label, spec in specs.items():
        tracks[label] = ResultFolder(spec.folder(workspace / "tracking_results")).boxes(video.name)
    return write_overlay_video(video.frames, tracks, path, fps, title=video.name)
