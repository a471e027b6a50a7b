"""The unrolled filter optimisers against published numbers and what their formulas imply."""

import math

import pytest
import torch

from ebm.exceptions import ShapeError, UnknownNameError
from ltr.models.layers.filter import apply_filter
from ltr.models.target_classifier.filter_optimizer import FilterOptimizer, target_centers
from ltr.models.target_classifier.optimizer import (
    DiMPL2SteepestDescentGN,
    DiMPSteepestDescentGN,
    PrDiMPSteepestDescentNewton,
)
from ltr.models.target_classifier.score_objectives import gaussian_around

BOXES = torch.tensor(
    [
        [[20.0, 16, 30, 24], [30, 24, 28, 20], [10, 30, 40, 26]],
        [[24.0, 20, 30, 24], [26, 28, 28, 20], [14, 26, 40, 26]],
    ]
)
DIMP = {
    "num_iter": 3,
    "init_step_length": 0.9,
    "init_filter_reg": 0.1,
    "init_gauss_sigma": 0.9,
    "num_dist_bins": 10,
    "bin_displacement": 0.5,
    "mask_init_factor": 3.0,
}
BENT = {"mask_init_factor": 0.25, "score_act": "bentpar", "act_param": 0.5, "mask_act": "linear"}
WEIGHTS = torch.tensor([[0.7, 0.6, 0.5], [0.3, 0.4, 0.5]])
L2 = {"num_iter": 3, "gauss_sigma": 0.9, "hinge_threshold": 0.05, "init_filter_reg": 0.1}
KL = {"num_iter": 3, "init_filter_reg": 0.05, "gauss_sigma": 0.9, "min_filter_reg": 0.05}
KL_SHIPPED = {**KL, "alpha_eps": 0.05, "normalize_label": True}
KL_ALL = {**KL, "softmax_reg": 1.0, "init_uni_weight": 0.1, "label_shrink": 0.1, "label_threshold": 0.01}
CASES = {
    "relu": (
        lambda: DiMPSteepestDescentGN(**DIMP),
        {},
        (5.048803, 2.888023, 2.493170, 2.332921),
        (-0.022656, 4.181881, -0.025753, -0.023723),
    ),
    "bent": (
        lambda: DiMPSteepestDescentGN(**{**DIMP, **BENT}),
        {},
        (4.883813, 2.965993, 2.579166, 2.412200),
        (-0.015017, 4.052959, -0.021617, -0.029176),
    ),
    "weighted": (
        lambda: DiMPSteepestDescentGN(**DIMP),
        {"num_iter": 2, "sample_weight": WEIGHTS},
        (5.082883, 2.878153, 2.468436),
        (0.006122, 4.284213, -0.027821, -0.027746),
    ),
    "l2": (
        lambda: DiMPL2SteepestDescentGN(**L2),
        {},
        (5.793865, 3.045973, 2.392915, 2.224777),
        (-0.055252, 3.770234, -0.033885, -0.025206),
    ),
    "prdimp": (
        lambda: PrDiMPSteepestDescentNewton(**KL_SHIPPED),
        {},
        (3.750545, 3.646279, 3.593182, 3.554682),
        (-0.199724, 7.989613, -0.059343, -0.002364),
    ),
    "prdimp_all": (
        lambda: PrDiMPSteepestDescentNewton(**KL_ALL),
        {},
        (3.816797, 3.734405, 3.695737, 3.667526),
        (-0.125497, 7.162062, -0.056159, -0.000054),
    ),
}
FAMILY = {name: CASES[name][0] for name in ("relu", "l2", "prdimp", "prdimp_all")}


@pytest.fixture
def problem(pattern):
    return {"weights": 0.05 * pattern((3, 4, 4, 4), 1.3), "feat": pattern((2, 3, 4, 5, 6), 0.7), "bb": BOXES}


@pytest.mark.parametrize("case", CASES)
def test_anchors(case, problem, check_summary) -> None:
    build, call, losses, final = CASES[case]
    weights, iterates, found = build().train()(**problem, **call)
    assert torch.stack(found).shape == (len(losses),)
    torch.testing.assert_close(torch.stack(found), torch.tensor(losses), rtol=1e-4, atol=0)
    check_summary(weights, final)
    assert len(iterates) == len(losses)
    assert iterates[0] is problem["weights"]
    assert iterates[-1] is weights


def test_losses_are_skipped_and_the_filter_is_the_same(problem, monkeypatch) -> None:
    optimizer = DiMPSteepestDescentGN(**DIMP)
    expected = optimizer(**problem)[0]

    def forbidden(*args: object) -> None:
        raise AssertionError("a loss was evaluated")

    monkeypatch.setattr(FilterOptimizer, "_total_loss", staticmethod(forbidden))
    weights, _, losses = optimizer(**problem, compute_losses=False)
    assert losses == []
    torch.testing.assert_close(weights, expected)


@pytest.mark.parametrize("member", FAMILY)
def test_one_sequence_may_leave_its_dimension_out(member, problem) -> None:
    optimizer = FAMILY[member]()
    weights, feat, bb = problem["weights"][:1], problem["feat"][:, :1], problem["bb"][:, :1]
    sample_weight = torch.tensor([0.7, 0.3])
    full = optimizer(weights, feat, bb, sample_weight=sample_weight[:, None])[0]
    torch.testing.assert_close(optimizer(weights, feat[:, 0], bb[:, 0], sample_weight=sample_weight)[0], full)


@pytest.mark.parametrize(("member", "count"), {"relu": 5, "l2": 2, "prdimp_all": 2}.items())
def test_gradients_reach_features_filter_and_every_learned_number(member, count, problem) -> None:
    optimizer = FAMILY[member]()
    optimizer.min_filter_reg = 1e-3  # a root of lambda at its floor takes no gradient
    problem = {**problem, "feat": problem["feat"].clone().requires_grad_()}
    problem["weights"] = problem["weights"].clone().requires_grad_()
    weights, _, losses = optimizer(**problem)
    (weights.square().sum() + torch.stack(losses).sum()).backward()
    learned = dict(optimizer.named_parameters())
    assert len(learned) == count
    for name, value in {**learned, "feat": problem["feat"], "weights": problem["weights"]}.items():
        assert value.grad is not None, name
        assert value.grad.abs().sum() > 0, name


def test_detaching_keeps_the_values_and_cuts_the_way_to_the_first_filter(problem) -> None:
    start = problem["weights"].clone().requires_grad_()
    free = DiMPSteepestDescentGN(**DIMP)(**{**problem, "weights": start})[0]
    cut = DiMPSteepestDescentGN(**DIMP, detach_length=1)(**{**problem, "weights": start})[0]
    torch.testing.assert_close(cut, free)
    assert torch.autograd.grad(free.sum(), start)[0].abs().sum() > 0
    assert torch.autograd.grad(cut.sum(), start, allow_unused=True)[0] is None


def test_regularisation_can_be_changed_at_run_time(problem) -> None:
    optimizer = DiMPSteepestDescentGN(**DIMP)
    before = optimizer(**problem)[0]
    with torch.no_grad():
        optimizer.filter_reg[0] = 5.0
    assert optimizer(**problem)[0].norm() < before.norm()
    optimizer.min_filter_reg = 50.0
    weights, _, losses = optimizer(**problem)
    start = problem["weights"]
    # lambda = 2500 swamps the data term: the loss starts at 2500 |f|^2 / S.
    assert losses[0].item() == pytest.approx(float(2500 * start.square().sum() / 3), rel=0.05)


@pytest.mark.parametrize("member", FAMILY)
def test_bf16_autocast_stays_close_and_returns_float32(member, problem) -> None:
    optimizer = FAMILY[member]()
    expected = optimizer(**problem)[0]
    with torch.autocast("cpu", torch.bfloat16):
        weights, _, losses = optimizer(**problem)
    assert weights.dtype == losses[0].dtype == torch.float32
    torch.testing.assert_close(weights, expected, rtol=0.05, atol=3e-3)


@pytest.mark.parametrize("member", FAMILY)
def test_a_step_is_the_gradient_of_the_loss_and_lowers_it(member, problem) -> None:
    """The stated loss is the one that is descended: finite differences agree with the step's direction."""
    optimizer = FAMILY[member]().double()
    optimizer.alpha_eps = 0.0
    problem = {name: value.double() for name, value in problem.items()}
    start = problem["weights"].requires_grad_()
    loss = optimizer(**problem, num_iter=0)[2][0]
    (gradient,) = torch.autograd.grad(loss, start)
    with torch.no_grad():
        final, _, losses = optimizer(**problem, num_iter=1)
    step = (start - final).detach()
    for s in range(3):
        cosine = torch.nn.functional.cosine_similarity(step[s].flatten(), gradient[s].flatten(), dim=0)
        # The published Newton gradient takes lambda f for the derivative of lambda |f|^2.
        assert cosine > (0.98 if member.startswith("prdimp") else 1 - 1e-9)
    assert losses[1] < losses[0]


def test_the_kl_loss_survives_scores_beyond_the_range_of_exp(problem) -> None:
    """Defect D-36: the published loss is infinite for scores above 88."""
    optimizer = PrDiMPSteepestDescentNewton(**KL_ALL)
    _, _, losses = optimizer(**{**problem, "weights": 1e4 * problem["weights"]})
    assert torch.stack(losses).isfinite().all()
    assert losses[0] > 1000


def test_what_the_tracker_changes_at_run_time_is_used(problem) -> None:
    optimizer = PrDiMPSteepestDescentNewton(**KL)
    seen = [optimizer(**problem)[0]]
    for name, value in (("softmax_reg", 2.0), ("label_threshold", 0.1), ("label_shrink", 0.5)):
        setattr(optimizer, name, value)
        seen.append(optimizer(**problem)[0])
        assert not torch.allclose(seen[-1], seen[-2], rtol=1e-3), name


def test_label_density_by_hand() -> None:
    center = torch.tensor([[[2.0, 3.0]]])
    density = PrDiMPSteepestDescentNewton(gauss_sigma=2.0).label_density(center, (5, 6))[0, 0]
    assert density[2, 3].item() == pytest.approx(1 / (8 * math.pi))
    assert (density[2, 5] / density[2, 3]).item() == pytest.approx(math.exp(-0.5))
    normal = PrDiMPSteepestDescentNewton(normalize_label=True, init_uni_weight=0.3, label_shrink=0.1)
    density = normal.label_density(center, (5, 6))
    assert density.sum().item() == pytest.approx(0.9)
    assert density.min().item() == pytest.approx(
        0.9 * (0.3 / 30 + 0.7 * math.exp(-6.5) / (2 * math.pi)), rel=1e-3
    )


def test_without_width_the_nearest_cell_is_the_label() -> None:
    maps = gaussian_around(torch.tensor([[[1.4, -3.0], [2.6, 9.0]]]), (4, 5), 0.0)
    assert maps[0].nonzero().tolist() == [[0, 1, 0], [1, 3, 4]]


def test_hinged_places_count_only_above_zero(problem) -> None:
    options = {"num_iter": 0, "gauss_sigma": 0.5, "init_filter_reg": 0.0, "min_filter_reg": 0.0}
    optimizer = DiMPL2SteepestDescentGN(**options, hinge_threshold=0.05)
    low = {**problem, "feat": torch.ones_like(problem["feat"]), "weights": torch.full((3, 4, 4, 4), -1.0)}
    centers = target_centers(BOXES, 16, (4, 4))
    label = gaussian_around(centers, (6, 7), 0.5)
    scores = apply_filter(low["feat"], low["weights"])
    assert scores.max() < -1
    squares = (scores - label).square()[label > 0.05].sum()
    torch.testing.assert_close(optimizer(**low)[2][0].detach(), squares / 2 / 3)


def test_bad_input_is_named(problem) -> None:
    optimizer = DiMPSteepestDescentGN(**DIMP)
    with pytest.raises(ShapeError, match="disagree"):
        optimizer(problem["weights"], problem["feat"], problem["bb"][:1])
    with pytest.raises(UnknownNameError, match="did you mean 'relu'"):
        DiMPSteepestDescentGN(score_act="rellu")
    with pytest.raises(UnknownNameError, match="did you mean 'linear'"):
        DiMPSteepestDescentGN(mask_act="liner")
