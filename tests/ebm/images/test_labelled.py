"""Tables of pictures: what is read, and what is wrong with which row."""

from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import InputError
from ebm.images.labelled import picture_paths, read_labelled
from tests.ebm.images.drawn import draw


def test_a_csv_a_frame_and_a_mapping_are_the_same(tmp_path: Path) -> None:
    table = draw(tmp_path, 5)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(table)
    frame.to_csv(tmp_path / "table.csv", index=False)
    frame.to_csv(tmp_path / "other.csv", index=False, sep=";")
    read = [
        read_labelled(one, tmp_path, "place")
        for one in (table, frame, tmp_path / "table.csv", tmp_path / "other.csv")
    ]
    assert all(one.names == tuple(table["image"]) for one in read)
    for one in read:
        np.testing.assert_allclose(one.y[:, 0], table["place"])
        assert one.targets == ("place",)


def test_every_fault_is_told_at_once_with_its_row(tmp_path: Path) -> None:
    table = draw(tmp_path, 8)
    (tmp_path / "in").mkdir()
    table["place"] = [0.5, "", "tall", float("nan"), 7.0, 0.1, 0.2, 0.3]
    table["image"][5:] = ["../out.png", "000.png", "none.png"]
    with pytest.raises(InputError, match="7 of 8 rows cannot be used") as raised:
        read_labelled(table, tmp_path, "place", between=(0, 1))
    told = str(raised.value)
    assert "row 2 (001.png): its place is missing; fill it in or drop the row" in told
    assert "row 3 (002.png): its place is 'tall', which is no number" in told
    assert "row 5 (004.png): its place is 7, outside 0 to 1" in told
    assert "row 6 (../out.png): its path leads out of" in told
    assert "and 2 more" in told
    assert "skip_broken=True (--skip-broken)" in told
    kept = read_labelled(table, tmp_path, "place", between=(0, 1), skip_broken=True)
    assert kept.names == ("000.png",)
    assert [fault.row for fault in kept.left_out] == [2, 3, 4, 5, 6, 7, 8]
    assert "the picture is that of row 1" in str(kept.left_out[5])
    assert "there is no file" in str(kept.left_out[6])


def test_what_is_not_there_is_named_beside_what_is(tmp_path: Path) -> None:
    table = draw(tmp_path, 3)
    with pytest.raises(InputError, match="no column 'age'; it has 'image', 'place'"):
        read_labelled(table, tmp_path, "age")
    with pytest.raises(InputError, match="no column 'face'"):
        read_labelled(table, tmp_path, "place", image="face")
    with pytest.raises(InputError, match="which column has the pictures' paths.*'a', 'place'"):
        read_labelled({"a": ["x"], "place": [1]}, tmp_path, "place")
    with pytest.raises(InputError, match="folder .*none is not there"):
        read_labelled(table, tmp_path / "none", "place")
    with pytest.raises(InputError, match="there is no table"):
        read_labelled(tmp_path / "t.csv", tmp_path, "place")
    (tmp_path / "t.csv").write_text("image,place\n000.png,1,2\n")
    with pytest.raises(InputError, match="row 1: 3 fields below 2 names"):
        read_labelled(tmp_path / "t.csv", tmp_path, "place")
    with pytest.raises(InputError, match="no row of the table is left: 1 were read"):
        read_labelled({"image": ["n"], "place": [1]}, tmp_path, "place", skip_broken=True)


def test_paths_to_predict_come_in_every_form(tmp_path: Path) -> None:
    table = draw(tmp_path, 2)
    wanted = [tmp_path / "000.png", tmp_path / "001.png"]
    assert picture_paths(table["image"], tmp_path) == wanted
    assert picture_paths(table, tmp_path) == wanted
    assert picture_paths(read_labelled(table, tmp_path, "place")) == wanted
    assert picture_paths(str(wanted[0])) == wanted[:1]
    with pytest.raises(InputError, match=r"x\[1\] is 3"):
        picture_paths(["a.png", 3])
