"""The commands that compare, import and check results."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pytracking.analysis.comparison import paired_bootstrap
from pytracking.cli import main
from tests.pytracking.evaluation.tiny import boxes_of, write_otb

LENGTHS = {"Walking": 6, "Deer": 4, "Couple": 5}


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """A data set without images, and results `near` and `far`."""
    root = write_otb(tmp_path / "otb", LENGTHS)
    for name in LENGTHS:
        shutil.rmtree(root / name / "img")
    for name, shift in (("near", 1), ("far", 3)):
        for sequence, frames in LENGTHS.items():
            file = tmp_path / name / f"{sequence}.txt"
            file.parent.mkdir(exist_ok=True)
            np.savetxt(file, boxes_of(frames) + (0 if sequence == "Deer" else shift, 0, 0, 0), delimiter=",")
    return ["--dataset", "generated", "--root", str(root)]


def test_differences_by_sequence(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", "diff", str(tmp_path / "near"), str(tmp_path / "far"), *options]
    assert main([*words, "--format", "csv"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header == "Sequence,near,far,difference,IoU of the two"
    assert {row.split(",")[0] for row in rows} == set(LENGTHS)
    assert rows[-1].startswith("Deer")
    assert rows[-1].endswith("+0.00,identical")
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "near is ahead on 2 sequences, far on 0; the boxes of 1 are identical" in printed
    assert "95 % interval +" in printed
    assert main(["evaluate", "diff", words[2], words[2], *options, "--score", "precision"]) == 0
    assert "difference +0.00" in capsys.readouterr().out
    assert main([*words, "--score", "aucc"]) == 2


def test_the_bootstrap_tells_a_steady_difference_from_a_lucky_one() -> None:
    random = np.random.default_rng(1)
    steady = paired_bootstrap(random.normal(2.0, 3.0, 100), random)
    assert steady.decided
    assert steady.low < steady.mean < steady.high
    assert steady.above > 0.99
    lucky = paired_bootstrap(np.array([30.0, -1, -1, -1, -1]), random)
    assert not lucky.decided
    # The interval of a mean of 400 normal differences: 1.96 standard errors to each side.
    normal = paired_bootstrap(random.normal(0.0, 1.0, 400), random)
    assert normal.high - normal.low == pytest.approx(2 * 1.96 / 20, rel=0.12)


def test_an_import_is_found_by_its_name(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results"
    words = ["evaluate", "import", f"SiamX={tmp_path / 'near'}", *options, "--out", str(out)]
    (tmp_path / "near/Deer.txt").write_text("90,90,5,5\n91,90,5,5\n")
    assert main(words) == 0
    printed = capsys.readouterr()
    assert "SiamX/imported: 3 sequences" in printed.out
    assert "Deer: 2 rows for 4 frames" in printed.err
    assert "Deer: the first row is far from the initial box" in printed.err
    assert json.loads((out / "SiamX/imported/import.json").read_text())["dataset"] == "generated"
    made, given = out / "SiamX/imported/Walking.txt", tmp_path / "near/Walking.txt"
    np.testing.assert_array_equal(np.loadtxt(made), np.loadtxt(given, delimiter=","))
    report = ["--results-root", str(out), "--out", str(tmp_path / "report"), "--format", "csv"]
    assert main(["evaluate", "SiamX/imported", *options, *report]) == 0
    assert "\nSiamX/imported," in capsys.readouterr().out
    assert main(words) == 2
    assert "is there already" in capsys.readouterr().err


def test_an_import_of_another_data_sets_results(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/airplane-1.txt").write_text("1,2,3,4\n")
    out = tmp_path / "results"
    assert main(["evaluate", "import", str(tmp_path / "other"), *options, "--out", str(out)]) == 2
    assert "is it of this data set?" in capsys.readouterr().err
    assert not out.exists()


def test_results_in_the_layout_of_pytracking_and_back(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tracking_results"
    words = [*options, "--layout", "pytracking", "--out", str(out)]
    for run in range(2):
        shutil.copytree(tmp_path / "near", tmp_path / f"tree/dimp50_{run:03d}")
    assert main(["evaluate", "import", f"dimp/dimp50={tmp_path / 'tree'}", *words]) == 0
    folders = [out / "dimp/dimp50_000", out / "dimp/dimp50_001"]
    assert sorted((out / "dimp").iterdir()) == folders
    np.testing.assert_array_equal(np.loadtxt(folders[1] / "Deer.txt", delimiter="\t"), boxes_of(4))
    capsys.readouterr()
    report = ["--results-root", str(out), "--out", str(tmp_path / "report"), "--format", "csv"]
    assert main(["evaluate", "dimp/dimp50", *options, *report]) == 0
    # IoU 11 / 13 passes 17 of 21 thresholds, a first frame and Deer 20: (20 + 105 / 6 + 88 / 5) / 63.
    assert "\ndimp/dimp50,87.46 ± 0.00," in capsys.readouterr().out
    assert main(["evaluate", "import", str(tmp_path / "near"), *words]) == 2
    assert "TRACKER/PARAM=near" in capsys.readouterr().err
