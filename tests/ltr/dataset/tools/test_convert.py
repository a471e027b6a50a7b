"""Annotations of other programs become ours; nothing that is there is overwritten."""

from pathlib import Path

import pytest

from ebm.exceptions import InputError
from ltr.dataset.annotations import read_boxes
from ltr.dataset.opening import open_path
from ltr.dataset.own_folders import FolderVideos
from ltr.dataset.tools.command import main
from ltr.dataset.tools.convert import convert
from tests.ebm.tasks.detection.sets import content_of, write_set

MOT = (
    "1,3,10,20,30,40,1,-1,-1,-1\n2,3,11,20,30,40,1,1,0\n4,3,12,20,30,40,1,-1,-1,-1\n2,7,5,6,7,8,1,-1,-1,-1\n"
)


def mot(folder: Path, text: str = MOT) -> Path:
    (folder / "gt").mkdir(parents=True)
    (folder / "img1").mkdir()
    for number in range(1, 5):
        (folder / "img1" / f"{number:06d}.jpg").write_bytes(b"picture %d" % number)
    (folder / "gt" / "gt.txt").write_text(text)
    return folder / "gt" / "gt.txt"


@pytest.mark.parametrize("copy", [False, True])
def test_every_target_of_mot_becomes_a_video(tmp_path: Path, copy: bool) -> None:
    source = mot(tmp_path / "street")
    message = convert(source, tmp_path / "out", copy=copy)
    assert "2 targets, 4 boxes" in message
    videos = open_path(tmp_path / "out")
    assert [videos.sequence_name(index) for index in range(2)] == ["street-03", "street-07"]
    first = videos.annotation(0)
    assert first.boxes.tolist() == [[10, 20, 30, 40], [11, 20, 30, 40], [0, 0, 0, 0], [12, 20, 30, 40]]
    assert first.visible.tolist() == [True, False, False, True]  # visibility 0 in frame 2, no row for frame 3
    assert videos.frame_path(1, 0).read_bytes() == b"picture 2"
    assert videos.frame_path(1, 0).is_symlink() is not copy
    assert source.read_text() == MOT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MOT + "9,3,1,2,3,4,1,-1,-1,-1\n", "lacks the pictures of 1 frames .* number 9"),
        (MOT + "1,3,1,2,3,4,1,-1,-1,-1\n", "line 5: target 3 has a second box in frame 1"),
        (MOT + "1,x,1,2,3,4,1,-1,-1,-1\n", "line 5: .*is no row"),
        ("1,3,10,20,30,40,0,-1,-1,-1\n", "no target to consider"),
    ],
)
def test_faults_of_mot_are_named_and_leave_nothing(tmp_path: Path, text: str, message: str) -> None:
    source = mot(tmp_path / "street", text)
    with pytest.raises(InputError, match=message):
        convert(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["street"]


def test_the_people_of_pets(test_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "pets"
    assert main(["convert", str(test_data / "mot/pets/gt.txt"), "--out", str(out)]) == 0
    assert "19 targets, 1549 boxes" in capsys.readouterr().out
    assert main(["check", f"folder:{out}"]) == 0
    assert "19 sequences, 1549 frames" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("12,5;30,0;40,2;50,1\n", "utf-8"),
        ("12,5\t30,0\t40,2\t50,1\r\n", "utf-16"),
        ("12.5,30,52.7,30,52.7,80.1,12.5,80.1\n", "utf-8-sig"),
        ("12.5,30,40.2,50.1\n", "utf-16"),
    ],
)
def test_a_text_of_boxes(tmp_path: Path, text: str, encoding: str) -> None:
    source, out = tmp_path / "a.txt", tmp_path / "b.txt"
    source.write_bytes(text.encode(encoding))
    assert "1 boxes" in convert(source, out)
    assert read_boxes(out)[0].tolist() == pytest.approx([12.5, 30, 40.2, 50.1])


def test_a_table_of_excel(tmp_path: Path) -> None:
    (tmp_path / "walk").mkdir()
    (tmp_path / "walk" / "1.jpg").touch()
    source = tmp_path / "excel.csv"
    source.write_bytes("sequence;frame;x;y;w;h\r\nwalk;0;1,5;-2,25;30;40\r\n".encode("utf-16"))
    convert(source, tmp_path / "annotations.csv")
    assert open_path(tmp_path).annotation(0).boxes.tolist() == [[1.5, -2.25, 30, 40]]


@pytest.mark.parametrize(
    "text",
    ["12,5 30,0\n", "1,2,3\n", "a b c d\n", "", "1,2 3,4\n", "# a comment\n1,2,3,4,5,6\n", "1,,2,3,4\n"],
)
def test_what_stays_unclear_is_not_converted(tmp_path: Path, text: str) -> None:
    source = tmp_path / "a.txt"
    source.write_text(text)
    with pytest.raises(InputError, match=str(source)):
        convert(source, tmp_path / "b.txt")
    assert not (tmp_path / "b.txt").exists()


@pytest.mark.parametrize("place", ["itself", "link", "other"])
def test_nothing_that_is_there_is_overwritten(tmp_path: Path, place: str) -> None:
    source = tmp_path / "itself"
    source.write_text("12,5;30,0;40,2;50,1\n")
    (tmp_path / "link").symlink_to(source)
    (tmp_path / "other").write_text("kept")
    before = {path: path.read_text() for path in tmp_path.iterdir()}
    assert main(["convert", str(source), "--out", str(tmp_path / place)]) == 2
    assert {path: path.read_text() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("place", "message"),
    [("street/img1/new", "lies in the folder of pictures"), ("street/gt/gt.txt/new", "cannot be written")],
)
def test_a_place_that_is_not_for_writing(tmp_path: Path, place: str, message: str) -> None:
    source = mot(tmp_path / "street")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=message):
        convert(source, tmp_path / place)
    assert sorted(tmp_path.rglob("*")) == before


def test_options_of_mot_belong_to_mot(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_text("1;2;3;4\n")
    with pytest.raises(InputError, match="--images and --copy go with MOT"):
        convert(source, tmp_path / "b.txt", copy=True)
    with pytest.raises(InputError, match="no folder of frames"):
        convert(mot(tmp_path / "street"), tmp_path / "out", images=tmp_path / "gone")


@pytest.mark.parametrize("start", ["nan,1", "1,inf", "1e400,1"])
def test_numbers_that_are_no_frames_of_mot(tmp_path: Path, start: str) -> None:
    source = tmp_path / "gt.txt"
    source.write_text(f"{start},10,8,24,18,1,-1,-1,-1\n")
    with pytest.raises(InputError, match="line 1"):
        convert(source, tmp_path / "new")


@pytest.mark.parametrize("row", ["10;\uff17;nan;18.5", "1,1,10,8,-inf,18, ,-1,-1,-1", "10,.,infinity,19"])
def test_a_damaged_row_is_not_the_head_of_a_table(row: str, tmp_path: Path) -> None:
    source = tmp_path / "source.txt"
    source.write_text(f"{row}\n11;9;25;19\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 1"):
        convert(source, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_photos_of_voc_and_yolo_become_sequences_and_are_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There and back by the command, and the json at the end opened as photos to track in."""
    file = write_set(tmp_path / "own", annotations=content_of()["annotations"][:1])
    for form in ("voc", "yolo"):
        assert main(["convert", str(file), "--to", form, "--out", str(tmp_path / form)]) == 0
        with pytest.raises(InputError, match="single photos: ebmtrack dataset convert"):
            FolderVideos(tmp_path / form)
        assert main(["check", str(tmp_path / form), *(["--split", "train"] if form == "voc" else [])]) == 0
        assert "2 pictures, 1 object," in capsys.readouterr().out
        assert main(["convert", str(tmp_path / form), "--out", str(tmp_path / f"{form}_coco")]) == 0
        opened = open_path(tmp_path / f"{form}_coco/annotations/instances_train.json")
        assert opened.annotation(0).boxes.tolist() == [[5, 6, 10, 12]]
        assert opened.class_name(0) == "dog"
    assert main(["convert", str(tmp_path / "own/train"), "--out", str(tmp_path / "new")]) == 2
    assert "is no set of pictures with boxes" in capsys.readouterr().err
