"""Strangers, links and loops in data sets: what is meant is read, once."""

import os
from pathlib import Path

import pytest

from ebm.exceptions import InputError
from ltr.dataset import Got10k, TrackingNet
from ltr.dataset.opening import detect_kind, open_path
from ltr.dataset.own_folders import FolderVideos
from ltr.dataset.subfolders import links_back, subfolders
from ltr.dataset.tools.layouts import check_dataset
from tests.ltr.layouts import write_got10k, write_lasot, write_trackingnet
from tests.pytracking.evaluation.tiny import otb_layout, write_otb


def add_strangers(root: Path) -> None:
    """What a Mac, a NAS and a slip of ``ln -s`` leave."""
    for folder in (".git", "__MACOSX", "@eaDir", ".trash/img"):
        (root / folder).mkdir(parents=True)
    for file in ("._x", "Thumbs.db", ".DS_Store"):
        (root / file).write_bytes(b"\0")
    for link, target in (("loop", "."), ("up", ".."), ("self", "self"), ("gone", "nowhere")):
        os.symlink(target, root / link)


def test_links_that_lead_elsewhere_count_and_those_that_lead_back_do_not(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for folder in (root / "a", root / "raw" / "c", tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
    add_strangers(root)
    for link, target in (("alias", "a"), ("far", tmp_path / "elsewhere"), ("deep", "raw/c")):
        os.symlink(target, root / link)
    assert subfolders(root) == ["a", "deep", "far", "raw"]
    assert links_back(root) == ["alias", "loop", "up"]
    with pytest.raises(InputError, match="cannot be listed"):
        subfolders(tmp_path / "nowhere")


def test_own_videos_among_strangers(tmp_path: Path) -> None:
    root = write_otb(tmp_path / "own", {"a": 3, "b": 3}, generated=False)
    add_strangers(root)
    os.symlink("a", root / "alias")
    videos = FolderVideos(root)
    assert videos.names == ["a", "b"]
    assert [s.names for s in videos.skipped] == [("alias", "loop", "up")]
    assert detect_kind(root) == "folder"  # through the loop it looked like LaSOT
    assert len(open_path(root)) == 2


def test_known_data_sets_among_strangers(tmp_path: Path) -> None:
    for name, write in (("got", write_got10k), ("net", write_trackingnet), ("lasot", write_lasot)):
        before = check_dataset(write(tmp_path / name)).findings
        add_strangers(tmp_path / name)
        after = check_dataset(tmp_path / name).findings
        assert [(f.sequence, f.kind) for f in after] == [(f.sequence, f.kind) for f in before]
    (tmp_path / "got/list.txt").unlink()
    assert len(Got10k(tmp_path / "got").names) == 3
    (tmp_path / "net/TRAIN_0/anno/._a.txt").write_bytes(b"\0")
    assert not any("._" in name for name in TrackingNet(tmp_path / "net").names)


def test_hidden_files_are_no_frames(tmp_path: Path) -> None:
    root = write_got10k(tmp_path / "got", 1)
    (root / "GOT-10k_Train_000001/._00000001.jpg").write_bytes(b"\0")
    assert check_dataset(root).faults == []
    assert len(Got10k(root).annotation(0)) == 24


def test_two_folders_that_differ_in_capitals_are_not_chosen_between(tmp_path: Path) -> None:
    root = write_otb(tmp_path / "otb", {"deer": 3}, generated=False)
    (root / "DEER").mkdir()
    with pytest.raises(InputError, match="holds DEER and deer; which is Deer"):
        otb_layout(root).read("Deer")
