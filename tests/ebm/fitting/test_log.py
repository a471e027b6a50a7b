"""The numbers of a fit reach sinks of every kind, and no sink can end it or change it."""

import csv
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import ebm
from ebm.exceptions import InputError, UnknownNameError
from tests.ebm.fitting.long_fits import fit, interrupted_at, same


class Kept:
    """A sink of a user's own."""

    def __init__(self, fails: bool = False) -> None:
        self.rows: list[tuple[str, int, dict[str, float]]] = []
        self.closed, self.fails = 0, fails

    def write(self, stage: str, epoch: int, numbers: Mapping[str, float]) -> None:
        self.rows.append((stage, epoch, dict(numbers)))
        if self.fails:
            raise RuntimeError("the server said no")

    def close(self) -> None:
        self.closed += 1


def test_numbers_are_those_of_the_history() -> None:
    kept = Kept()
    fitted = fit("one", log=kept)
    assert [(stage, epoch) for stage, epoch, _ in kept.rows] == [
        ("energy", epoch + 1) for epoch in range(len(fitted.history.held_out_nll))
    ]
    assert tuple(row["train_loss"] for *_, row in kept.rows) == fitted.history.train_loss
    assert tuple(row["held_out_nll"] for *_, row in kept.rows) == fitted.history.held_out_nll
    assert kept.rows[0][2]["learning_rate"] == 0.1
    assert kept.closed == 1


def test_epochs_of_two_stages_are_counted_on() -> None:
    kept = Kept()
    fit("corrected", log=[kept])
    stages = [stage for stage, *_ in kept.rows]
    assert stages == sorted(stages, reverse=True)
    assert set(stages) == {"mdn-2", "energy"}
    assert [epoch for _, epoch, _ in kept.rows] == list(range(1, len(stages) + 1))


def test_a_sink_that_ends_the_process_is_one_warning() -> None:
    class Leaves(Kept):
        def write(self, *row: Any) -> None:
            sys.exit("no more numbers")

    with pytest.warns(UserWarning, match="log Leaves is off for the rest of this run: no more numbers"):
        same(fit("one", log=Leaves()), fit("one"))


def test_a_sink_that_raises_is_one_warning(tmp_path: Path) -> None:
    bad, good = Kept(fails=True), Kept()
    with pytest.warns(UserWarning, match="log Kept is off for the rest of this run: the server said no") as w:
        same(fit("one", log=[bad, good]), fit("one"))
    assert len(w) == 1
    assert len(bad.rows) == 1
    assert len(good.rows) > 1


def test_a_log_goes_on_with_its_checkpoint(tmp_path: Path) -> None:
    log, path = f"csv={tmp_path / 'fit.csv'}", tmp_path / "a"
    for epoch in (3, 2, 3):
        with interrupted_at(epoch), pytest.raises(ebm.FitInterrupted):
            fit("corrected", log=log, checkpoint=path, patience=6)
    fitted = fit("corrected", log=log, checkpoint=path, patience=6)
    with (tmp_path / "fit.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == list(range(1, 13))
    found = [float(row["train_loss"]) for row in rows if row["loader"] == "energy"]
    assert found == pytest.approx(list(fitted.history.train_loss), rel=1e-6)


@pytest.mark.parametrize(
    ("log", "kind", "message"),
    [
        ("csv", InputError, "needs a place to write to: log='csv=FILE'"),
        ("tensorboard", InputError, "log='tensorboard=DIR'"),
        ("tensorbord=a", UnknownNameError, "did you mean 'tensorboard'"),
        (7, InputError, r"objects with write\(stage, epoch, numbers\) and close\(\); got 7"),
        (Kept, InputError, "got <class"),
        ([print], InputError, "got <built-in"),
    ],
)
def test_what_is_no_log(log: Any, kind: type[Exception], message: str) -> None:
    with interrupted_at(0), pytest.raises(kind, match=message):
        fit("one", log=log)
