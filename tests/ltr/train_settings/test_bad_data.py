"""Data with faults, given to the command: each is an error that says what is wrong, or a named skip."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ltr.dataset import LaSOT
from ltr.dataset.packing import pack_dataset
from ltr.run_training import main
from tests.ltr.layouts import (
    moving_boxes,
    write_coco,
    write_image,
    write_lasot,
    write_rows,
    write_trackingnet,
)
from tests.ltr.train_settings.runs import SMALL

NAMES = ("cat-1", "cat-2", "dog-7")


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(
    nothing_configured: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EBMTRACK_CACHE", str(tmp_path / "cache"))


def lasot(root: Path, frames: int = 24) -> Path:
    write_lasot(root, NAMES, frames)
    (root / "generated.json").write_text(json.dumps({"layout": "lasot", "sequences": list(NAMES)}))
    return root


def short(root: Path) -> None:
    lasot(root, frames=12)


def hidden(root: Path) -> None:
    for file in lasot(root).glob("*/*/full_occlusion.txt"):
        file.write_text(",".join("1" * 24))


def broken(root: Path) -> None:
    (lasot(root) / "cat/cat-2/groundtruth.txt").write_text("1,2,3\n")


def missing(root: Path) -> None:
    shutil.rmtree(lasot(root) / "cat/cat-2")


def empty_images(root: Path) -> None:
    for file in lasot(root).glob("*/*/img/*.jpg"):
        file.write_bytes(b"")


def outside(root: Path) -> None:
    for file in lasot(root).glob("*/*/groundtruth.txt"):
        write_rows(file, np.tile([5000.0, 5000.0, 9.0, 9.0], (24, 1)))


def class_map(root: Path) -> None:
    (write_trackingnet(root, (0,)) / "classmap.txt").write_text("aa0_1 boat\n")


def flat_boxes(root: Path) -> None:
    file = write_coco(root) / "annotations/instances_train2017.json"
    content = json.loads(file.read_text())
    for entry in content["annotations"]:
        entry["bbox"][2] = 0
    file.write_text(json.dumps(content))


def shard(root: Path) -> None:
    pack_dataset(LaSOT(write_lasot(root.parent / "loose", NAMES), NAMES), root, progress=False)
    file = root / "shard-00000.bin"
    file.write_bytes(file.read_bytes()[:5000])


ERRORS: list[tuple[Callable[[Path], None], str]] = [
    (short, r"no sequence can be used. 3 of 3 sequences skipped (fewer than 20 frames): cat-1, cat-2"),
    (hidden, r"3 of 3 sequences skipped (the target visible in fewer than"),
    (broken, r"cat-2/groundtruth.txt, line 1: a box is four numbers"),
    (missing, r"lacks 1 of 3 sequences: cat-2"),
    (empty_images, r"the image is corrupt: the file is empty."),
    (outside, r"50 sequences in a row gave no sample; the last: "),
    (class_map, r"classmap.txt, line 1: expected video<TAB>class, found 'aa0_1 boat'"),
    (flat_boxes, r"has no object to track: 11 objects, all crowds or without area"),
    (shard, r"shard-00000.bin has 5000 bytes instead of"),
]


def command(root: Path, *more: str) -> list[str]:
    size = ["--samples=8", "--workers=0", "--epochs=1", "--set", "geometry.crop_size=64"]
    places = ["--datasets", f"folder:{root}", "--workspace", str(root.parent / "runs")]
    return [*SMALL, *size, *places, *more]


@pytest.mark.parametrize(("plant", "said"), ERRORS, ids=[plant.__name__ for plant, _ in ERRORS])
def test_an_error_says_what_is_wrong_where(
    plant: Callable[[Path], None], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(tmp_path / "data")
    assert main(command(tmp_path / "data")) == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert "Traceback" not in errors


def test_what_may_be_skipped_is_named_and_counted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    root = write_lasot(tmp_path / "data", (*NAMES, "dog-8", "dog-9"))
    names = [*NAMES, "dog-8", "dog-9", "dog-10"]
    (root / "generated.json").write_text(json.dumps({"layout": "lasot", "sequences": names}))
    (root / "cat/cat-2/groundtruth.txt").write_text("1,2,3\n")
    for file in (root / "dog/dog-7/img").iterdir():
        file.write_bytes(b"")
    write_rows(root / "dog/dog-8/groundtruth.txt", np.tile([5000.0, 5000.0, 9.0, 9.0], (24, 1)))
    for t in range(12):  # a resolution that changes is nothing to skip
        write_image(root / f"dog/dog-9/img/{t + 1:08d}.jpg", t, size=(192, 128))
    rows = moving_boxes(24)
    rows[:4] = np.nan
    write_rows(root / "cat/cat-1/groundtruth.txt", rows)
    assert main(command(root, "--skip-broken", "--unreadable=40", "--samples=16")) == 2
    assert "lacks 1 of 6 sequences: dog-10" in capfd.readouterr().err
    (root / "generated.json").write_text(json.dumps({"layout": "lasot", "sequences": names[:-1]}))
    assert main(command(root, "--skip-broken", "--unreadable=40", "--samples=16")) == 0
    output = capfd.readouterr().out
    counted = next(line for line in output.splitlines() if "gave no sample" in line)
    assert "lasot dog-7 (" in counted
    assert "lasot dog-8 (" in counted
    assert "dog-9" not in counted
    assert main(command(root, "--skip-broken", "--unreadable=1", "--samples=16", "--resume=none")) == 2
    assert "--unreadable allows 1" in capfd.readouterr().err
