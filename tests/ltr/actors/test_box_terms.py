"""The box branch's terms by hand, and frames without a box."""

import pytest
import torch

from ltr.actors.box_energy import BoxEnergyLoss
from ltr.actors.box_terms import EnergyTerm, OverlapTerm

ENERGY = EnergyTerm(loss=BoxEnergyLoss("ml_is"), weight=0.5)


def batch(*shown: bool) -> dict[str, torch.Tensor]:
    """One frame of as many sequences, three boxes each; a frame without a target lies far outside."""
    anno = torch.tensor([[[10.0 if s else 99999.0, 10.0, 5.0, 5.0] for s in shown]])
    flat = torch.zeros(1, len(shown), 3)
    return {"test_anno": anno, "proposal_iou": flat, "proposal_log_q": flat, "gt_log_density": flat}


def test_the_overlap_term_is_the_mean_squared_error() -> None:
    prediction = torch.tensor([[[1.0, 2.0, 0.0], [0.0, 0.0, 3.0]]])
    loss, stats = OverlapTerm(weight=10.0)(prediction, batch(True, True))
    assert loss.item() == pytest.approx(10 * (5 + 9) / 6)
    assert stats == {"Loss/iou": loss}
    assert not stats["Loss/iou"].requires_grad


def test_the_energy_term_weighs_the_loss() -> None:
    prediction = torch.tensor([[[2.0, 0.0, 0.0]]], requires_grad=True)
    loss, stats = ENERGY(prediction, batch(True))
    assert loss.item() == pytest.approx(-1.0)
    assert {name: value.item() for name, value in stats.items()} == {
        "Loss/bb_ce": -2.0,
        "Loss/loss_bb_ce": -1.0,
    }


@pytest.mark.parametrize("term", [OverlapTerm(), ENERGY], ids=["overlap", "energy"])
def test_frames_without_a_box_do_not_count(term) -> None:
    prediction = torch.tensor([[[1.0, 2.0, 0.5], [torch.nan] * 3, [0.3, 0.2, 0.1]]], requires_grad=True)
    loss, _ = term(prediction, batch(True, False, True))
    alone, _ = term(prediction.detach()[:, [0, 2]], batch(True, True))
    torch.testing.assert_close(loss, alone)
    (gradient,) = torch.autograd.grad(loss, prediction)
    assert gradient[0, 1].eq(0).all()
    assert gradient[0, 0].abs().sum() > 0


@pytest.mark.parametrize("term", [OverlapTerm(), ENERGY], ids=["overlap", "energy"])
def test_no_box_at_all_is_no_loss(term) -> None:
    """Defect D-14: the published mean over nothing is not a number, and ends the epoch."""
    prediction = torch.randn(1, 2, 3, requires_grad=True)
    loss, _ = term(prediction, batch(False, False))
    assert loss.item() == 0
    assert torch.autograd.grad(loss, prediction)[0].eq(0).all()
