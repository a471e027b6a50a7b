"""Annotations of other programs are named with what to do, never read as something else."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm.exceptions import InputError
from ltr.dataset.annotations import read_boxes
from ltr.dataset.foreign import commas_mixed, decimal_reading
from ltr.dataset.opening import open_path
from ltr.dataset.own_folders import FolderVideos


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("12,5 30,0\n", "12.5, 30 .decimal commas. or as the 4 numbers 12, 5, 30, 0"),
        ("12,5;30,0;40,2;50,1\n", "12.5, 30, 40.2, 50.1 .decimal commas. or as the 8 numbers 12, 5, 30"),
        ("1,2,3,4\n12,5\t30,0\t40,2\t50,1\n", "line 2: .* 12.5, 30, 40.2, 50.1"),
        ("10 20 30 40\n10 20 30,5 40\n", "line 2: .* 10, 20, 30.5, 40 .decimal"),
        ("1,234.5 20 30 40\n", "the 5 numbers 1, 234.5, 20"),  # thousands
    ],
)
def test_rows_that_can_be_read_in_two_ways_are_refused(tmp_path: Path, text: str, readings: str) -> None:
    file = tmp_path / "groundtruth.txt"
    file.write_text(text)
    with pytest.raises(InputError, match=readings) as caught:
        read_boxes(file)
    assert str(file) in str(caught.value)
    assert "ebmtrack dataset convert" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["1, 2, 3, 4", "1,2,3,4,", "1; 2; 3; 4", " 1.5 \t 2 3 4 ", "1 ,2 ,3 ,4", "1,2,3,4;", "1, 2, 3, 4,"],
)
def test_rows_with_one_reading_are_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    assert read_boxes(tmp_path / "a.txt")[0, 1:].tolist() == [2, 3, 4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,9,311.25,98.12,19.39,46.98,1,-1,-1,-1\n", "MOT.*ebmtrack dataset convert"),
        ("1,1,10,20,30,40,1,1,0.5\n", "MOT.*ebmtrack dataset convert"),
        ("0 0.51 0.62 0.1 0.2\n", "YOLO.*class, centre x"),
        ("0.51 0.62 0.1 0.2\n0.5 0.6 0.1 0.2\n", "shares of the picture"),
        ("1,10,20,30,40\n2,10,20,30,40\n", "leave the first column out"),
        ("x,y,w,h\n1,2,3,4\n", "names columns: remove it"),
        ("<annotation><bndbox>", "XML, as VOC's.*xmax - xmin"),
        ('{"images": []}', "folder:FILE.json"),
        ("199.0,49.0,287.0,49.0,287.0,113.0,199.0,113.0\n", "8 numbers.*polygon.*convert"),
        ("m85,62,10,5,3\n", "masks"),
    ],
)
def test_known_formats_are_named_with_what_to_do(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "groundtruth.txt"
    file.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_boxes(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_named(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "groundtruth.txt"
    file.write_bytes("1,2,3,4\n".encode(encoding))
    with pytest.raises(InputError, match="UTF-16"):
        read_boxes(file)


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("sequence;frame;x;y;w;h", "a;0;1;2;3;4", "line 1: .*semicolons.*convert"),
        ("sequence,frame,x,y,w,h", 'a,0,"12,5",2,3,4', "line 2: x is '12,5', with a decimal comma"),
        ("sequence,frame,x,y,w,width,h", "a,0,1,2,3,3,4", "w and width both stand for w"),
        ("sequence,frame,x,x,y,w,h", "a,0,1,2,3,3,4", "x and x both stand for x"),
    ],
)
def test_tables_of_spreadsheets(tmp_path: Path, header: str, row: str, message: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").touch()
    (tmp_path / "t.csv").write_text(f"{header}\n{row}\n")
    with pytest.raises(InputError, match=message):
        open_path(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("file", "message"),
    [("v/gt/gt.txt", "is MOT's; convert it"), ("v/a.xml", "VOC"), ("labels/a.txt", "YOLO")],
)
def test_a_folder_of_another_kind_is_named(tmp_path: Path, file: str, message: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).touch()
    with pytest.raises(InputError, match=message):
        FolderVideos(tmp_path)


positive = st.floats(2, 1e4).map(lambda value: round(value, 2))


@given(rows=st.lists(st.tuples(positive, positive, positive, positive), min_size=1, max_size=5))
def test_decimal_commas_are_never_read_as_boxes_and_read_back_as_such(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, ...]]
) -> None:
    lines = [";".join(str(value).replace(".", ",") for value in row) for row in rows]
    assert all(commas_mixed(line) for line in lines)
    np.testing.assert_array_equal([decimal_reading(line) for line in lines], rows)
    file = tmp_path_factory.mktemp("commas") / "groundtruth.txt"
    file.write_text("\n".join(lines))
    with pytest.raises(InputError, match="decimal commas"):
        read_boxes(file)


@pytest.mark.parametrize("line", ["12, 10, 26.2 ,518", "12, 10, 26, 518", "12 10 26 ,5", "12 10 26, 5"])
def test_a_comma_beside_a_space_separates_two_numbers(line: str) -> None:
    """Read as a decimal one, the height 518 was converted to 0.518."""
    assert decimal_reading(line) is None
    assert decimal_reading("12 10 26,2 -0,518") == [12, 10, 26.2, -0.518]
