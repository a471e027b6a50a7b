"""A run whose time ends: its rates, its files, and that a part of it goes on as the whole."""

import os
import signal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ebm.exceptions import InputError
from ltr.admin.loading import read_checkpoint
from ltr.trainers.schedule import Schedule, learning_rate_factor
from ltr.trainers.time_limit import TimeLimit, parse_duration
from ltr.trainers.trainer import Trainer
from tests.ltr.trainers.test_trainer import learned, same
from tests.ltr.trainers.toy import ToyStream, toy_trainer


class Clock:
    """A second passes with every batch that is drawn."""

    def __init__(self, stream: ToyStream) -> None:
        self.stream = stream

    def __call__(self) -> float:
        return float(len(self.stream.drawn))


def timed(folder: Path, stream: ToyStream, seconds: float, **more: Any) -> Trainer:
    """A trainer of four epochs of five steps whose clock counts its steps."""
    trainer = toy_trainer(folder, stream, epochs=4, max_time=seconds, **more)
    trainer.limit = TimeLimit(seconds, Clock(stream))
    return trainer


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("45m", 2700), ("1.5h", 5400), ("2", 120), (" 3 min ", 180)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "-3m", "soon", "3 days", "1e9h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="45m"):
        parse_duration(text)


def test_a_run_ends_when_its_time_does_and_its_rates_know_it(tmp_path: Path) -> None:
    trainer = timed(tmp_path, ToyStream(), 8, validate=True)
    rates: list[float] = []
    step = trainer.step

    def recorded(*args: Any) -> Any:
        rates.append(float(trainer.optimizer.param_groups[0]["lr"]))
        return step(*args)

    trainer.step = _Step(step, recorded)  # type: ignore[assignment]
    assert trainer.run() == 0
    # The epoch in which the time ends is closed: validated, saved, counted.
    assert trainer.position.epoch == 2
    assert len(trainer.history.rows("val")) == 2
    assert (tmp_path / "ToyNet_ep0002.pth.tar").is_file()
    expected = [0.01 * learning_rate_factor(Schedule(epochs=4, step_epochs=1), k / 8 * 4) for k in range(9)]
    assert rates == pytest.approx(expected)


class _Step:
    """The step of a trainer, with a call in its place."""

    def __init__(self, step: Any, call: Any) -> None:
        self._step, self._call = step, call

    def __call__(self, *args: Any) -> Any:
        return self._call(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._step, name)


def test_more_time_than_the_schedule_takes_changes_nothing(tmp_path: Path) -> None:
    for name, seconds in (("plain", None), ("timed", 1000.0)):
        assert timed(tmp_path / name, ToyStream(), seconds).run() == 0  # type: ignore[arg-type]
    plain, bounded = (learned(tmp_path / name / "ToyNet_ep0004.pth.tar") for name in ("plain", "timed"))
    assert same(plain, bounded)


def test_a_part_of_a_timed_run_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    assert timed(tmp_path / "whole", ToyStream(), 12).run() == 0
    stop = ToyStream(at={4 * 6: lambda: os.kill(os.getpid(), signal.SIGTERM)})
    assert timed(tmp_path / "part", stop, 12).run() == 143
    again = timed(tmp_path / "part", ToyStream(), 12)
    again.load_state_dict(read_checkpoint(again.folder.newest()))
    assert again.limit.before == 7
    assert again.run() == 0
    files = [tmp_path / name / "ToyNet_ep0003.pth.tar" for name in ("whole", "part")]
    assert same(*map(learned, files))
    finished = timed(tmp_path / "part", ToyStream(), 12)
    finished.load_state_dict(read_checkpoint(files[1]))
    assert finished.run() == 0
    assert finished.streams.train.drawn == []  # type: ignore[attr-defined]


def test_a_run_without_time_makes_one_step(tmp_path: Path) -> None:
    ticks = count()
    trainer = toy_trainer(tmp_path, ToyStream(), max_time=0.5)
    trainer.limit = TimeLimit(0.5, lambda: float(next(ticks)))
    assert trainer.run() == 0
    assert trainer.position.samples == 4
    assert (tmp_path / "ToyNet_ep0001.pth.tar").is_file()
