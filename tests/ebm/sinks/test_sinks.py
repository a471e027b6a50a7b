"""Sinks get every row, and whatever they do the run goes on."""

import importlib.util
import os
import subprocess
import sys
import threading
import types
from collections.abc import Mapping
from pathlib import Path

import pytest

from ebm.exceptions import UnknownNameError
from ebm.sinks import SinkContext, Sinks, check_requests, open_sinks, places_of
from ebm.sinks import base as module


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


def test_a_sink_that_fails_is_said_once_and_the_others_go_on() -> None:
    good, broken, said = Recorder(), Broken(), []
    sinks = Sinks([("bad", lambda: broken), ("good", lambda: good)], said.append)
    for epoch in (1, 2, 3):
        sinks.write("train", epoch, {"Loss/total": 1.0})
    sinks.close()
    assert said == ["--log-to bad is off for the rest of this run: No space left on device. The run goes on."]
    assert len(broken.rows) == 2
    assert good.rows == [("train", epoch, {"Loss/total": 1.0}) for epoch in (1, 2, 3)]
    assert good.closed


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


def test_csv_begins_goes_on_and_never_writes_over_another(tmp_path: Path) -> None:
    path, said = tmp_path / "new" / "log.csv", []

    def write(epochs: list[int], loss: float) -> None:
        sinks = open_sinks([f"csv={path}"], context(tmp_path), said.append)
        for epoch in epochs:
            sinks.write("train", epoch, {"loss": loss})
            if epoch > 1:
                sinks.write("val", epoch, {"loss": loss, "iou": 0.25})
        sinks.close()

    write([1, 2, 3], 0.5)
    header = "loader,epoch,loss,iou\n"
    first = "train,1,0.5,\ntrain,2,0.5,\nval,2,0.5,0.25\n"
    assert path.read_text() == header + first + "train,3,0.5,\nval,3,0.5,0.25\n"
    write([3, 4], 2.0)  # goes on from a checkpoint after epoch 2
    whole = header + first + "".join(f"train,{e},2,\nval,{e},2,0.25\n" for e in (3, 4))
    assert path.read_text() == whole
    assert not said
    write([1, 2], 9.0)
    assert len(said) == 1
    assert "log.csv is there already; name another file" in said[0]
    assert path.read_text() == whole
    path.write_text("my,table\n1,2\n")
    write([2], 9.0)
    assert "is no log of this kind" in said[1]
    assert path.read_text() == "my,table\n1,2\n"


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said: list[str] = []
    sinks = open_sinks([f"csv={tmp_path / 'file' / 'log.csv'}"], context(tmp_path), said.append)
    sinks.write("train", 1, {"loss": 1.0})
    sinks.close()
    assert "cannot be written" in said[0]


@pytest.mark.parametrize("package", ["wandb", "trackio"])
def test_runs_of_projects(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the package is asked for; the package itself is stood in for."""
    asked: list[object] = []
    run = types.SimpleNamespace(
        log=lambda numbers, step: asked.append((numbers, step)), finish=lambda: asked.append("finish")
    )

    def init(**options: object) -> object:
        asked.append(options)
        return run

    fake = types.SimpleNamespace(init=init, login=lambda prompt: prompt)
    monkeypatch.setitem(sys.modules, package, fake)
    monkeypatch.setenv("WANDB_MODE", "offline")
    sinks = open_sinks([f"{package}=boxes"], context(tmp_path), pytest.fail)
    sinks.write("train", 4, {"loss": 0.5})
    sinks.close()
    named = {"project": "boxes", "name": "ltr/dimp/toy", "config": {"batch": "4 samples"}}
    assert asked == [named, ({"train/loss": 0.5}, 4), "finish"]
    monkeypatch.delenv("WANDB_MODE")
    said: list[str] = []
    sinks = open_sinks(["wandb"], context(tmp_path), said.append)
    sinks.write("train", 1, {"loss": 0.5})
    sinks.close()
    if package == "wandb":  # it would ask for a key in the middle of a training
        assert "run 'wandb login' once, or set WANDB_MODE=offline" in said[0]


@pytest.mark.parametrize("package", ["wandb", "trackio"])
def test_a_missing_package_names_its_extra(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    said: list[str] = []
    sinks = open_sinks([package], context(tmp_path), said.append)
    sinks.write("train", 1, {"loss": 1.0})
    sinks.close()
    assert len(said) == 1
    assert f"ebmtrack[{package}]" in said[0]


PACKAGE = """
from pathlib import Path
from ebm.sinks import SinkContext, open_sinks
said = []
context = SinkContext(folder=Path(), title="ltr/dimp/toy", texts={{"batch": "4 samples"}})
sinks = open_sinks(["{package}=p"], context, said.append)
for epoch in (1, 2):
    sinks.write("train", epoch, {{"loss": 1.0 / epoch}})
sinks.close()
assert not said, said
"""


@pytest.mark.parametrize("package", ["wandb", "trackio"])
def test_the_packages_themselves(package: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    settings = {"WANDB_MODE": "offline", "TRACKIO_DIR": str(tmp_path)}  # read when they are imported
    done = subprocess.run(
        [sys.executable, "-c", PACKAGE.format(package=package)],
        cwd=tmp_path,
        env=os.environ | settings,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    files = [*tmp_path.rglob("*.wandb"), *tmp_path.rglob("*.db")]
    assert [file.stat().st_size > 0 for file in files] == [True]


def test_places_are_named_for_those_who_look_after_outputs(tmp_path: Path) -> None:
    found = places_of(
        [f"csv={tmp_path / 'a.csv'}", f"tensorboard={tmp_path}", "csv", "wandb=p", "visdom=h:1"]
    )
    assert found == [(tmp_path / "a.csv", False), (tmp_path, True)]
