"""The loop on a toy: exact resumption, stops, non-finite losses, files."""

import math
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from ebm.exceptions import InputError, NumericalError
from ltr.admin.loading import read_checkpoint
from tests.ltr.trainers.toy import ToyStream, toy_trainer


def same(a: Any, b: Any) -> bool:
    """Bit-equality of nested data with tensors."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return bool(a == b)


def learned(path: Path) -> dict[str, Any]:
    """What two runs must share: weights, buffers, optimizer state and random streams."""
    content = read_checkpoint(path)
    resume = content["resume"]
    return {
        "net": dict(content["net"]),
        "optimizer": content["optimizer"],
        "random": resume["random"],
        "position": resume["position"],
    }


@pytest.fixture
def reference(tmp_path: Path) -> dict[str, Any]:
    """The final state of a run that nothing disturbed."""
    assert toy_trainer(tmp_path / "whole", ToyStream()).run() == 0
    return learned(tmp_path / "whole" / "ToyNet_ep0003.pth.tar")


class Killed(BaseException):
    """Stands for a death that no code in the loop expects."""


def die() -> None:
    raise Killed


def test_a_run_that_dies_in_an_epoch_resumes_to_the_same_bits(
    tmp_path: Path, reference: dict[str, Any]
) -> None:
    with pytest.raises(Killed):
        toy_trainer(tmp_path, ToyStream(at={20 + 8: die})).run()  # third step of the second epoch
    again = toy_trainer(tmp_path, stream := ToyStream())
    again.load_state_dict(read_checkpoint(tmp_path / "ToyNet_ep0001.pth.tar"))
    assert again.run() == 0
    assert stream.drawn[0] == 20
    assert same(learned(tmp_path / "ToyNet_ep0003.pth.tar"), reference)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_in_an_epoch_leaves_a_checkpoint_that_resumes_to_the_same_bits(
    tmp_path: Path, reference: dict[str, Any], signum: int, code: int
) -> None:
    stream = ToyStream(at={20 + 8: lambda: os.kill(os.getpid(), signum)})
    assert toy_trainer(tmp_path, stream).run() == code
    again = toy_trainer(tmp_path, ToyStream())
    newest = again.folder.newest()
    assert newest is not None
    content = read_checkpoint(newest)
    assert content["resume"]["position"] == {"epoch": 1, "step": 3, "samples": 32}
    again.load_state_dict(content)
    assert again.run() == 0
    assert same(learned(tmp_path / "ToyNet_ep0003.pth.tar"), reference)
    assert not list(tmp_path.glob("*interrupted*"))


def test_the_history_of_an_interrupted_epoch_is_that_of_a_whole_one(tmp_path: Path) -> None:
    whole = toy_trainer(tmp_path / "whole", ToyStream())
    whole.run()
    part = toy_trainer(tmp_path / "part", ToyStream(at={28: lambda: os.kill(os.getpid(), signal.SIGTERM)}))
    part.run()
    again = toy_trainer(tmp_path / "part", ToyStream())
    again.load_state_dict(read_checkpoint(again.folder.newest()))
    again.run()
    expected = [(row["epoch"], row["Loss/total"]) for row in whole.history.rows("train")]
    assert [(row["epoch"], row["Loss/total"]) for row in again.history.rows("train")] == expected
    assert len(expected) == 3


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    trainer = toy_trainer(tmp_path, ToyStream(), epochs=60, step_epochs=60, validate=True)
    trainer.run()
    losses = [row["Loss/total"] for row in trainer.history.rows("val")]
    assert losses[-1] < 0.3 * losses[0]


def test_the_rate_decays_as_the_schedule_says(tmp_path: Path) -> None:
    trainer = toy_trainer(tmp_path, ToyStream())
    trainer.run()
    rates = [row["LearningRate/group0"] for row in trainer.history.rows("train")]
    assert rates == pytest.approx([0.01, 0.002, 0.0004])


def test_old_checkpoints_go_and_the_best_stays(tmp_path: Path) -> None:
    trainer = toy_trainer(tmp_path, ToyStream(), epochs=5, validate=True)
    trainer.run()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["ToyNet_best.pth.tar", "ToyNet_ep0004.pth.tar", "ToyNet_ep0005.pth.tar", "history.csv"]
    losses = [row["Loss/total"] for row in trainer.history.rows("val")]
    assert len(losses) == 5
    assert read_checkpoint(tmp_path / "ToyNet_best.pth.tar")["epoch"] == losses.index(min(losses)) + 1


def test_validation_leaves_the_training_untouched(tmp_path: Path, reference: dict[str, Any]) -> None:
    assert toy_trainer(tmp_path / "validated", ToyStream(), validate=True).run() == 0
    assert same(learned(tmp_path / "validated" / "ToyNet_ep0003.pth.tar"), reference)


def test_the_checkpoint_has_the_fields_of_the_reference(tmp_path: Path) -> None:
    toy_trainer(tmp_path, ToyStream(), epochs=1, settings={"batch_size": 4}).run()
    content = read_checkpoint(tmp_path / "ToyNet_ep0001.pth.tar")
    fields = (
        "epoch",
        "actor_type",
        "net_type",
        "net",
        "net_info",
        "constructor",
        "optimizer",
        "stats",
        "settings",
    )
    assert set(fields) <= content.keys()
    assert (content["epoch"], content["actor_type"], content["net_type"]) == (1, "ToyActor", "ToyNet")
    assert content["settings"] == {"batch_size": 4}
    assert len(content["stats"]["train"]) == 1


def test_a_few_bad_batches_are_skipped_and_kept_as_evidence(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    trainer = toy_trainer(tmp_path, ToyStream(bad=(5, 29)))
    assert trainer.run() == 0
    assert trainer.guard.count == 2
    evidence = torch.load(tmp_path / "nonfinite_ep0001_step000002.pt", weights_only=True)
    assert evidence["batch"]["sequence"] == ["s4"]
    assert evidence["batch"]["x"].isnan().any()
    assert all(value.isfinite().all() for value in evidence["net"].values())
    assert all(value.isfinite().all() for value in trainer.actor.net.state_dict().values())
    assert "was skipped" in capsys.readouterr().out
    assert all(math.isfinite(row["Loss/total"]) for row in trainer.history.rows("train"))


def test_evidence_that_cannot_be_kept_ends_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: Any) -> None:
        raise InputError("there is no space left")

    monkeypatch.setattr("ltr.trainers.guard.write_checkpoint", full)
    assert toy_trainer(tmp_path, ToyStream(bad=(5,))).run() == 0
    assert "was skipped; nothing is kept: there is no space left" in capsys.readouterr().out


def test_an_epoch_that_became_shorter_is_closed_not_skipped(tmp_path: Path) -> None:
    trainer = toy_trainer(tmp_path, ToyStream(), epochs=1)
    content = trainer.state_dict()
    content["resume"]["position"] = {"epoch": 0, "step": 7, "samples": 28}  # of five steps
    trainer.load_state_dict(content)
    assert trainer.run() == 0
    assert read_checkpoint(tmp_path / "ToyNet_ep0001.pth.tar")["resume"]["position"]["samples"] == 32


def test_a_training_state_of_another_layout_is_refused(tmp_path: Path) -> None:
    trainer = toy_trainer(tmp_path, ToyStream())
    for resume in ({}, {"position": {"epochs": 3}}, trainer.state_dict()["resume"] | {"random": {}}):
        content = trainer.state_dict() | {"resume": resume}
        with pytest.raises(InputError, match="training state .* is damaged or of another version"):
            toy_trainer(tmp_path, ToyStream()).load_state_dict(content)


def test_too_many_bad_batches_end_the_run(tmp_path: Path) -> None:
    with pytest.raises(NumericalError, match="3 are allowed.*epoch 1, step 4"):
        toy_trainer(tmp_path, ToyStream(bad=tuple(range(20)))).run()
    assert len(list(tmp_path.glob("nonfinite_*.pt"))) == 4


def test_the_gradient_is_clipped_where_asked(tmp_path: Path) -> None:
    trainer = toy_trainer(tmp_path, ToyStream(), epochs=1, clip_norm=1e-3)
    trainer.run()
    assert trainer.history.rows("train")[0]["Grad/clipped"] == 1.0


def test_weights_without_training_state_cannot_be_resumed(tmp_path: Path) -> None:
    trainer = toy_trainer(tmp_path, ToyStream())
    with pytest.raises(InputError, match="no training state"):
        trainer.load_state_dict({"net": trainer.actor.net.state_dict()})


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    trainer = toy_trainer(tmp_path, ToyStream())
    content = trainer.state_dict() | {"net": {"layers.0.weight": torch.zeros(7)}}
    with pytest.raises(InputError, match="another network"):
        trainer.load_state_dict(content)


def test_the_log_shows_loss_rate_speed_waiting_and_time_left(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    toy_trainer(tmp_path, ToyStream(), epochs=1).run()
    line = capsys.readouterr().out.splitlines()[0]
    assert re.fullmatch(
        r"epoch 1/1 1/5  ETA \d\d:\d\d  loss [\d.]+ \(bb_ce [\d.]+\)  lr 1\.0e-02  "
        r"\d+ frames/s \([\d.]+ samples/s\)  data wait \d+%",
        line,
    )


def test_a_run_in_parts_says_so_and_resumes_in_the_same_parts(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ltr.trainers.step.available_memory", lambda device: 1)
    toy_trainer(tmp_path, ToyStream(), epochs=1).run()
    assert "computed in 2 parts" in capsys.readouterr().out
    monkeypatch.setattr("ltr.trainers.step.available_memory", lambda device: 2**40)
    again = toy_trainer(tmp_path, ToyStream(), epochs=2)
    again.load_state_dict(read_checkpoint(tmp_path / "ToyNet_ep0001.pth.tar"))
    again.run()
    assert read_checkpoint(tmp_path / "ToyNet_ep0002.pth.tar")["resume"]["parts"] == 2
