"""Sinks get every row, and whatever they do the run goes on."""

import sys
import threading
import types
from collections.abc import Mapping
from pathlib import Path

import pytest

from ebm.exceptions import UnknownNameError
from ltr.trainers import sinks as module
from ltr.trainers.sinks import SinkContext, Sinks, check_requests, open_sinks
from tests.ltr.trainers.toy import ToyStream, toy_trainer


class Recorder:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int, dict[str, float]]] = []
        self.closed = False

    def write(self, loader: str, epoch: int, values: Mapping[str, float]) -> None:
        self.rows.append((loader, epoch, dict(values)))

    def close(self) -> None:
        self.closed = True


class Broken(Recorder):
    """Fails at the second row."""

    def write(self, loader: str, epoch: int, values: Mapping[str, float]) -> None:
        super().write(loader, epoch, values)
        if len(self.rows) == 2:
            raise OSError("No space left on device\nand more")


class Hanging(Recorder):
    """Never comes back from its first row."""

    def write(self, loader: str, epoch: int, values: Mapping[str, float]) -> None:
        threading.Event().wait()


def context(folder: Path) -> SinkContext:
    return SinkContext(folder=folder, title="ltr/dimp/toy", texts={"batch": "4 samples"})


def test_every_epoch_reaches_every_sink(tmp_path: Path) -> None:
    good, said = Recorder(), []
    trainer = toy_trainer(tmp_path, ToyStream(), validate=True)
    trainer.sinks = Sinks([("good", lambda: good)], said.append)
    assert trainer.run() == 0
    trainer.sinks.close()
    assert [(loader, epoch) for loader, epoch, _ in good.rows] == [
        (loader, epoch) for epoch in (1, 2, 3) for loader in ("train", "val")
    ]
    assert good.rows[0][2].keys() >= {"Loss/total", "LearningRate/group0", "samples_per_second", "data_wait"}
    assert good.closed
    assert not said


def test_a_sink_that_fails_is_said_once_and_the_others_go_on(tmp_path: Path) -> None:
    good, broken, said = Recorder(), Broken(), []
    trainer = toy_trainer(tmp_path, ToyStream())
    trainer.sinks = Sinks([("bad", lambda: broken), ("good", lambda: good)], said.append)
    assert trainer.run() == 0
    trainer.sinks.close()
    assert said == ["--log-to bad is off for the rest of this run: No space left on device. The run goes on."]
    assert len(broken.rows) == 2
    assert len(good.rows) == 3


def test_a_sink_that_hangs_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    monkeypatch.setattr(module, "WAITING", 2)
    said: list[str] = []
    sinks = Sinks([("slow", Hanging)], said.append)
    for epoch in range(1, 10):
        sinks.write("train", epoch, {"Loss/total": 1.0})
    sinks.close()
    assert len(said) == 1
    assert "--log-to slow is off" in said[0]


def test_tensorboard_gets_a_file_for_each_loader(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    sinks = open_sinks(["tensorboard"], context(tmp_path), pytest.fail)
    for epoch in (1, 2):
        sinks.write("train", epoch, {"Loss/total": 1.0 / epoch})
    sinks.write("val", 2, {"Loss/total": 3.0})
    sinks.close()
    for loader, expected in {"train": [(1, 1.0), (2, 0.5)], "val": [(2, 3.0)]}.items():
        events = EventAccumulator(str(tmp_path / "tensorboard" / loader))
        events.Reload()
        assert [(event.step, event.value) for event in events.Scalars("Loss/total")] == expected
    assert list((tmp_path / "tensorboard" / "info").iterdir())


def test_a_missing_visdom_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "visdom", None)
    said: list[str] = []
    sinks = open_sinks(["visdom"], context(tmp_path), said.append)
    sinks.write("train", 1, {"Loss/total": 1.0})
    sinks.close()
    assert len(said) == 1
    assert "ebmtrack[viz]" in said[0]


def test_visdom_gets_a_window_a_statistic_and_a_line_a_loader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the client is asked for; the client itself is stood in for."""
    made, drawn = [], []

    class Client:
        env = "ltr_dimp_toy"

        def __init__(self, **options: object) -> None:
            made.append(options)

        def text(self, *_: object, **__: object) -> None: ...

        def save(self, envs: list[str]) -> None:
            drawn.append(("save", envs))

        def close(self, window: str) -> None:
            drawn.append(("close", window))

        def line(self, X: list[int], Y: list[float], **options: object) -> None:
            drawn.append((options["win"], options["name"], X, Y))

    monkeypatch.setitem(sys.modules, "visdom", types.SimpleNamespace(Visdom=Client))
    sinks = open_sinks(["visdom=host:81"], context(tmp_path), pytest.fail)
    sinks.write("val", 3, {"Loss/total": 0.5})
    sinks.close()
    assert drawn == [("plot Loss/total", "val", [3], [0.5]), ("save", ["ltr_dimp_toy"])]  # goes on
    assert (made[0]["server"], made[0]["port"], made[0]["env"]) == ("http://host", 81, "ltr_dimp_toy")
    assert made[0]["raise_exceptions"] is True
    drawn.clear()
    sinks = open_sinks(["visdom=host:81"], context(tmp_path), pytest.fail)
    for epoch in (1, 2):
        sinks.write("train", epoch, {"Loss/total": 0.5})
    sinks.close()
    points = [("plot Loss/total", "train", [epoch], [0.5]) for epoch in (1, 2)]
    assert drawn == [("close", "plot Loss/total"), *points, ("save", ["ltr_dimp_toy"])]  # begins


def test_a_visdom_server_that_is_down_is_said_once(tmp_path: Path) -> None:
    pytest.importorskip("visdom")
    said: list[str] = []
    sinks = open_sinks(["visdom=127.0.0.1:9"], context(tmp_path), said.append)
    for epoch in (1, 2):
        sinks.write("train", epoch, {"Loss/total": 1.0})
    sinks.close()
    assert len(said) == 1
    assert "The run goes on" in said[0]


def test_unknown_sinks_are_refused_before_anything_starts() -> None:
    check_requests(["tensorboard", "visdom=host:1"])
    with pytest.raises(UnknownNameError, match="did you mean 'tensorboard'"):
        check_requests(["tensorbord"])
