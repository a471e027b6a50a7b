"""Training by iterations: rates and steps by hand."""

import math
import os
import signal
from pathlib import Path

import pytest
import torch
from torch import nn

from ebm.exceptions import DomainError, InputError, NumericalError
from ebm.fitting.checkpoints import Call, Checkpoint
from ebm.training.iterations import Optimisation, train


def line() -> nn.Linear:
    net = nn.Linear(1, 1)
    nn.init.constant_(net.weight, 1.0)
    nn.init.constant_(net.bias, 0.5)
    return net


def falling(net: nn.Linear):  # type: ignore[no-untyped-def]
    """Loss w + 2 b."""

    def step(iteration: int) -> dict[str, float]:
        loss = net.weight.sum() + 2 * net.bias.sum()
        loss.backward()
        return {"loss": loss.item()}

    return step


def test_two_steps_by_hand() -> None:
    net = line()
    plan = Optimisation(rate=0.1, iterations=2, momentum=0.5, weight_decay=0.2)
    trained = train(net, falling(net), plan)
    # Weight: gradient 1 + 0.2 w. 1 -> 1 - 0.1 * 1.2; then velocity 0.5 * 1.2 + (1 + 0.2 * 0.88).
    assert net.weight.item() == pytest.approx(0.88 - 0.1 * (0.6 + 1.176))
    # Bias: twice the rate and no decay; velocity 2, then 0.5 * 2 + 2.
    assert net.bias.item() == pytest.approx(0.5 - 0.2 * 2 - 0.2 * 3)
    assert [row["loss"] for row in trained.history] == pytest.approx([2.0, 0.88 + 2 * 0.1])
    assert (trained.iterations, trained.exit_code) == (2, 0)


def test_the_rate_rises_and_falls_as_published() -> None:
    plan = Optimisation(rate=1e-3, iterations=60_000, drops=(40_000, 50_000), warmup=500)
    at = {0: 1 / 3, 250: 2 / 3, 500: 1.0, 39_999: 1.0, 40_000: 0.1, 50_000: 0.01, 59_999: 0.01}
    for iteration, factor in at.items():
        assert plan.factor(iteration) == pytest.approx(factor)


def test_gradients_are_clipped() -> None:
    net = line()
    plan = Optimisation(rate=1.0, iterations=1, clip_norm=math.sqrt(5) / 10, weight_decay=0)
    train(net, falling(net), plan)  # the gradient (1, 2) becomes (0.1, 0.2)
    assert net.weight.item() == pytest.approx(0.9, abs=1e-6)
    assert net.bias.item() == pytest.approx(0.5 - 2 * 0.2, abs=1e-6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": 0.0},
        {"iterations": 0},
        {"momentum": 2.0},
        {"clip_norm": -1.0},
        {"warmup": -1},
        {"drops": (-3,)},
    ],
)
def test_numbers_out_of_their_domain_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(DomainError):
        Optimisation(**{"rate": 0.1, "iterations": 3, **wrong})


def test_a_loss_that_is_no_number_ends_the_training() -> None:
    net = line()
    with pytest.raises(NumericalError, match="loss of iteration 1 is nan: lower the learning rate"):
        train(net, lambda _: {"loss": math.nan}, Optimisation(rate=0.1, iterations=3))


def checkpoint(path: Path) -> Checkpoint:
    return Checkpoint.open(path, Call(settings={}, rows="", weights=""), "a test")


def test_a_signal_ends_it_between_two_steps_and_it_goes_on(tmp_path: Path) -> None:
    plan = Optimisation(rate=0.1, iterations=5)
    whole, net = line(), line()
    train(whole, falling(whole), plan)
    step = falling(net)

    def interrupted(iteration: int) -> dict[str, float]:
        if iteration == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(iteration)  # type: ignore[no-any-return]

    trained = train(net, interrupted, plan, checkpoint=checkpoint(tmp_path / "c"))
    assert (trained.iterations, trained.exit_code) == (3, 143)
    again = line()
    trained = train(again, falling(again), plan, checkpoint=checkpoint(tmp_path / "c"))
    assert torch.equal(again.weight, whole.weight)
    assert torch.equal(again.bias, whole.bias)
    assert [row["iteration"] for row in trained.history] == [1, 2, 3, 4, 5]


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    net = line()
    train(net, falling(net), Optimisation(rate=0.1, iterations=2), checkpoint=checkpoint(tmp_path / "c"))
    wide = nn.Linear(3, 1)
    with pytest.raises(InputError, match="is damaged or was changed"):
        train(
            wide, falling(wide), Optimisation(rate=0.1, iterations=2), checkpoint=checkpoint(tmp_path / "c")
        )
