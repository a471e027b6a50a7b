"""Spec group 19: adaptors with PyTracking's call signature against the formulas of spec 9.1, written out."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import ebm
from ebm.boxes import rect_to_rel
from ebm.exceptions import DomainError, ShapeError, UnknownNameError
from ebm.losses import ltr
from ebm.losses.functional import cnce, nce
from ebm.losses.ltr import (
    CNCERegression,
    KLRegression,
    KLRegressionGrid,
    MLRegression,
    NCERegression,
    sample_box_nce,
)
from ebm.proposals import GaussianMixtureProposal

SIGMAS = [(0.05, 0.05), (0.5, 0.5)]


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(seed: int, rows: int = 4, count: int = 9) -> tuple[Tensor, Tensor, Tensor]:
    """Scores, proposal densities and label densities, some of these zero."""
    generator = seeded(seed)
    scores = 2 * torch.randn(rows, count, generator=generator)
    density = 0.05 + 5 * torch.rand(rows, count, generator=generator)
    label = torch.rand(rows, count, generator=generator)
    return scores, density, label * (label > 0.3)


@given(seed=st.integers(0, 1000), eps=st.sampled_from([0.0, 1e-3]))
@settings(max_examples=25, deadline=None)
def test_kl_regression_is_its_formula(seed: int, eps: float) -> None:
    f, q, p = batch(seed)
    log_z = ((f.exp() / (q + eps)).mean(1)).log()
    expected = (log_z - (f * p / (q + eps)).mean(1)).mean()
    torch.testing.assert_close(KLRegression(eps)(f, q, p), expected, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(KLRegression(eps)(f.T, q.T, p.T, mc_dim=0), expected, atol=1e-6, rtol=1e-6)


@given(seed=st.integers(0, 1000), eps=st.sampled_from([0.0, 1e-3]))
@settings(max_examples=25, deadline=None)
def test_ml_regression_is_its_formula(seed: int, eps: float) -> None:
    f, q, p = batch(seed)
    q[:, 0] = -1
    expected = ((f[:, 1:].exp() / (q[:, 1:] + eps)).mean(1).log() - f[:, 0]).mean()
    torch.testing.assert_close(MLRegression(eps)(f, q, p, mc_dim=1), expected, atol=1e-6, rtol=1e-6)


@given(seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_nce_regression_with_linear_densities_is_nce_with_their_logarithms(seed: int) -> None:
    f, q, p = batch(seed)
    expected = nce(f, q.log())
    torch.testing.assert_close(NCERegression()(f, q, p), expected, atol=1e-6, rtol=1e-6)
    for dim in (0, -2):
        torch.testing.assert_close(NCERegression()(f.T, q.T, mc_dim=dim), expected, atol=1e-6, rtol=1e-6)
    frames = [t.unflatten(0, (2, 2)) for t in (f, q)]  # (frames, sequences, samples)
    torch.testing.assert_close(NCERegression()(*frames, mc_dim=2), expected, atol=1e-6, rtol=1e-6)
    moved = [t.movedim(2, 1) for t in frames]
    torch.testing.assert_close(NCERegression()(*moved, mc_dim=1), expected, atol=1e-6, rtol=1e-6)


def test_cnce_regression_takes_both_densities() -> None:
    f, q, p = batch(0)
    expected = cnce(f, ((p + 0.1) / q).log()[:, 1:])
    torch.testing.assert_close(CNCERegression()(f, q, p + 0.1), expected)
    torch.testing.assert_close(CNCERegression()(f.T, q.T, p.T + 0.1, mc_dim=0), expected)
    torch.testing.assert_close(CNCERegression()(f, q), cnce(f))
    with pytest.raises(DomainError, match="gt_density must be > 0, got 0"):
        CNCERegression()(f, q, torch.zeros_like(q))


def test_boxes_for_conditional_nce_come_with_their_way_back() -> None:
    label = torch.tensor([10.0, 20.0, 30.0, 60.0])
    boxes, there, back = sample_box_nce(label, SIGMAS, 8, way_back=True, generator=seeded())
    plain = sample_box_nce(label, SIGMAS, 8, generator=seeded())
    assert torch.equal(boxes, plain[0])
    assert torch.equal(there, plain[1])
    noise = GaussianMixtureProposal(SIGMAS, layout="box")
    for box, density in zip(boxes, back):
        offset = rect_to_rel(label, box[2:]) - rect_to_rel(box, box[2:])
        unit = (box[2:] / label[2:]).log().sum()
        torch.testing.assert_close(density.log(), noise.log_prob_offset(offset) - unit, atol=2e-3, rtol=1e-3)
    assert CNCERegression()(torch.zeros(1, 9), there[None], back[None], mc_dim=1) != math.log(2)
    with pytest.raises(DomainError, match="leave out beta"):
        sample_box_nce(label, SIGMAS, 1, 0.1, way_back=True)


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_grid_regression_is_its_formula(scale: float) -> None:
    f = torch.randn(3, 5, 4, generator=seeded())
    p = torch.rand(3, 5, 4, generator=seeded(1))
    expected = ((scale * f.exp().sum((1, 2))).log() - scale * (p * f).sum((1, 2))).mean()
    torch.testing.assert_close(KLRegressionGrid()(f, p, (-2, -1), scale), expected)
    torch.testing.assert_close(KLRegressionGrid()(f.flatten(1), p.flatten(1), grid_scale=scale), expected)


def test_a_grid_that_is_fine_enough_gives_the_divergence_of_two_gaussians() -> None:
    y = torch.linspace(-12, 12, 4001).double()
    log_p = -y.square() / 2 - 0.5 * math.log(2 * math.pi)
    cell = 24 / 4000
    minus_entropy = -0.5 * math.log(2 * math.pi * math.e)
    # The model is N(1, 2^2), unnormalised: KL = log 2 + (1 + 1) / 8 - 1/2.
    value = KLRegressionGrid()(-(y - 1).square()[None] / 8, log_p.exp()[None], grid_scale=cell)
    assert value.item() + minus_entropy == pytest.approx(math.log(2) + 0.25 - 0.5, abs=1e-6)


def test_gradients_reach_the_scores() -> None:
    f, q, p = batch(0)
    marked = torch.cat((torch.full((4, 1), -1.0), q[:, 1:]), 1)
    for run in (
        lambda s: KLRegression()(s, q, p),
        lambda s: MLRegression()(s, marked),
        lambda s: NCERegression()(s, q),
        lambda s: CNCERegression()(s, q),
        lambda s: KLRegressionGrid()(s, p),
    ):
        scores = f.clone().double().requires_grad_()
        (gradient,) = torch.autograd.grad(run(scores.float()), scores)
        assert gradient.isfinite().all()
        assert gradient.abs().sum() > 0


def test_half_precision_scores_do_not_overflow() -> None:
    f = torch.full((2, 4), 1e4, dtype=torch.float16)
    f[:, 0] = -1e4
    q = torch.ones(2, 4)
    assert NCERegression()(f, q).dtype == torch.float32
    assert NCERegression()(f, q).isfinite()
    assert CNCERegression()(f, q).isfinite()
    assert KLRegression()(f, q, q).isfinite()


def test_the_mark_of_a_label_belongs_to_ml_regression_alone() -> None:
    f, q, p = batch(0)
    with pytest.raises(DomainError, match="column 0 of sample_density must be -1.*NCERegression"):
        MLRegression()(f, q)
    q[:, 0] = -1
    with pytest.raises(
        DomainError, match=r"must be > 0, got -1 at \[0, 0\]; -1 marks labels for MLRegression"
    ):
        NCERegression()(f, q)
    with pytest.raises(DomainError, match="must be > 0, got -1"):
        KLRegression()(f, q, p)
    with pytest.raises(DomainError, match="must be > 0, got 0"):
        NCERegression()(f, torch.zeros_like(q))
    assert NCERegression(eps=1e-6)(f, torch.zeros_like(q)).isfinite()
    NCERegression(validate=False)(f, q)


def test_misfits_are_refused() -> None:
    f, q, p = batch(0)
    with pytest.raises(ShapeError, match=r"scores \(4, 9\), sample_density \(4, 8\)"):
        NCERegression()(f, q[:, 1:])
    with pytest.raises(ShapeError, match="mc_dim = 2"):
        NCERegression()(f, q, mc_dim=2)
    with pytest.raises(ShapeError, match=r"mc_dim = 1, got \(4, 9\), mc_dim = 0"):
        MLRegression()(f, q, mc_dim=0)
    with pytest.raises(ShapeError, match="M must be >= 1"):
        NCERegression()(f[:, :1], q[:, :1])
    with pytest.raises(ShapeError, match="equal shapes"):
        KLRegressionGrid()(f, p[:, 1:])
    with pytest.raises(DomainError, match="gt_density must be >= 0"):
        KLRegression()(f, q, p - 1)
    with pytest.raises(DomainError, match="grid_scale"):
        KLRegressionGrid()(f, p, grid_scale=0)
    for eps in (-1.0, math.nan):
        with pytest.raises(DomainError, match="eps"):
            NCERegression(eps)


def test_boxes_for_nce_start_with_the_label() -> None:
    label = torch.tensor([10.0, 20.0, 30.0, 60.0])
    boxes, density, zeros = sample_box_nce(label, SIGMAS, 64, generator=seeded())
    assert boxes.shape == (65, 4)
    torch.testing.assert_close(boxes[0], label)
    # 0.5 (2 pi)^-2 (0.05^-4 + 0.5^-4), spec 9.2.
    assert density[0].item() == pytest.approx(2026.6, rel=1e-4)
    assert zeros.count_nonzero() == 0
    assert (boxes[:, 2:] > 0).all()
    offsets = rect_to_rel(boxes, label[2:]) - rect_to_rel(label, label[2:])
    noise = GaussianMixtureProposal(SIGMAS, layout="box")
    torch.testing.assert_close(density.log(), noise.log_prob_offset(offsets), atol=1e-2, rtol=1e-3)
    again = sample_box_nce(label, SIGMAS, 64, generator=seeded())[0]
    assert torch.equal(again, boxes)


@pytest.mark.parametrize(("mode", "factor"), [("std", 0.1), ("variance", math.sqrt(0.1))])
def test_boxes_for_nce_plus_start_with_a_moved_label_and_the_density_of_the_plain_noise(
    mode: str, factor: float
) -> None:
    label = torch.tensor([10.0, 20.0, 30.0, 60.0])
    generator = seeded()
    drawn = [sample_box_nce(label, SIGMAS, 1, 0.1, mode, generator=generator) for _ in range(400)]
    first = torch.stack([boxes[0] for boxes, _, _ in drawn])
    nu = rect_to_rel(first, label[2:]) - rect_to_rel(label, label[2:])
    spread = factor * math.sqrt((0.05**2 + 0.5**2) / 2)
    torch.testing.assert_close(nu.std(0), torch.full((4,), spread), rtol=0.2, atol=0)
    noise = GaussianMixtureProposal(SIGMAS, layout="box")
    density = torch.stack([d[0] for _, d, _ in drawn])
    torch.testing.assert_close(density.log(), noise.log_prob_offset(nu), atol=5e-3, rtol=1e-3)


def test_beta_zero_is_nce() -> None:
    label = torch.tensor([10, 20, 30, 60])  # integers are numbers
    zero = sample_box_nce(label, SIGMAS, 5, 0.0, generator=seeded())
    none = sample_box_nce(label, SIGMAS, 5, None, generator=seeded())
    assert all(torch.equal(a, b) for a, b in zip(zero, none))


def test_boxes_and_loss_fit_together() -> None:
    boxes, density, zeros = sample_box_nce(torch.tensor([0.0, 0.0, 10.0, 10.0]), SIGMAS, 16, 0.1)
    flat = NCERegression()(density.log()[None], density[None], zeros[None], mc_dim=1)
    assert flat.item() == pytest.approx(math.log(17), rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"mean_box": torch.zeros(1, 4)}, ShapeError),
        ({"mean_box": torch.tensor([0.0, 0, 0, 5])}, DomainError),
        ({"proposal_sigma": [(0.1, 0.0)]}, DomainError),
        ({"proposal_sigma": [0.1, 0.2]}, ShapeError),
        ({"num_samples": 0}, DomainError),
        ({"beta": -0.1}, DomainError),
        ({"beta": 0.1, "beta_mode": "sd"}, UnknownNameError),
    ],
)
def test_impossible_boxes_are_refused(arguments: dict, error: type[ValueError]) -> None:
    with pytest.raises(error):
        sample_box_nce(
            **{"mean_box": torch.tensor([0.0, 0, 5, 5]), "proposal_sigma": SIGMAS, "num_samples": 3}
            | arguments
        )


def test_the_package_hands_them_on() -> None:
    assert all(getattr(ebm, name) is getattr(ltr, name) for name in ltr.__all__)
