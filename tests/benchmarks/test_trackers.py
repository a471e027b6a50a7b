"""The benchmark of the trackers: its plain variants compute what ours do, and it prints what it promises."""

import importlib
from typing import Any

import numpy as np
import pytest

from pytracking.tracker.base import Flag


@pytest.fixture
def trackers(beside_the_scripts: None) -> Any:
    return importlib.import_module("trackers")


def frames(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, 96, 128, 3), dtype=np.uint8))


def test_a_table_has_frames_parts_limits_and_the_difference(
    trackers: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    kind, box = trackers.TRACKERS["dimp_small"], np.array([40.0, 30, 24, 30])
    trackers.measure(kind, ["fp32", "bf16"], frames(10), box)
    text = capsys.readouterr().out
    for row in ("first frame", "normal frame", "hard negative", "backbone", "box features", "update"):
        assert row in text
    assert [text.count(f"frame goes, {precision}\n") for precision in ("fp32", "bf16")] == [1, 1]
    first = next(line for line in text.splitlines() if "first frame" in line)
    assert first.count("..") == 2  # a ratio to the plain tracker for each
    assert "limit" in text
    assert "% of a frame" in text
    differences = text.split("differ by ")[1].split(" px")[0].split(", ")
    assert len(differences) == 2
    assert float(differences[0]) < 0.01


@pytest.mark.parametrize("name", ["dimp_small", "atom_small"])
def test_the_plain_variant_updates_its_filter_to_the_same(trackers: Any, name: str) -> None:
    kind, box = trackers.TRACKERS[name], np.array([40.0, 30, 24, 30])
    pair = [trackers.Watched(make(kind)) for make in (trackers.ours, trackers.plain)]
    filters = []
    for watched in pair:
        watched.initialize(frames(1)[0], box)
        before = watched.tracker.classifier._filter.clone()
        seconds, parts = watched.track(frames(2)[1], Flag.HARD_NEGATIVE)
        after = watched.tracker.classifier._filter
        assert (after - before).abs().max() > 0
        assert sum(parts.values()) <= seconds
        filters.append(after)
    relative = np.linalg.norm(filters[0] - filters[1]) / np.linalg.norm(filters[1])
    assert relative < (1e-3 if name == "dimp_small" else 0.1)  # conjugate gradients amplify rounding


def test_memory_is_told_at_four_places(trackers: Any, capsys: pytest.CaptureFixture[str]) -> None:
    trackers.memory(frames(3), np.array([40.0, 30, 24, 30]), 20)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [int(row[1]) for row in rows] == [2, 5, 10, 20]
    assert all(float(row[3]) > 10 for row in rows)
