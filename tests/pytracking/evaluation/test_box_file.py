"""Files of boxes: one target a line."""

from pathlib import Path

import pytest

from ebm.exceptions import InputError
from pytracking.evaluation.box_file import read_box_file


def written(folder: Path, text: str) -> Path:
    path = folder / "boxes.txt"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        ("1,2,30,40\n5 6 7 8.5\n", {1: (1, 2, 30, 40), 2: (5, 6, 7, 8.5)}),
        ("# id, box\n\n7, 1, 2, 3, 4\ncar\t5\t6\t7\t8", {7: (1, 2, 3, 4), "car": (5, 6, 7, 8)}),
        ("\ufeff-1,2,3,4\r\n", {1: (-1, 2, 3, 4)}),
    ],
)
def test_boxes_by_id(text: str, boxes: dict, tmp_path: Path) -> None:
    assert read_box_file(written(tmp_path, text)) == boxes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no box"),
        ("# nothing\n", "holds no box"),
        ("1,2,3\n", "line 1: expected"),
        ("1,2,3,4,5,6\n", "line 1: expected"),
        ("1,2,3,x\n", "line 1: expected"),
        ("1,2,3,4\n2,3,0,5\n", "line 2: width and height"),
        ("a,1,2,3,4\na,2,3,4,5\n", "line 2: there is a target 'a' already"),
        ("1,2,3,4\n9,2,3,4,5\n", "line 2: either all lines have an id"),
        ("1,nan,3,4\n", "all four finite"),
    ],
)
def test_what_is_no_box_file(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        read_box_file(written(tmp_path, text))


def test_a_box_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.txt cannot be read"):
        read_box_file(tmp_path / "nowhere.txt")
