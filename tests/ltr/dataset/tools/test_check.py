"""The checker names every planted fault, and nothing else."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ltr.data.decoders import choose_decoder
from ltr.dataset import LaSOT, PackedVideos
from ltr.dataset.base import generated_sequences
from ltr.dataset.generated import ensure_generated
from ltr.dataset.generated.plans import adapted_plan
from ltr.dataset.packing import pack_dataset
from ltr.dataset.tools.command import main
from ltr.dataset.tools.faults import Report
from ltr.dataset.tools.layouts import check_dataset
from tests.ltr.layouts import (
    moving_boxes,
    write_coco,
    write_got10k,
    write_image,
    write_lasot,
    write_rows,
    write_trackingnet,
)


def edit(file: Path, line: int, text: str) -> None:
    lines = file.read_text().splitlines()
    lines[line] = text
    file.write_text("\n".join(lines) + "\n")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def spoil(file: Path) -> None:
    """Damage in the middle, the end marker left as it is."""
    data = file.read_bytes()
    file.write_bytes(data[: len(data) * 2 // 3] + data[-2:])


def shorten(file: Path) -> None:
    file.write_text("\n".join(file.read_text().splitlines()[:-3]) + "\n")


# What is planted into the folder of one LaSOT sequence, and the kind under which it must be named.
PLANTED: list[tuple[str, Callable[[Path], object]]] = [
    ("missing sequence", shutil.rmtree),
    ("missing frame folder", lambda d: shutil.rmtree(d / "img")),
    ("missing frame", lambda d: (d / "img/00000005.jpg").unlink()),
    ("annotation too short", lambda d: shorten(d / "groundtruth.txt")),
    ("NaN box", lambda d: edit(d / "groundtruth.txt", 3, "nan,nan,nan,nan")),
    ("no usable box", lambda d: write_rows(d / "groundtruth.txt", np.zeros((len(os.listdir(d / "img")), 4)))),
    ("truncated image", lambda d: cut(max((d / "img").iterdir()))),
    ("empty image", lambda d: (d / "img/00000007.jpg").write_bytes(b"")),
    ("unreadable flags", lambda d: (d / "out_of_view.txt").write_text("0,1,maybe")),
    ("unreadable annotation", lambda d: edit(d / "groundtruth.txt", 2, "1,2,3")),
    ("missing annotation", lambda d: (d / "groundtruth.txt").unlink()),
    ("flags of other length", lambda d: (d / "full_occlusion.txt").write_text("0,0,0")),
    ("box outside image", lambda d: edit(d / "groundtruth.txt", 4, "9000,10,20,20")),
    ("misplaced sequence", lambda d: d.rename(d.parent.parent / "elsewhere" / d.name)),
]
DEEP: list[tuple[str, Callable[[Path], object]]] = [
    ("truncated image", lambda d: cut(sorted((d / "img").iterdir())[10])),
    ("corrupt image", lambda d: spoil(sorted((d / "img").iterdir())[9])),
]


def plant(root: Path, faults: list[tuple[str, Callable[[Path], object]]]) -> dict[str, str]:
    """Plant each fault into a sequence of its own; sequence -> kind."""
    (root / "elsewhere").mkdir()
    names = generated_sequences(root) or []
    planted = {}
    for name, (kind, damage) in zip(names, faults, strict=False):
        damage(root / name.rpartition("-")[0] / name)
        planted[name] = kind
    assert len(planted) == len(faults)
    return planted


def write_generated_lasot(root: Path, count: int) -> Path:
    names = tuple(f"cat-{k + 1}" for k in range(count))
    write_lasot(root, names)
    (root / "generated.json").write_text(json.dumps({"layout": "lasot", "sequences": list(names)}))
    return root


def named(report: Report) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for fault in report.faults:
        found.setdefault(fault.sequence, set()).add(fault.kind)
    return found


@pytest.mark.slow
def test_ten_faults_of_ten_kinds_in_generated_lasot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = adapted_plan("train", "tiny", videos=4, images=1, size=(96, 72))
    plan = replace(plan, videos={**plan.videos, "lasot": 12})
    root = ensure_generated(tmp_path, "train", "tiny", 1, False, plan=plan)["lasot"]
    assert main(["check", "lasot", "--root", str(root)]) == 0
    planted = plant(root, PLANTED[:10])
    assert len(set(planted.values())) == 10
    capsys.readouterr()
    assert main(["check", "lasot", "--root", str(root)]) == 1
    text = capsys.readouterr().out
    for name, kind in planted.items():
        assert any(line.startswith(f"{name} ") and kind in line for line in text.splitlines()), (name, kind)
    assert "10 faults in 10 sequences" in text
    command = ["pack", "lasot", "--root", str(root), "--out", str(tmp_path / "p"), "--no-progress"]
    assert main(command) == 2
    errors = capsys.readouterr().err
    assert all(name in errors and kind in errors for name, kind in planted.items())
    assert "nothing was packed" in errors
    assert main([*command, "--skip-broken"]) == 0
    copied = {"NaN box", "no usable box"}  # training leaves such frames out, and such a sequence
    left_out = {name for name, kind in planted.items() if kind not in copied}
    packed = PackedVideos(tmp_path / "p").names
    assert set(packed) == set(generated_sequences(root) or []) - left_out
    text = capsys.readouterr().out
    assert f"{len(packed)} sequences" in text
    assert f"left out: {', '.join(sorted(left_out))}\n" in text


def test_every_kind_is_named_and_nothing_else(tmp_path: Path) -> None:
    root = write_generated_lasot(tmp_path / "l", len(PLANTED) + 2)
    assert check_dataset(root).faults == []
    planted = plant(root, PLANTED)
    report = check_dataset(root)
    expected = {name: {kind} for name, kind in planted.items()}
    misplaced = next(name for name, kind in planted.items() if kind == "misplaced sequence")
    expected[misplaced].add("missing sequence")
    assert named(report) == expected
    assert named(check_dataset(root)) == expected  # also from the index
    details = {fault.kind: fault.detail for fault in report.faults}
    assert details["missing frame"] == "00000005.jpg"
    assert details["NaN box"] == "line 4"
    assert details["annotation too short"].startswith("no box for 00000022.jpg")
    assert details["box outside image"] == "96 x 64 px, line 5"


def test_deep_decodes_every_image(tmp_path: Path) -> None:
    if choose_decoder().name != "simplejpeg":
        pytest.skip("only simplejpeg tells of damage inside an image")
    root = write_generated_lasot(tmp_path / "l", 3)
    planted = plant(root, DEEP)
    assert named(check_dataset(root)) == {}
    assert named(check_dataset(root, deep=True)) == {name: {kind} for name, kind in planted.items()}


def test_what_training_copes_with_is_a_note(tmp_path: Path) -> None:
    root = write_generated_lasot(tmp_path / "l", 4)
    write_image(root / "cat/cat-1/img/00000024.jpg", size=(48, 32))
    rows = moving_boxes(24)
    rows[5:8] = 0
    write_rows(root / "cat/cat-2/groundtruth.txt", rows)
    (root / "cat/cat-3/full_occlusion.txt").write_text(",".join("1" * 24))
    report = check_dataset(root)
    assert named(report) == {"cat-3": {"never visible"}}
    assert {(n.sequence, n.kind, n.detail) for n in report.notes} == {
        ("cat-1", "resolution change", "96 x 64, 48 x 32 px"),
        ("cat-2", "boxes without area", "3 of 24 frames"),
    }
    assert "resolution change: cat-1" in report.to_text()


def test_official_lasot_with_a_few_sequences(tmp_path: Path) -> None:
    write_lasot(tmp_path / "l", ("airplane-2", "zebra-99"), frames=20)
    (tmp_path / "l/airplane/airplane-3.zip").touch()
    report = check_dataset(tmp_path / "l", "lasot", "train")
    kinds = [fault.kind for fault in report.faults]
    assert kinds.count("missing sequence") == 1119
    assert named(report)["zebra-99"] == {"unknown sequence"}
    assert "airplane-2" not in named(report)
    assert [note.kind for note in report.notes] == ["not unpacked"]


def test_got10k(tmp_path: Path) -> None:
    root = write_got10k(tmp_path / "g", 4)
    names = (root / "list.txt").read_text().split()
    assert check_dataset(root).faults == []
    (root / names[1] / "cover.label").write_text("9\n" * 24)
    (root / names[2] / "absence.label").write_text("1\n" * 24)
    (root / "list.txt").write_text("\n".join([*names[:3], names[0], "GOT-10k_Train_009999"]))
    report = check_dataset(root)
    assert report.dataset == "got10k"
    assert named(report) == {
        names[0]: {"duplicate name"},
        names[1]: {"unreadable flags"},
        names[2]: {"never visible"},
        names[3]: {"unknown sequence"},
        "GOT-10k_Train_009999": {"missing sequence"},
    }


def test_trackingnet(tmp_path: Path) -> None:
    root = write_trackingnet(tmp_path / "t", (0, 1))
    (root / "classmap.txt").write_text("aa0_1\tboat\nbb0_0\tdog\naa1_1\tcat\n")
    (root / "TRAIN_0/anno/bb0_0.txt").unlink()
    (root / "TRAIN_1/frames/aa1_1/23.jpg").unlink()
    report = check_dataset(root)
    assert named(report) == {
        "TRAIN_0/bb0_0": {"missing annotation"},
        "TRAIN_1/aa1_1": {"annotation too long"},
    }
    text = report.to_text()
    assert "no class map entry: TRAIN_1/bb1_0" in text
    assert "missing sets: TRAIN_2, TRAIN_3" in text


def test_coco(tmp_path: Path) -> None:
    root = write_coco(tmp_path)
    (root / "images/train2017/000000000001.jpg").unlink()
    cut(root / "images/train2017/000000000002.jpg")
    report = check_dataset(root, "coco")
    assert named(report) == {
        "000000000001.jpg": {"missing image"},
        "000000000002.jpg, object 120": {"truncated image"},
    }
    assert [(note.sequence, note.kind) for note in report.notes] == [("object 2", "box without area")]


def test_own_videos(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for t in range(24):
            write_image(tmp_path / f"v/{name}/img/{t}.jpg", t)
        write_rows(tmp_path / f"v/{name}/groundtruth.txt", moving_boxes(24))
    assert check_dataset(tmp_path / "v").faults == []
    shorten(tmp_path / "v/b/groundtruth.txt")
    write_image(tmp_path / "v/c/1.jpg")
    found = {"b": {"annotation too short"}, "c": {"missing annotation"}}
    assert named(check_dataset(tmp_path / "v")) == found
    (tmp_path / "v/annotations.csv").write_text(
        "sequence,frame,x,y,w,h\n" + "".join(f"a,{t},1,1,9,9\n" for t in range(24))
    )
    assert check_dataset(tmp_path / "v/annotations.csv").faults == []
    (tmp_path / "v/a/img/5.jpg").write_bytes(b"")
    assert named(check_dataset(tmp_path / "v/annotations.csv")) == {"a": {"empty image"}}


def test_packed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack_dataset(LaSOT(write_lasot(tmp_path / "l"), ["cat-1", "dog-7"]), tmp_path / "p", progress=False)
    assert check_dataset(tmp_path / "p", deep=True).faults == []
    with (tmp_path / "p/shard-00000.bin").open("r+b") as file:
        file.seek(-300, os.SEEK_END)
        file.write(b"???")
    assert check_dataset(tmp_path / "p").faults == []
    assert named(check_dataset(tmp_path / "p", deep=True)) == {"dog-7": {"corrupt image"}}
    os.truncate(tmp_path / "p/shard-00000.bin", 9)
    assert main(["check", str(tmp_path / "p")]) == 2
    assert "shard-00000.bin has 9 bytes instead of" in capsys.readouterr().err
