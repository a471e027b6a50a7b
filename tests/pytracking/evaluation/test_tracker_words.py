"""Commands without tracker and parameter set: every form in any order, and what is told if unclear."""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import pytracking
from ebm.exceptions import InputError
from ltr.admin.checkpoint_io import network_fields, write_checkpoint
from ltr.models.bbreg.atom import atomnet_lite
from ltr.train_settings.recipe import find_recipe
from pytracking import run_density, run_video, run_webcam
from pytracking.vot import command as vot
from pytracking.weights.shipped import FOLDER

BOX = ["--box", "1,2,3,4"]
DIMP = ("dimp", "nce_plus")


def parsed(build: Callable[[], argparse.ArgumentParser], words: list[str]) -> argparse.Namespace:
    return build().parse_args(words)


@pytest.mark.parametrize(
    ("words", "pair", "video"),
    [
        (["c.mp4", *BOX], (None, None), "c.mp4"),
        ([*BOX, "c.mp4"], (None, None), "c.mp4"),
        ([*BOX, "--", "-c.mp4"], (None, None), "-c.mp4"),
        (["--box", "-5,10,2,2", "-"], (None, None), "-"),
        ([*DIMP, "c.mp4", *BOX], DIMP, "c.mp4"),
        (["dimp", *BOX, "nce_plus", "c.mp4"], DIMP, "c.mp4"),
        ([*DIMP, *BOX, "c.mp4"], DIMP, "c.mp4"),
        ([*BOX, *DIMP, "--", "-c.mp4"], DIMP, "-c.mp4"),
        ([*DIMP, "dimp", *BOX], DIMP, "dimp"),
    ],
)
def test_the_forms_of_a_command_for_videos(words: list[str], pair: tuple[str, str], video: str) -> None:
    for build, dest in ((run_video.build_parser, "video"), (run_density.build_parser, "source")):
        args = parsed(build, words)
        assert (args.tracker, args.parameter, getattr(args, dest)) == (*pair, video)


@pytest.mark.parametrize(
    ("words", "pair", "source"),
    [
        (BOX, (None, None), "0"),
        (["-", *BOX], (None, None), "-"),
        (["rtsp://host/s", *BOX], (None, None), "rtsp://host/s"),
        ([*DIMP, *BOX], DIMP, "0"),
        ([*DIMP, *BOX, "-"], DIMP, "-"),
        ([*DIMP, "1", *BOX], DIMP, "1"),
    ],
)
def test_the_forms_of_webcam(words: list[str], pair: tuple[str, str], source: str) -> None:
    args = parsed(run_webcam.build_parser, words)
    assert (args.tracker, args.parameter, args.source) == (*pair, source)


def test_the_forms_of_vot() -> None:
    args = parsed(vot.build_parser, ["check"])
    assert (args.tracker, args.parameter) == (None, None)
    args = parsed(vot.build_parser, ["check", "--frames", "3", *DIMP])
    assert (args.tracker, args.parameter, args.frames) == (*DIMP, 3)
    args = parsed(vot.build_parser, ["integrate", "ws", "--stack", "s", *DIMP])
    assert (args.folder, args.tracker, args.parameter) == (Path("ws"), *DIMP)
    assert parsed(vot.build_parser, ["integrate", "ws"]).tracker is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (BOX, "required: VIDEO"),
        (["dimp", *BOX], "dimp is a tracker and needs a parameter set, one of dimp18"),
        ([*DIMP, *BOX], "dimp nce_plus: the following arguments are required: VIDEO"),
        (
            ["dimp", "c.mp4", *BOX],
            "ebmtrack video dimp PARAMETERS VIDEO. Without both, atom nce_plus_lite runs",
        ),
        (["my", "clip.mp4", *BOX], "my clip.mp4: give TRACKER PARAMETERS VIDEO, or without a tracker VIDEO"),
        (["a", "b", "c", "d.mp4", *BOX], "4 words, at most 3 belong here"),
        (["c.mp4", *BOX, "--bxo", "1,2,3,4"], "unrecognized arguments: --bxo"),
        (["c.mp4"], "--box --box-file --select is required"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        parsed(run_video.build_parser, words)
    assert stop.value.code == 2
    assert told in capsys.readouterr().err


def test_a_folder_called_as_a_tracker_is_named_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dimp").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        parsed(run_video.build_parser, ["dimp", *BOX])
    assert "The file or folder here is ./dimp" in capsys.readouterr().err
    assert parsed(run_video.build_parser, ["./dimp", *BOX]).video == "./dimp"


@pytest.fixture
def walk(tmp_path: Path) -> list[str]:
    """Words that track a drawn square through three pictures."""
    folder = tmp_path / "walk"
    folder.mkdir()
    for number in range(3):
        image = np.full((90, 120, 3), 90, np.uint8)
        image[30:60, 40 + 2 * number : 70 + 2 * number] = np.random.default_rng(0).integers(
            0, 255, (30, 30, 3), np.uint8
        )
        cv2.imwrite(str(folder / f"{number}.png"), image)
    return [str(folder), "--box", "40,30,30,30", "--device", "cpu", "--out", str(tmp_path / "o.mp4")]


def test_without_names_the_installed_weights_track(
    walk: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EBMTRACK_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("EBMTRACK_NETWORKS", str(tmp_path))
    assert run_video.main(walk) == 0
    out = capsys.readouterr().out
    assert "Tracker: atom nce_plus_lite, as none was named.\n" in out
    assert "(installed with the package)" in out
    assert "3 frames tracked" in out
    tracker = pytracking.load(device="cpu")
    assert "installed with the package" in tracker.notes[0]
    with pytest.raises(InputError, match="dimp_nce_plus"):  # as ever
        pytracking.load("dimp")


def test_a_checkpoint_says_which_tracker_it_is_for(
    walk: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    narrow = {"iou_input_dim": (4, 4), "iou_inter_dim": (4, 4), "iou_hidden_dim": (4, 4)}
    fields = network_fields(atomnet_lite(backbone_pretrained=False, **narrow))
    file = tmp_path / "own.pth.tar"
    write_checkpoint(file, {**fields, "settings": find_recipe("bbreg", "atom_kld_is_lite").plain()})
    assert run_video.main([*walk, "--checkpoint", str(file)]) == 0
    assert "Tracker: atom kld_is_lite, which the checkpoint says." in capsys.readouterr().out
    write_checkpoint(file, fields)
    assert run_video.main([*walk, "--checkpoint", str(file)]) == 2
    err = capsys.readouterr().err
    assert "does not say by which train setting it was made; name tracker and parameter set" in err
    file.write_bytes(file.read_bytes()[:-9])
    assert run_video.main([*walk, "--checkpoint", str(file)]) == 2
    assert "name tracker" not in capsys.readouterr().err


def test_installed_weights_that_are_named_say_it_by_their_card(
    walk: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = FOLDER / "atom_nce_plus_lite.safetensors"
    assert run_video.main([*walk, "--checkpoint", str(file)]) == 0
    assert "Tracker: atom nce_plus_lite, which the checkpoint says." in capsys.readouterr().out
