"""The table of epochs."""

import csv
import math
from pathlib import Path

from ltr.trainers.history import History


def test_the_table_holds_every_row_once_also_after_a_restart(tmp_path: Path) -> None:
    first = History()
    first.add("train", 1, {"Loss/total": 2.0})
    first.add("val", 1, {"Loss/total": 3.0, "BBReg/kl": 0.5})
    first.write(tmp_path / "history.csv")
    second = History()
    second.load_state_dict(first.state_dict())
    second.add("train", 2, {"Loss/total": 1.5})
    second.write(tmp_path / "history.csv")
    with (tmp_path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["loader"], row["epoch"], row["Loss/total"], row["BBReg/kl"]) for row in rows] == [
        ("train", "1", "2.0", ""),
        ("train", "2", "1.5", ""),
        ("val", "1", "3.0", "0.5"),
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["history.csv"]


def test_lowest_looks_at_one_loader() -> None:
    history = History()
    assert history.lowest("val", "Loss/total") == float("inf")
    history.add("train", 1, {"Loss/total": 0.1})
    history.add("val", 1, {"Loss/total": 3.0})
    history.add("val", 2, {"Loss/total": 2.0})
    assert history.lowest("val", "Loss/total") == 2.0


def test_a_loss_that_is_not_a_number_is_never_the_lowest() -> None:
    history = History()
    for epoch, loss in enumerate((math.nan, 2.0, math.inf, 1.0), 1):
        history.add("val", epoch, {"Loss/total": loss})
    assert history.lowest("val", "Loss/total") == 1.0


def test_the_meters_of_a_foreign_file_are_left_out() -> None:
    history = History()
    history.load_state_dict(None)
    history.load_state_dict({"train": {"Loss/total": object()}})  # type: ignore[dict-item]
    assert history.state_dict() == {}
