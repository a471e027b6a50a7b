"""A precision on the command line: where results lie, and what is said of it."""

from pathlib import Path

import pytest

from ebm.exceptions import UnknownNameError
from pytracking.demo import untrained
from pytracking.evaluation.results import ResultFolder
from pytracking.evaluation.spec import make_spec
from pytracking.evaluation.tracker_words import TrackerParser
from pytracking.inference import precision
from pytracking.run_tracker import main
from pytracking.vot.command_options import add_tracker, tracker_options
from pytracking.vot.loading import load_follower
from tests.pytracking.evaluation.tiny import write_otb


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("weights"))


def test_results_of_another_precision_lie_elsewhere(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = {
        p: make_spec("dimp", "nce_plus_small", checkpoint=checkpoint, device="cpu", precision=p)
        for p in ("fp32", "bf16")
    }
    assert specs["fp32"].hash != specs["bf16"].hash
    assert specs["fp32"].hash == make_spec("dimp", "nce_plus_small", checkpoint=checkpoint).hash
    assert specs["bf16"].manifest("cpu")["precision"] == "bf16"
    for fast, taken in ((0.01, "bf16"), (0.10, "fp32")):
        monkeypatch.setattr(
            precision, "seconds", lambda net, *_, f=fast: f if net.precision == "bf16" else 0.1
        )
        measured = make_spec("dimp", "nce_plus_small", checkpoint=checkpoint, device="cpu", precision="auto")
        assert measured.precision == taken
        assert measured.hash == specs[taken].hash
        assert taken in measured.notes[0]


def test_the_command_tracks_in_bf16_and_says_so(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_otb(tmp_path / "otb", {"a": 3})
    options = (
        f"--dataset generated --root {root} --device cpu --precision bf16 --results {tmp_path / 'results'}"
    )
    assert main(["dimp", "nce_plus_small", "--checkpoint", str(checkpoint), *options.split()]) == 0
    assert "Precision: bf16, as told." in capsys.readouterr().out
    (folder,) = (tmp_path / "results" / "dimp").iterdir()
    assert ResultFolder(folder).boxes("a").shape == (3, 4)


def test_the_vot_toolkit_is_told(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = TrackerParser()
    add_tracker(parser)
    words = ["dimp", "nce_plus_small", "--checkpoint", str(checkpoint), "--precision", "bf16"]
    options = tracker_options(parser.parse_args(words), "box")
    assert options["precision"] == "bf16"
    load_follower(
        "dimp", "nce_plus_small", checkpoint=checkpoint, device="cpu", precision=options["precision"]
    )
    assert "Precision: bf16, as told." in capsys.readouterr().err
    with pytest.raises(UnknownNameError, match="bf16"):
        load_follower("dimp", "nce_plus_small", checkpoint=checkpoint, precision="bf61")
