"""The training loop: what decides when it ends, and with which weights."""

import math

import pytest
import torch
from torch import Tensor, nn

from ebm.exceptions import NumericalError
from ebm.fitting.best import HeldOut
from ebm.fitting.config import FitConfig
from ebm.fitting.loop import History, minimise
from ebm.nn.members import side_by_side


def run(values: list[float], config: FitConfig) -> tuple[History, list[float], float]:
    """Train one number upwards against given held-out values; also the number by epoch, and at last."""
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    at: list[float] = []
    remaining = iter(values)

    def held_out() -> HeldOut:
        at.append(net.weight.item())
        value = next(remaining)
        return HeldOut(value, value)

    history = minimise(
        net,
        lambda rows: -net.weight.sum(),  # constant gradient: AdamW's step is the learning rate
        held_out,
        1,
        config,
        generator=torch.Generator().manual_seed(0),
    )
    return history, at, net.weight.item()


CONFIG = FitConfig(epochs=10, patience=3, learning_rate=0.1, weight_decay=0.0, batch_size=1)


def test_all_epochs_are_used_while_the_value_falls() -> None:
    history, at, final = run([10.0 - k for k in range(10)], CONFIG)
    assert history.best_epoch == 9
    steps = [b - a for a, b in zip([0.0, *at], at)]
    expected = [0.1 * 0.5 * (1 + math.cos(math.pi * k / 10)) for k in range(10)]
    assert steps == pytest.approx(expected, rel=1e-4)
    assert final == pytest.approx(at[-1])


def test_without_progress_it_goes_back_and_cools_down() -> None:
    history, at, final = run([5.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 99.0], CONFIG)
    assert len(history.held_out_nll) == 8  # 2 good epochs, 3 of patience, 3 of falling rate
    assert history.best_epoch == 1
    assert final == pytest.approx(at[1])
    start = 0.1 * 0.5 * (1 + math.cos(math.pi * 2 / 10))
    assert at[5] - at[1] == pytest.approx(start, rel=1e-4)
    assert at[7] - at[6] == pytest.approx(start * 0.5 * (1 + math.cos(math.pi * 2 / 3)), rel=1e-4)


def test_the_cooling_epochs_can_be_the_best() -> None:
    history, at, final = run([5.0, 1.0, 2.0, 2.0, 2.0, 2.0, 0.5, 2.0], CONFIG)
    assert history.best_epoch == 6
    assert final == pytest.approx(at[6])


def test_a_value_that_is_not_finite_ends_it_with_the_best_weights() -> None:
    with pytest.warns(UserWarning, match="stopped in epoch 2, the best weights so far are kept"):
        history, at, final = run([5.0, 1.0, math.nan], CONFIG)
    assert history.held_out_nll == (5.0, 1.0)
    assert final == pytest.approx(at[1])
    assert len(history.train_loss) == 2


def test_a_value_that_is_never_finite_is_an_error() -> None:
    with pytest.raises(NumericalError, match="first epoch: the held-out NLL is inf"):
        run([math.inf], CONFIG)


def test_batches_are_nearly_equal_and_cover_every_row_once() -> None:
    seen: list[Tensor] = []
    net = nn.Linear(1, 1)

    def batch_loss(rows: Tensor) -> Tensor:
        seen.append(rows)
        return net.weight.sum()

    config = FitConfig(epochs=1, batch_size=32)
    minimise(
        net, batch_loss, lambda: HeldOut(0.0, 0.0), 33, config, generator=torch.Generator().manual_seed(0)
    )
    assert sorted(map(len, seen)) == [16, 17]
    assert torch.equal(torch.cat(seen).sort().values, torch.arange(33))


def test_each_of_several_networks_keeps_its_own_best_weights() -> None:
    """The first network is best after epoch 1, the second after epoch 2; own networks and layers alike."""
    nets = [nn.Sequential(nn.Sequential(nn.Linear(1, 1), nn.LayerNorm(1)), nn.Linear(1, 1)) for _ in range(2)]
    joint = side_by_side(nets, whole=("0",))
    measured = iter([(1.0, 2.0), (0.5, 3.0), (4.0, 1.0), (5.0, 5.0)])
    seen = []

    def held_out() -> HeldOut:
        seen.append({name: tensor.clone() for name, tensor in joint.state_dict().items()})
        values = torch.tensor(next(measured))
        return HeldOut(values, values)

    minimise(
        joint,
        lambda rows: joint(torch.ones(2, 1)).square().sum(),
        held_out,
        4,
        FitConfig(epochs=4, batch_size=4),
        generator=torch.Generator().manual_seed(0),
    )
    state = joint.state_dict()
    for k, epoch in enumerate((1, 2)):
        assert torch.equal(state["1.weight"][k], seen[epoch]["1.weight"][k])
        assert torch.equal(state[f"0.{k}.0.weight"], seen[epoch][f"0.{k}.0.weight"])
