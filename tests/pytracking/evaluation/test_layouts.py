"""Every benchmark is read in the layout it is distributed in, with images and with annotations alone."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import InputError
from pytracking.cli import main
from pytracking.evaluation.annotation_formats import bounding_boxes, read_polygons
from pytracking.evaluation.datasets import ALIASES, BENCHMARKS, open_dataset
from pytracking.evaluation.places import official_table
from tests.pytracking.evaluation.layouts import (
    link_images,
    write_boxes,
    write_got10k_split,
    write_nfs,
    write_table_rows,
    write_trackingnet,
)
from tests.pytracking.evaluation.tiny import boxes_of, write_lasot


def test_the_tables_have_as_many_rows_as_their_benchmarks_sequences() -> None:
    tables = {name: b.size for name, b in BENCHMARKS.items() if "kind" in b.options and b.size}
    assert {name: len(official_table(name)) for name in tables} == tables
    assert sum(row["end"] for row in official_table("uav20l").values()) == 58670
    assert sum(row["end"] - row["start"] + 1 for row in official_table("tpl").values()) == 55346
    assert set(official_table("otb50")) < set(official_table("otb"))
    assert len({name.rpartition("-")[0] for name in official_table("lasot_extension_subset")}) == 15
    assert set(ALIASES.values()) <= set(BENCHMARKS)


@pytest.mark.parametrize(
    ("name", "sequence", "images", "annotation", "digits", "first"),
    [
        ("otb50", "Human4_2", "{folder}/img", "{folder}/{annotation}", 4, "0001.jpg"),
        ("uav20l", "person20", "data_seq/UAV123/{folder}", "anno/UAV20L/{name}.txt", 6, "000001.jpg"),
        (
            "uav123_10fps",
            "bird1_2",
            "data_seq/UAV123_10fps/{folder}",
            "anno/UAV123_10fps/{name}.txt",
            6,
            "000259.jpg",
        ),
        ("tpl", "tpl_Busstation_ce2", "{folder}/img", "{folder}/{annotation}", 4, "0006.jpg"),
        ("tpl", "tpl_Busstation_ce2", "{bare}/img", "{bare}/{annotation}", 4, "0006.jpg"),
        ("tpl_nootb", "tpl_Yo_yos_ce1", "{folder}/img", "{folder}/{annotation}", 4, "0001.jpg"),
        ("nfs", "nfs_MachLoop_jet", "{folder}", "{annotation}", 5, "00001.jpg"),
    ],
)
def test_tables(
    tmp_path: Path, name: str, sequence: str, images: str, annotation: str, digits: int, first: str
) -> None:
    write_table_rows(tmp_path, name, [sequence], images, annotation, digits)
    row = official_table(name)[sequence]
    frames = (row["end"] or row["start"] + 9) - row["start"] + 1
    left_out: list[str] = []  # other targets of the same images
    (found,) = open_dataset(name, tmp_path, allow_missing=True, tell=left_out.append)
    assert (found.name, found.dataset, len(found)) == (sequence, name, frames)
    assert found.frames[0].name == first
    np.testing.assert_allclose(found.ground_truth, boxes_of(frames))
    shutil.rmtree(tmp_path / images.split("/")[0]) if not images.startswith("{") else None
    (again,) = open_dataset(name, tmp_path, allow_missing=True, images=False)
    np.testing.assert_array_equal(again.ground_truth, found.ground_truth)


@pytest.mark.parametrize("every", [1, 8])
def test_nfs_as_its_makers_distribute_it(tmp_path: Path, every: int) -> None:
    write_nfs(tmp_path, "Skiing_red", every)
    (found,) = open_dataset("nfs", tmp_path, sequences=["Skiing_red"])
    assert len(found) == official_table("nfs")["nfs_Skiing_red"]["end"]
    np.testing.assert_array_equal(found.ground_truth[:3, 0], [4, 4 + every, 4 + 2 * every])
    assert found.ground_truth[5].tolist()[2:] == [12, 10]


def test_the_lasot_extension_has_classes_and_visibility(tmp_path: Path) -> None:
    write_lasot(tmp_path, {"atv-1": 5}, generated=False)
    (found,) = open_dataset("lasot_extension_subset", tmp_path, sequences=["atv-1"])
    assert found.object_class == "atv"
    assert found.target_visible is not None
    assert found.target_visible.tolist() == [True] * 4 + [False]


def test_polygons_of_vot_become_their_bounding_boxes(tmp_path: Path) -> None:
    corners = np.array([[10, 5, 20, 8, 18, 30, 8, 26], [11, 5, 21, 8, 19, 30, 9, 26]])
    link_images(tmp_path / "ants1/color", ["00000001.jpg", "00000002.jpg"])
    write_boxes(tmp_path / "ants1/groundtruth.txt", corners)
    (found,) = open_dataset("vot", tmp_path, allow_missing=True)
    np.testing.assert_array_equal(found.ground_truth, [[8, 5, 12, 25], [9, 5, 12, 25]])
    np.testing.assert_array_equal(found.ground_truth, bounding_boxes(corners))
    (tmp_path / "odd.txt").write_text("1,2,3,4,5,6,7,8\n1,2,3\n")
    with pytest.raises(InputError, match="not every line is a polygon"):
        read_polygons(tmp_path / "odd.txt")


def test_real_polygons(test_data: Path) -> None:
    book = read_polygons(test_data / "vot/book/groundtruth.txt")
    assert book.shape == (175, 4)
    assert (book[:, 2:] > 0).all()


def test_got10k_val_knows_class_cover_and_image_size(tmp_path: Path) -> None:
    names = write_got10k_split(tmp_path / "val", "val", 2)
    for root in (tmp_path, tmp_path / "val"):
        found = open_dataset("got10k_val", root)
        assert [sequence.name for sequence in found] == names
    assert found[0].object_class == "dog"
    assert found[0].image_size == (64, 48)
    assert found[0].target_visible is not None
    assert found[0].target_visible.tolist() == [True] * 5 + [False]
    for image in (tmp_path / "val").rglob("*.jpg"):
        image.unlink()
    assert len(open_dataset("got10k_val", tmp_path, images=False)[1]) == 6
    with pytest.raises(InputError, match="holds no images"):
        open_dataset("got10k_val", tmp_path)


@pytest.mark.parametrize(
    ("name", "server"), [("got10k_test", "got-10k.aitestunion.com"), ("trackingnet", "tracking-net.org")]
)
@pytest.mark.parametrize("images", [True, False])
def test_test_sets_are_tracked_on_but_give_no_auc(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, server: str, images: bool
) -> None:
    if name == "trackingnet":
        write_trackingnet(tmp_path, ["b_0", "a_0"])
    else:
        write_got10k_split(tmp_path, "test", 2)
    found = open_dataset(name, tmp_path)
    assert len(found) == 2
    assert [frame.name for frame in found[0].frames] == sorted(
        (frame.name for frame in found[0].frames), key=lambda text: int(text[:-4])
    )
    assert np.isnan(found[0].ground_truth[1:]).all()
    if not images:
        for image in tmp_path.rglob("*.jpg"):
            image.unlink()
        shutil.rmtree(tmp_path / "TEST/frames", ignore_errors=True)
    assert main(["evaluate", "first_box", "--dataset", name, "--root", str(tmp_path)]) == 2
    assert server in capsys.readouterr().err


def test_a_users_table(tmp_path: Path) -> None:
    link_images(tmp_path / "clip", [f"{number:04d}.jpg" for number in range(4)])
    rows = ["sequence,frame,x,y,w,h"]
    rows += [f"clip,{number},{10 + number},20,30,40" for number in range(4)]
    (tmp_path / "mine.csv").write_text("\n".join(rows) + "\n")
    (found,) = open_dataset("table", tmp_path / "mine.csv")
    assert found.name == "clip"
    assert [frame.name for frame in found.frames] == ["0000.jpg", "0001.jpg", "0002.jpg", "0003.jpg"]
    np.testing.assert_array_equal(found.ground_truth[:, 0], [10, 11, 12, 13])


def test_annotations_alone_that_are_not_the_tables_are_refused(tmp_path: Path) -> None:
    write_boxes(tmp_path / "anno/Crossing.txt", boxes_of(120))
    write_boxes(tmp_path / "anno/deer.txt", boxes_of(70))
    (found,) = open_dataset("otb", tmp_path, sequences=["Crossing"], images=False)
    assert len(found) == 120
    with pytest.raises(
        InputError, match="70 annotation rows for the 71 frames 1 to 71 of the benchmark's table"
    ):
        open_dataset("otb", tmp_path, sequences=["Deer"], images=False)
    with pytest.raises(InputError, match="No folder of sequence Crossing"):
        open_dataset("otb", tmp_path, sequences=["Crossing"])


def test_every_third_row_of_uav123_is_its_version_of_10_fps(tmp_path: Path) -> None:
    write_boxes(tmp_path / "anno/UAV123/bike3.txt", boxes_of(433))
    (found,) = open_dataset("uav123_10fps", tmp_path, sequences=["bike3"], images=False)
    np.testing.assert_array_equal(found.ground_truth, boxes_of(433)[::3])


def test_the_check_covers_test_sets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_trackingnet(tmp_path, ["a_0"])
    (tmp_path / "TEST/anno/b_0.txt").write_text("1,2,3,4\n")
    assert main(["dataset", "check", "trackingnet_test", "--root", str(tmp_path)]) == 1
    assert "b_0" in capsys.readouterr().out


def test_annotations_are_checked_without_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_lasot(tmp_path, {"cat-1": 5, "cat-20": 4})
    shutil.rmtree(root / "cat/cat-1/img")
    options = ["--dataset", "generated_lasot", "--root", str(root)]
    assert main(["evaluate", "check", *options]) == 0
    printed = capsys.readouterr().out
    assert "2 sequences, 9 frames" in printed
    assert "2 frames with a hidden target" in printed
    (root / "cat/cat-20/groundtruth.txt").write_text("")
    assert main(["evaluate", "check", *options]) == 1
    assert "cat-20: " in capsys.readouterr().out
