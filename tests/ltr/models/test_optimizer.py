"""The unrolled filter optimiser against published numbers and what its formulas imply."""

import pytest
import torch

from ebm.exceptions import ShapeError, UnknownNameError
from ltr.models.target_classifier.optimizer import DiMPSteepestDescentGN

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
CASES = {
    "relu": (
        {},
        {},
        (5.048803, 2.888023, 2.493170, 2.332921),
        (-0.022656, 4.181881, -0.025753, -0.023723),
    ),
    "bent": (
        BENT,
        {},
        (4.883813, 2.965993, 2.579166, 2.412200),
        (-0.015017, 4.052959, -0.021617, -0.029176),
    ),
    "weighted": (
        {},
        {"num_iter": 2, "sample_weight": WEIGHTS},
        (5.082883, 2.878153, 2.468436),
        (0.006122, 4.284213, -0.027821, -0.027746),
    ),
}


@pytest.fixture
def problem(pattern):
    return {"weights": 0.05 * pattern((3, 4, 4, 4), 1.3), "feat": pattern((2, 3, 4, 5, 6), 0.7), "bb": BOXES}


@pytest.mark.parametrize("case", CASES)
def test_anchors(case, problem, check_summary) -> None:
    options, call, losses, final = CASES[case]
    optimizer = DiMPSteepestDescentGN(**{**DIMP, **options}).train()
    weights, iterates, found = optimizer(**problem, **call)
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

    monkeypatch.setattr(DiMPSteepestDescentGN, "_total_loss", staticmethod(forbidden))
    weights, _, losses = optimizer(**problem, compute_losses=False)
    assert losses == []
    torch.testing.assert_close(weights, expected)


def test_one_sequence_may_leave_its_dimension_out(problem) -> None:
    optimizer = DiMPSteepestDescentGN(**DIMP)
    weights, feat, bb = problem["weights"][:1], problem["feat"][:, :1], problem["bb"][:, :1]
    sample_weight = torch.tensor([0.7, 0.3])
    full = optimizer(weights, feat, bb, sample_weight=sample_weight[:, None])[0]
    torch.testing.assert_close(optimizer(weights, feat[:, 0], bb[:, 0], sample_weight=sample_weight)[0], full)


def test_gradients_reach_features_filter_and_every_learned_number(problem) -> None:
    optimizer = DiMPSteepestDescentGN(**DIMP)
    problem = {**problem, "feat": problem["feat"].clone().requires_grad_()}
    problem["weights"] = problem["weights"].clone().requires_grad_()
    weights, _, losses = optimizer(**problem)
    (weights.square().sum() + torch.stack(losses).sum()).backward()
    learned = dict(optimizer.named_parameters())
    assert len(learned) == 5
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


def test_bf16_autocast_stays_close_and_returns_float32(problem) -> None:
    optimizer = DiMPSteepestDescentGN(**DIMP)
    expected = optimizer(**problem)[0]
    with torch.autocast("cpu", torch.bfloat16):
        weights, _, losses = optimizer(**problem)
    assert weights.dtype == losses[0].dtype == torch.float32
    torch.testing.assert_close(weights, expected, rtol=0.05, atol=3e-3)


def test_bad_input_is_named(problem) -> None:
    optimizer = DiMPSteepestDescentGN(**DIMP)
    with pytest.raises(ShapeError, match="disagree"):
        optimizer(problem["weights"], problem["feat"], problem["bb"][:1])
    with pytest.raises(UnknownNameError, match="did you mean 'relu'"):
        DiMPSteepestDescentGN(score_act="rellu")
    with pytest.raises(UnknownNameError, match="did you mean 'linear'"):
        DiMPSteepestDescentGN(mask_act="liner")
