"""The command ``ebmtrack dataset``: what it prints, what it packs, how it ends."""

import json
from pathlib import Path

import pytest

from ltr.dataset import Got10k, PackedVideos
from ltr.dataset.tools.command import main
from tests.ltr.layouts import write_coco, write_got10k


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_got10k(tmp_path / "g", 2)
    assert main(["check", f"folder:{root}", "--json", str(tmp_path / "out.json")]) == 0
    assert "2 sequences, 48 frames" in capsys.readouterr().out
    (root / "GOT-10k_Train_000002/groundtruth.txt").unlink()
    assert main(["check", "got10k", "--root", str(root), "--json", "-"]) == 1
    content = json.loads(capsys.readouterr().out)
    assert content["faults"] == 1
    assert content["findings"][0]["sequence"] == "GOT-10k_Train_000002"
    assert json.loads((tmp_path / "out.json").read_text())["faults"] == 0
    assert main(["check", str(tmp_path / "nowhere")]) == 2
    assert main(["check", "lasto"]) == 2
    assert "did you mean 'lasot'" in capsys.readouterr().err
    assert main(["check", str(root), "--root", str(root)]) == 2


def test_the_command_packs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out = write_got10k(tmp_path / "g", 2), tmp_path / "p"
    command = ["pack", "got10k", "--root", str(root), "--out", str(out), "--no-progress"]
    assert main(command) == 0
    text = capsys.readouterr().out
    assert "2 sequences, 48 pictures" in text
    assert f'use it: got10k = "{out}"' in text
    assert main(["check", str(out), "--deep"]) == 0
    (root / "GOT-10k_Train_000001/00000001.jpg").unlink()
    command = ["pack", str(root), "--out", str(tmp_path / "q"), "--no-progress"]
    assert main(command) == 2
    assert "cannot be read: GOT-10k_Train_000001. Repair them" in capsys.readouterr().err
    assert main([*command, "--skip-broken"]) == 0
    assert "left out: GOT-10k_Train_000001" in capsys.readouterr().out
    assert PackedVideos(tmp_path / "q").names == ["GOT-10k_Train_000002"]


def test_splits_are_packed_by_themselves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_got10k(tmp_path / "g", 20, frames=2)
    held = Got10k(root, "val").names
    (root / Got10k(root, "train").names[0] / "00000001.jpg").unlink()  # no business of the split val
    command = ["pack", "got10k", "--root", str(root), "--split", "val", "--no-progress", "--out"]
    assert main([*command, str(tmp_path / "p")]) == 0
    assert PackedVideos(tmp_path / "p").names == held
    command[3] = str(tmp_path / "p")
    assert main([*command, str(tmp_path / "q")]) == 2
    assert "what was packed is its only split" in capsys.readouterr().err


def test_an_image_without_end_takes_all_its_objects_along(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "c")
    image = root / "images/train2017/000000000002.jpg"
    image.write_bytes(image.read_bytes()[:-100])
    command = ["pack", "coco", "--root", str(root), "--no-progress", "--out", str(tmp_path / "p")]
    assert main(command) == 2
    assert main([*command, "--skip-broken"]) == 0
    packed = PackedVideos(tmp_path / "p")
    assert len(packed) == 6
    assert packed.num_pictures == 2
