"""Annotation files: separators, odd rows, and errors that name the line."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ebm.exceptions import InputError
from ltr.dataset.annotations import make_annotation, read_boxes, read_flags, read_levels


@pytest.mark.parametrize("separator", [",", "\t", " ", ", ", ";", " \t "])
def test_every_separator_gives_the_same_boxes(tmp_path: Path, separator: str) -> None:
    rows = [[1, 2.5, 30, 40], [-3, 1e2, 5.25, 6]]
    file = tmp_path / "groundtruth.txt"
    file.write_text("\n".join(separator.join(map(str, row)) for row in rows) + "\n\n")
    np.testing.assert_array_equal(read_boxes(file), rows)


def test_separators_may_change_and_a_byte_order_mark_may_lead(tmp_path: Path) -> None:
    file = tmp_path / "groundtruth.txt"
    file.write_bytes("\ufeff1,2,3,4\r\n5\t6\t7\t8\r\n".encode())
    np.testing.assert_array_equal(read_boxes(file), [[1, 2, 3, 4], [5, 6, 7, 8]])


def test_nan_rows_are_kept_and_marked(tmp_path: Path) -> None:
    file = tmp_path / "groundtruth.txt"
    file.write_text("1,2,3,4\nNaN,NaN,NaN,NaN\n1,2,0,4\n1,2,3,-4\n1,inf,3,4\n")
    annotation = make_annotation(read_boxes(file))
    assert annotation.valid.tolist() == [True, False, False, False, False]
    assert annotation.visible.tolist() == annotation.valid.tolist()
    assert annotation.boxes.dtype == np.float32
    assert len(annotation) == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3,4\n1,2,3\n", "line 2: .*found 3"),
        ("1,2,3,4\n\n5,6,7,8\n", "line 2: .*found 0"),
        ("1,2,3,4\n1,2,x,4\n", "line 2: .*'1,2,x,4' is not a box"),
        ("1,2,3,4,5,6,7,8,9,10,11\n", "line 1: .*found 11"),
        ("1,2,3,4\n1_0,2,3,4\n", "line 2: .* is not a box"),
        ("1,2,3,4\n\u0661,2,3,4\n", "line 2: .* is not a box"),
        ("1,2,3,4\n1,,2,3,4\n", "line 2: .* is not a box"),
        ("1;;2;3;4\n", "line 1: .* is not a box"),
        ("inf,nan,2,3,4,5\n", "line 1: .*found 6"),
        ("", "holds no boxes"),
        ("\n \n", "holds no boxes"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "groundtruth.txt"
    file.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_boxes(file)
    assert str(file) in str(caught.value)


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.txt cannot be read"):
        read_boxes(tmp_path / "gone.txt")
    (tmp_path / "binary.txt").write_bytes(b"1,2\xff\xfe")
    with pytest.raises(InputError, match="is not text"):
        read_boxes(tmp_path / "binary.txt")


def test_flags_on_one_line_or_many(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("0,1,1,0\n")
    (tmp_path / "b").write_text("0\n1\n1\n0")
    assert (
        read_flags(tmp_path / "a").tolist()
        == read_flags(tmp_path / "b").tolist()
        == [False, True, True, False]
    )


@pytest.mark.parametrize("text", ["0\n2\n", "0\n-1\n", "0\nyes\n", "0\n0.5\n"])
def test_a_flag_is_zero_or_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "flags").write_text(text)
    with pytest.raises(InputError, match="line 2"):
        read_flags(tmp_path / "flags")


def test_levels_and_their_limit(tmp_path: Path) -> None:
    (tmp_path / "cover").write_text("0\n8\n4\n")
    assert read_levels(tmp_path / "cover", 8).tolist() == [0, 8, 4]
    with pytest.raises(InputError, match="line 2: '8'"):
        read_levels(tmp_path / "cover", 7)
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(InputError, match="is empty"):
        read_levels(tmp_path / "empty", 7)


numbers = st.floats(-1e6, 1e6, allow_nan=False) | st.just(float("nan"))


@given(
    rows=st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=1, max_size=20),
    separator=st.sampled_from([",", "\t", " "]),
)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, ...]], separator: str
) -> None:
    file = tmp_path_factory.mktemp("boxes") / "groundtruth.txt"
    file.write_text("\n".join(separator.join(repr(value) for value in row) for row in rows))
    written = np.array(rows)
    area = written[(written[:, 2:] > 0).all(axis=1)]
    assume(not len(area) or (area > 1).any())  # within one pixel they are taken for shares of the picture
    np.testing.assert_array_equal(read_boxes(file), written)


def test_a_closing_separator_and_boxes_beyond_float32(tmp_path: Path) -> None:
    file = tmp_path / "groundtruth.txt"
    file.write_text("1,2,3,4,\n1e300,2,3,4,\n")
    annotation = make_annotation(read_boxes(file))  # NumPy would warn of the overflow
    assert annotation.valid.tolist() == [True, False]
    (tmp_path / "cover.label").write_text(f"0\n{'9' * 5000}\n")
    with pytest.raises(InputError, match="line 2: '9+' is not a whole number from 0 to 8"):
        read_levels(tmp_path / "cover.label", 8)
