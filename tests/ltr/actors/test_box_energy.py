"""Box losses against closed forms."""

import math

import pytest
import torch
from torch import Tensor

from ebm.exceptions import DomainError, UnknownNameError
from ltr.actors.box_energy import BoxEnergyLoss

SIGMA = (0.05, 0.05, 0.05, 0.05)


def rows(count: int = 6, boxes: int = 9) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    energy, log_q, log_p = (torch.randn(count, boxes, generator=generator) for _ in range(3))
    return energy, log_q, log_p


@pytest.mark.parametrize("method", ["nce", "nce_plus"])
def test_nce_of_the_noise_itself_is_log_of_the_number_of_boxes(method: str) -> None:
    _, log_q, log_p = rows()
    loss, stats = BoxEnergyLoss(method)(log_q + 3.0, log_q, log_p, torch.ones(6, dtype=torch.bool))
    torch.testing.assert_close(loss, torch.tensor(math.log(9.0)))
    assert 0 <= stats["BBReg/label_rank_acc"] <= 1


def test_the_rank_accuracy_counts_labels_that_win() -> None:
    energy = torch.zeros(4, 3)
    energy[:3, 0] = 5.0
    energy[3, 1] = 5.0
    _, stats = BoxEnergyLoss("nce")(
        energy, torch.zeros(4, 3), torch.zeros(4, 3), torch.ones(4, dtype=torch.bool)
    )
    torch.testing.assert_close(stats["BBReg/label_rank_acc"], torch.tensor(0.75))


def test_kl_of_the_label_density_itself_is_zero() -> None:
    generator = torch.Generator().manual_seed(0)
    offset = torch.randn(4, 20_000, 4, generator=generator) * 0.05
    log_p = torch.distributions.Normal(0.0, 0.05).log_prob(offset).sum(-1)
    loss, stats = BoxEnergyLoss("kld_is", SIGMA)(log_p, log_p, log_p, torch.ones(4, dtype=torch.bool))
    entropy = 4 * (0.5 * math.log(2 * math.pi * math.e) + math.log(0.05))
    assert entropy == pytest.approx(-6.307, abs=1e-3)
    torch.testing.assert_close(loss, torch.tensor(entropy), atol=0.05, rtol=0)
    torch.testing.assert_close(stats["BBReg/kl"], torch.tensor(0.0), atol=0.05, rtol=0)
    torch.testing.assert_close(stats["BBReg/effective_samples"], torch.tensor(20_000.0))


def test_conditional_nce_by_hand() -> None:
    energy = torch.tensor([[1.0, 1.0, 1.0 - math.log(3)]])
    log_q, back = torch.tensor([[5.0, 0.0, 0.0]]), torch.tensor([[5.0, math.log(3), math.log(3)]])
    loss, _ = BoxEnergyLoss("cnce")(energy, log_q, back, torch.ones(1, dtype=torch.bool))
    torch.testing.assert_close(loss.item(), (math.log(4) + math.log(2)) / 2)


def test_ml_is_by_hand() -> None:
    energy = torch.tensor([[2.0, 0.0, 0.0]])
    loss, stats = BoxEnergyLoss("ml_is")(
        energy, torch.zeros(1, 3), torch.zeros(1, 3), torch.ones(1, dtype=torch.bool)
    )
    torch.testing.assert_close(loss, torch.tensor(-2.0))  # log-sum-exp of two zeros, minus log 2, minus 2
    assert stats == {}


@pytest.mark.parametrize("method", ["nce", "nce_plus", "cnce", "kld_is", "ml_is"])
def test_rows_without_a_box_do_not_count(method: str) -> None:
    energy, log_q, log_p = rows()
    valid = torch.tensor([True, False, True, True, False, True])
    energy[~valid] = float("nan")
    energy.requires_grad_()
    loss, stats = BoxEnergyLoss(method, SIGMA)(energy, log_q, log_p, valid)
    kept = energy.detach()[valid]
    alone, alone_stats = BoxEnergyLoss(method, SIGMA)(kept, log_q[valid], log_p[valid], valid[valid])
    torch.testing.assert_close(loss, alone)
    for name, value in alone_stats.items():
        torch.testing.assert_close(stats[name], value)
    loss.backward()
    assert energy.grad is not None
    assert (energy.grad[~valid] == 0).all()
    assert energy.grad[valid].abs().sum() > 0


@pytest.mark.parametrize("method", ["nce", "nce_plus", "cnce", "kld_is", "ml_is"])
def test_no_box_at_all_is_no_loss(method: str) -> None:
    energy, log_q, log_p = rows()
    loss, _ = BoxEnergyLoss(method, SIGMA)(energy, log_q, log_p, torch.zeros(6, dtype=torch.bool))
    assert loss == 0


@pytest.mark.parametrize("method", ["nce", "nce_plus", "cnce", "kld_is", "ml_is"])
def test_half_precision_energies_are_computed_on_in_single(method: str) -> None:
    energy, log_q, log_p = rows()
    valid = torch.ones(6, dtype=torch.bool)
    half = energy.bfloat16()
    loss, _ = BoxEnergyLoss(method, SIGMA)(half, log_q, log_p, valid)
    exact, _ = BoxEnergyLoss(method, SIGMA)(half.float(), log_q, log_p, valid)
    assert loss.dtype == torch.float32
    assert loss == exact


def test_an_unknown_method_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="nce_plus"):
        BoxEnergyLoss("nce+")


def test_kld_needs_its_label_density() -> None:
    with pytest.raises(DomainError, match="four positive"):
        BoxEnergyLoss("kld_is", (0.05, 0.05))
