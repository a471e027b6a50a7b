"""``ebmtrack benchmark`` times every stage of a frame, and leaves the tracker's classes as they were."""

import json
from pathlib import Path

import pytest

from pytracking.cli import main
from tests.pytracking.evaluation.tiny import write_otb


@pytest.mark.parametrize(("tracker", "parameter"), [("first_box", "default"), ("atom", "nce_plus_lite")])
def test_stages_add_up_to_a_frame(
    tracker: str, parameter: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pytracking.tracker.common.cropper import Cropper

    before = Cropper.around
    root = write_otb(tmp_path / "otb", {"a": 7, "b": 3})
    arguments = ["benchmark", tracker, parameter, "--dataset", "generated", "--root", str(root)]
    arguments += ["--frames", "8", "--warm-up", "2", "--threads", "1", "--json", str(tmp_path / "s.json")]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    found = json.loads((tmp_path / "s.json").read_text())
    assert found["stages"]["frames"] == 4  # of a, behind the warm-up; b has none
    assert len(found["stages"]["initialisations_s"]) == 2
    assert {"device", "threads", "precision", "decoder", "versions", "shared"} <= set(found)
    stages = found["stages"]
    parts = ("crop", "backbone", "classify", "refine", "update")
    assert all((stages[part]["p50_ms"] > 0) == (tracker == "atom") for part in parts)
    assert stages["decode"]["p50_ms"] > 0
    assert all(stages[part]["p95_ms"] >= stages[part]["p50_ms"] for part in parts)
    assert "4 frames" in out
    assert Cropper.around is before


def test_sequences_no_longer_than_the_warm_up_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_otb(tmp_path / "otb", {"a": 3})
    arguments = ["benchmark", "first_box", "default", "--dataset", "generated", "--root", str(root)]
    assert main(arguments) == 2
    assert "longer than the warm-up" in capsys.readouterr().err
