"""Added files that import nothing of a clone, by themselves: crops, the look after a run, old Pythons."""

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.external.conftest import INSTALLER, added

CROPS = added("pytracking/ebmtrack/crops.py")


# Conformance vectors of the specification: image 480 x 640.
@pytest.mark.parametrize(
    ("mode", "bound", "position", "size", "side", "corners"),
    [
        ("replicate", None, (200.7, 300.2), 288, 288, (57, 157, 345, 445)),
        ("replicate", None, (200.7, 300.2), 289, 288, (56, 156, 345, 445)),
        ("replicate", None, (20.3, 30.9), 288, 288, (-123, -113, 165, 175)),
        ("replicate", None, (201, 300), 600, 288, (-98, 1, 502, 601)),
        ("inside_major", 1.5, (200, 300), 500, 352, (-10, 51, 490, 551)),
        ("inside_major", 1.5, (20, 600), 500, 352, (-10, 140, 490, 640)),
        ("inside_major", 1.5, (200, 300), 700, 352, (-80, 0, 560, 640)),
        ("inside_major", 1.5, (200, 300), 1100, 352, (-126, -46, 607, 687)),
        ("inside", None, (20, 600), 700, 352, (0, 160, 480, 640)),
    ],
)
def test_crops_are_the_published_ones(
    mode: str,
    bound: float | None,
    position: tuple[float, float],
    size: float,
    side: int,
    corners: tuple[int, ...],
) -> None:
    sizes = torch.tensor([float(size)] * 2)
    patch, found = CROPS.sample_patch(
        torch.rand(1, 3, 480, 640), torch.tensor(position), sizes, torch.tensor([side] * 2), mode, bound
    )
    assert patch.shape == (1, 3, side, side)
    assert found.tolist() == [list(corners)]


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(st.floats(-50, 90), st.floats(-50, 90)), st.integers(2, 80), st.sampled_from(["edge", "zero"])
)
def test_a_crop_is_the_pixels_between_its_corners(
    position: tuple[float, float], size: int, border: str
) -> None:
    rows, columns = torch.meshgrid(torch.arange(30.0), torch.arange(40.0), indexing="ij")
    image = torch.stack((rows, columns))[None] + 1
    patch, corners = CROPS.sample_patch(
        image, torch.tensor(position), torch.full((2,), float(size)), is_mask=border == "zero"
    )
    top, left, bottom, right = (int(value) for value in corners[0])
    assert (bottom - top, right - left) == (size, size) == tuple(patch.shape[-2:])
    y, x = torch.meshgrid(torch.arange(top, bottom), torch.arange(left, right), indexing="ij")
    expected = torch.stack((y.clamp(0, 29), x.clamp(0, 39)))[None] + 1.0
    if border == "zero":
        expected = expected * ((y >= 0) & (y < 30) & (x >= 0) & (x < 40))
    torch.testing.assert_close(patch, expected)


def run_of(folder: Path, written: list[str], **sequence: Any) -> Any:
    """A run that writes some files, as `run_dataset` with the plugin's look at what it left."""

    def run_dataset(dataset: Any, trackers: Any, debug: bool = False, threads: int = 0) -> str:
        for name in written:
            (folder / name).parent.mkdir(exist_ok=True, parents=True)
            (folder / name).write_text("1\n")
        return "done"

    of = SimpleNamespace(**{"name": "Car", "dataset": "otb", "object_ids": None, **sequence})
    tracker = SimpleNamespace(
        name="dimp", parameter_name="d", results_dir=folder, segmentation_dir=folder / "m"
    )
    checked = added("pytracking/ebmtrack/running.py").require_results(run_dataset)
    return lambda **options: checked([of], [tracker], **options)


@pytest.mark.parametrize(
    ("written", "sequence"),
    [
        (["Car.txt"], {}),
        (["Car_1.txt", "Car_2.txt"], {"object_ids": ["1", "2"]}),
        (["m/Car/0.png"], {}),
        ([], {"dataset": "oxuva"}),
    ],
)
def test_a_run_with_its_results_ends_well(tmp_path: Path, written: list[str], sequence: dict) -> None:
    assert run_of(tmp_path, written, **sequence)(threads=2) == "done"


@pytest.mark.parametrize(
    ("written", "sequence"),
    [(["Car_1.txt"], {}), (["Car_1.txt"], {"object_ids": ["1", "2"]}), ([], {})],
)
def test_a_run_without_its_results_ends_in_an_error(
    tmp_path: Path, written: list[str], sequence: dict
) -> None:
    run = run_of(tmp_path, written, **sequence)
    with pytest.raises(RuntimeError, match="1 of 1 results are missing.*Car with dimp d"):
        run()
    assert run(debug=1) == "done"  # nothing is written then, and errors came through


def test_files_that_the_clone_always_imports_are_readable_by_its_old_pythons() -> None:
    files = INSTALLER.parent / "files"
    names = ("places", "lists", "running", "crops", "loading", "training", "compat", "__init__")
    found = [file for file in files.rglob("ebmtrack/*.py") if file.stem in names]
    assert len(found) == 9
    for file in found:
        ast.parse(file.read_text(), feature_version=(3, 7))
