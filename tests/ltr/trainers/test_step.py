"""One step: loss scaling, clipping, averaged weights, rejected steps."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ebm.exceptions import NumericalError
from ltr.admin.loading import read_checkpoint
from ltr.trainers.trainer import Trainer
from tests.ltr.trainers.test_trainer import Killed, die, learned, same
from tests.ltr.trainers.toy import ToyStream, toy_trainer


def spoil(trainer: Trainer, name: str, at: dict[int, float]) -> None:
    """Multiply the gradient (``"gradient"``) or the loss (``"loss"``) of the calls `at` by a number.

    The trainer must be told the parts of a batch, or it calls the actor once to measure them.
    """
    inner, calls = trainer.actor.__call__, [0]

    def spoilt(batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
        loss, stats = inner(batch)
        factor = at.get(calls[0], 1.0)
        calls[0] += 1
        if name == "loss":
            return loss * factor, {k: v * factor for k, v in stats.items()}
        loss.register_hook(lambda gradient: gradient * factor)
        return loss, stats

    trainer.step.actor = type("Spoilt", (), {"net": trainer.actor.net, "__call__": staticmethod(spoilt)})()


def test_without_overflow_a_scaled_loss_changes_nothing(tmp_path: Path) -> None:
    plain = toy_trainer(tmp_path / "a", ToyStream())
    plain.run()
    scaled = toy_trainer(tmp_path / "b", ToyStream(), scale_loss=True)
    scaled.run()
    assert scaled.step.scaler.get_scale() == 2.0**16
    for a, b in zip(plain.actor.net.parameters(), scaled.actor.net.parameters()):
        assert torch.equal(a, b)  # a power of two costs no digit


def test_an_overflow_of_the_scaled_loss_is_skipped_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    trainer = toy_trainer(tmp_path, ToyStream(), epochs=1, scale_loss=True, parts=1)
    spoil(trainer, "gradient", {1: float("inf"), 3: float("nan")})
    assert trainer.run() == 0
    assert trainer.step.skipped == 2
    assert trainer.guard.count == 0
    assert trainer.step.scaler.get_scale() == 2.0**14
    assert all(value.isfinite().all() for value in trainer.actor.net.state_dict().values())
    row = trainer.history.rows("train")[0]
    assert row["Grad/skipped"] == pytest.approx(2 / 5)
    assert "overflow in 40% of steps" in capsys.readouterr().out
    assert read_checkpoint(trainer.folder.epoch_file(1))["resume"]["scaler"]["scale"] == 2.0**14


def test_a_loss_that_is_not_finite_is_no_matter_of_scale(tmp_path: Path) -> None:
    trainer = toy_trainer(tmp_path, ToyStream(), epochs=1, scale_loss=True, parts=1)
    spoil(trainer, "loss", {2: float("inf")})
    assert trainer.run() == 0
    assert (trainer.step.skipped, trainer.guard.count) == (0, 1)


def test_gradients_that_overflow_at_any_scale_end_the_run(tmp_path: Path) -> None:
    trainer = toy_trainer(tmp_path, ToyStream(), epochs=10, scale_loss=True, parts=1)
    spoil(trainer, "gradient", dict.fromkeys(range(50), float("inf")))
    with pytest.raises(NumericalError, match="3 are allowed"):
        trainer.run()
    assert trainer.step.skipped == 16


def test_the_gradient_is_unscaled_before_it_is_clipped(tmp_path: Path) -> None:
    norms = []
    for scale in (False, True):
        trainer = toy_trainer(tmp_path / str(scale), ToyStream(), epochs=1, clip_norm=1.0, scale_loss=scale)
        trainer.run()
        row = trainer.history.rows("train")[0]
        norms.append((row["Grad/norm"], row["Grad/clipped"]))
    assert norms[0] == pytest.approx(norms[1], rel=1e-6)
    assert 1.0 < norms[0][0] < 100.0


def test_the_average_is_that_of_the_formula(tmp_path: Path) -> None:
    trainer = toy_trainer(tmp_path, ToyStream(), epochs=1, ema=0.4)
    name = "layers.1.weight"
    expected, update = trainer.actor.net.state_dict()[name].clone(), trainer.step.average.update

    def checked() -> None:
        update()
        nonlocal expected
        count = trainer.step.average.updates
        decay = min(0.4, (1 + count) / (10 + count))
        expected = decay * expected + (1 - decay) * trainer.actor.net.state_dict()[name]

    trainer.step.average.update = checked
    trainer.run()
    content = read_checkpoint(trainer.folder.epoch_file(1))
    torch.testing.assert_close(content["net_ema"][name], expected, rtol=1e-5, atol=1e-7)
    assert not torch.equal(content["net_ema"][name], content["net"][name])
    assert content["net_ema"].keys() == content["net"].keys()
    assert content["net_ema"]["layers.0.num_batches_tracked"] == 5


def test_validation_is_of_the_averaged_weights_and_leaves_the_trained_ones(tmp_path: Path) -> None:
    plain = toy_trainer(tmp_path / "a", ToyStream(), validate=True)
    plain.run()
    averaged = toy_trainer(tmp_path / "b", ToyStream(), validate=True, ema=0.9)
    averaged.run()
    for a, b in zip(plain.actor.net.state_dict().values(), averaged.actor.net.state_dict().values()):
        assert torch.equal(a, b)
    assert averaged.history.rows("val")[-1]["Loss/total"] != plain.history.rows("val")[-1]["Loss/total"]
    averaged.actor.net.load_state_dict(read_checkpoint(averaged.folder.epoch_file(3))["net_ema"])
    averaged.actor.eval()
    with torch.no_grad():
        losses = [float(averaged.actor(batch)[0]) for batch in ToyStream()(10_000, 8)]
    assert sum(losses) / 2 == pytest.approx(averaged.history.rows("val")[-1]["Loss/total"], rel=1e-5)


def test_scale_average_and_counts_survive_a_death(tmp_path: Path) -> None:
    options: dict[str, Any] = {"parts": 1, "scale_loss": True, "ema": 0.9, "clip_norm": 1.0}
    overflow = {3: float("inf"), 6: float("inf")}
    whole = toy_trainer(tmp_path / "whole", ToyStream(), **options)
    spoil(whole, "gradient", overflow)
    whole.run()
    died = toy_trainer(tmp_path / "died", ToyStream(at={20 + 16: die}), **options)
    spoil(died, "gradient", overflow)
    with pytest.raises(Killed):
        died.run()
    again = toy_trainer(tmp_path / "died", ToyStream(), **options)
    spoil(again, "gradient", {6 - 5: float("inf")})  # the step that is repeated
    again.load_state_dict(read_checkpoint(again.folder.newest()))
    again.run()
    ends = [read_checkpoint(tmp_path / name / "ToyNet_ep0003.pth.tar") for name in ("whole", "died")]
    assert same(*(learned(tmp_path / name / "ToyNet_ep0003.pth.tar") for name in ("whole", "died")))
    assert same(dict(ends[0]["net_ema"]), dict(ends[1]["net_ema"]))
    for key in ("scaler", "skipped", "ema_updates"):
        assert ends[0]["resume"][key] == ends[1]["resume"][key]
    assert ends[0]["resume"]["skipped"] == 2
