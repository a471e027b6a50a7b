"""Benchmarks without images, the size of the real ones, and results on them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from zipfile import ZipFile

import numpy as np

from pytracking.analysis.sources import BoxSource, FolderSource
from pytracking.evaluation.data import Sequence
from pytracking.evaluation.results import ResultFolder, SequenceResult
from pytracking.leaderboards.servers import SERVERS
from tests.pytracking.analysis.image_free import without_images

__all__ = ["change", "entries", "make_benchmark", "make_results", "write_zip"]

FRAMES = 5


def make_benchmark(server: str) -> list[Sequence]:
    """All sequences of a server, five frames each; only the first is annotated."""
    names = list(SERVERS[server].names()) or [
        f"clip_{number}" for number in range(SERVERS[server].count or 8)
    ]
    generator = np.random.default_rng(0)
    found = []
    for name in names:
        truth = np.full((FRAMES, 4), np.nan)
        truth[0] = generator.uniform((0, 0, 20, 20), (100, 100, 60, 60)).round(2)
        found.append(without_images(name, server, truth))
    return found


def make_results(folder: Path, sequences: list[Sequence], runs: int = 1) -> list[BoxSource]:
    """A box that drifts, with scores and times, for every sequence and run."""
    sources: list[BoxSource] = []
    for run in range(runs):
        results = ResultFolder(folder / f"drift_{run:03d}")
        generator = np.random.default_rng(run)
        for sequence in sequences:
            steps = generator.normal(size=(FRAMES, 4)).cumsum(axis=0) * (1, 1, 0.1, 0.1)
            boxes = sequence.init_box + steps - steps[0]
            times = generator.uniform(0.01, 0.02, FRAMES)
            results.write(sequence, SequenceResult(boxes, times, np.ones(FRAMES), ("ok",) * FRAMES))
        sources.append(FolderSource("drift", results))
    return sources


def entries(path: Path) -> dict[str, bytes]:
    """Name -> content of a zip."""
    with ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_zip(path: Path, content: Mapping[str, bytes]) -> Path:
    """A zip of these files."""
    with ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def change(path: Path, out: Path, edit: Callable[[dict[str, bytes]], None]) -> Path:
    """A copy of a zip after an edit of its content."""
    content = entries(path)
    edit(content)
    return write_zip(out, content)
