"""Tables from files, with pandas and without."""

import gzip
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ebm.exceptions import InputError, MissingPackageError
from ebm.fitting.tables import NamedArray
from ebm.tasks.table.sheets import Sheet, read_sheet

TEXT = "a,b,y\n1,2,3\n4,,6\n7,8,\n"


@pytest.fixture(params=["pandas", ""])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which library reads: one that is there, or none."""
    if request.param:
        pytest.importorskip(request.param)
    real = importlib.util.find_spec
    hidden = {"pandas", "polars"} - {request.param}

    def find(name: str, *rest: Any) -> Any:
        return None if name in hidden else real(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    return str(request.param)


def written(tmp_path: Path, text: str, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def values(sheet: Sheet) -> np.ndarray:
    return np.asarray(sheet.frame, dtype=np.float64)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_columns_rows_and_gaps(tmp_path: Path, library: str, separator: str) -> None:
    sheet = read_sheet(written(tmp_path, TEXT.replace(",", separator)))
    assert sheet.names == ("a", "b", "y")
    assert len(sheet) == 3
    assert isinstance(sheet.frame, NamedArray) == (not library)
    assert sheet.missing().tolist() == [False, True, True]
    assert values(sheet.only(["y", "a"]))[:2].tolist() == [[3, 1], [6, 4]]
    assert values(sheet.rows(np.array([2, 0])).only(["a"])).tolist() == [[7], [1]]
    assert np.asarray(sheet.column("a")).tolist() == [1, 4, 7]
    assert sheet.only(["b", "y"]).frame.columns is not None


def test_compressed_and_marked_text(tmp_path: Path, library: str) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(("\ufeff" + TEXT).encode()))
    assert read_sheet(path).names == ("a", "b", "y")


def test_a_separator_may_be_given(tmp_path: Path, library: str) -> None:
    sheet = read_sheet(written(tmp_path, "a,b;c\n1;2\n"), ";")
    assert sheet.names == ("a,b", "c")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not begin with the names"),
        ("a,b\n", "no rows below"),
        ("a,a\n1,2\n", "more than one column named 'a'"),
    ],
)
def test_texts_that_are_no_table(tmp_path: Path, library: str, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_sheet(written(tmp_path, text))


def test_without_a_library_text_is_refused_by_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"line 3, column 'b': 'red' is no number.*ebmtrack\[eval\]"):
        read_sheet(written(tmp_path, "a,b\n1,2\n1,red\n"))
    with pytest.raises(InputError, match="line 2: 3 fields below 2 names"):
        read_sheet(written(tmp_path, "a,b\n1,2,3\n"))
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(MissingPackageError, match="Parquet"):
        read_sheet(tmp_path / "t.parquet")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        read_sheet(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is no file"):
        read_sheet(tmp_path)
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00a,b\n1,2\n")
    with pytest.raises(InputError, match="no text in UTF-8"):
        read_sheet(tmp_path / "b.csv")
    with pytest.raises(InputError, match="no column 'z'; its columns are a, b, y"):
        read_sheet(written(tmp_path, TEXT)).only(["z"])
