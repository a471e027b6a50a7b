"""Predictions from several starts, on models whose best answers are known."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ebm.exceptions import DomainError, ShapeError, UnknownNameError
from ebm.models import EnergyModel, FunctionalEnergy
from ebm.predict import gradient_ascent, gradient_ascent_early_stop, refine


class Bowl(EnergyModel):
    """f = -a |y - w x|^2 with parameters a, w and features w x: best at w x."""

    target_dim = 2

    def __init__(self) -> None:
        super().__init__()
        self.a, self.w = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor(2.0))
        self.extractions = 0

    def extract(self, x: Tensor) -> dict[str, Tensor]:
        self.extractions += 1
        return {"centre": self.w * x}

    def score(self, features: dict[str, Tensor], y: Tensor) -> Tensor:
        assert not self.a.requires_grad
        assert not features["centre"].requires_grad
        return -self.a * (y - features["centre"][:, None]).square().sum(-1)


X = torch.tensor([[1.0, 0.0], [0.5, -1.0], [0.0, 0.0]])
BEST = 2 * X
# Peaks of height 1 at -2, 3 at 0 and 2 at 2.
PEAKS = FunctionalEnergy(
    lambda x, y: (
        torch.tensor([1.0, 3.0, 2.0]) * (-4 * (y - torch.tensor([-2.0, 0.0, 2.0])).square()).exp()
    ).sum(-1),
    target_dim=1,
)


@pytest.mark.parametrize("method", ["s1", "s2", "vanilla"])
@pytest.mark.parametrize("shape", ["single", "several"])
def test_every_method_finds_the_best_target(method: str, shape: str) -> None:
    init = torch.zeros(3, 2) if shape == "single" else torch.zeros(3, 4, 2) + torch.arange(4.0)[:, None]
    result = refine(Bowl(), X, init, method=method, steps=40, step_length=0.3)
    torch.testing.assert_close(result.y, BEST, atol=0.05, rtol=0)
    assert result.score.shape == result.converged.shape == result.num_accepted.shape == (3,)
    assert result.final_step_length.shape == (3, 2)
    torch.testing.assert_close(result.score, -(result.y - BEST).square().sum(-1), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("method", "plain", "options"),
    [
        ("s1", gradient_ascent, {"decay": 0.3, "accept_ties": True}),
        ("s2", gradient_ascent_early_stop, {"tol_improve": 0.1, "revert_on_degeneration": True}),
        ("vanilla", gradient_ascent, {"decay": 0.5, "backtrack": False}),
    ],
)
def test_all_starts_are_what_the_rule_itself_gives(method: str, plain, options: dict) -> None:
    model, init = Bowl(), torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(0))
    passed = {key: value for key, value in options.items() if key != "backtrack"}
    result = refine(model, X, init, method=method, select="all", steps=3, step_length=0.4, **passed)
    score = lambda y: -(y - BEST[:, None]).square().sum(-1)  # noqa: E731
    expected = plain(score, init, steps=3, step_length=0.4, **options)
    torch.testing.assert_close(vars(result), vars(expected))
    assert model.extractions == 1
    single = refine(Bowl(), X, init[:, 0], method=method, select="all", steps=3, step_length=0.4, **passed)
    torch.testing.assert_close(single.y, expected.y[:, 0])


def test_every_input_may_have_its_own_step_length() -> None:
    lengths = torch.tensor([[0.5, 0.5], [0.25, 0.25], [0.0625, 0.0625]])
    result = refine(Bowl(), X, BEST + 1, method="vanilla", steps=1, step_length=lengths)
    torch.testing.assert_close(result.y, BEST + 1 - 2 * lengths)


def test_the_best_of_several_starts_is_chosen_after_refinement() -> None:
    # The start at -1.9 scores above that at 0.9, but climbs a lower peak.
    init = torch.tensor([[[-1.9], [0.7], [1.9]]])
    assert PEAKS(None, init).argmax() == 2
    result = refine(PEAKS, None, init, steps=50, step_length=0.05)
    torch.testing.assert_close(result.y, torch.zeros(1, 1), atol=1e-3, rtol=0)
    assert result.score.item() == pytest.approx(3, abs=1e-3)
    torch.testing.assert_close(result.init_score, PEAKS(None, init)[:, 1])


def test_the_mean_of_the_best_is_scored_anew() -> None:
    init = torch.tensor([[[-2.0], [0.0], [2.0]]])
    result = refine(PEAKS, None, init, select="topk_mean", k=2, steps=0, step_length=1.0)
    torch.testing.assert_close(result.y, torch.ones(1, 1))
    torch.testing.assert_close(result.score, PEAKS(None, result.y))
    assert result.init_score.item() == pytest.approx(3)
    every = refine(PEAKS, None, init, select="topk_mean", k=3, steps=0, step_length=1.0)
    torch.testing.assert_close(every.y, torch.zeros(1, 1))
    one = refine(PEAKS, None, init, select="topk_mean", k=1, steps=0, step_length=1.0)
    torch.testing.assert_close(vars(one), vars(refine(PEAKS, None, init, steps=0, step_length=1.0)))


@given(seed=st.integers(0, 500), starts=st.integers(1, 6), steps=st.integers(0, 8), step=st.floats(0.01, 50))
@settings(max_examples=40, deadline=None)
def test_backtracking_never_ends_below_any_start(seed: int, starts: int, steps: int, step: float) -> None:
    model = FunctionalEnergy(lambda x, y: (3 * y).sin().sum(-1) - 0.1 * y.square().sum(-1), target_dim=2)
    init = torch.randn(3, starts, 2, generator=torch.Generator().manual_seed(seed))
    result = refine(model, None, init, steps=steps, step_length=step)
    assert (result.score >= model(None, init).amax(1)).all()
    torch.testing.assert_close(result.score, model(None, result.y))


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_works_in_every_mode_and_leaves_the_model_as_it_was(context: type) -> None:
    model = Bowl()
    model.w.requires_grad_(False)
    with context():
        result = refine(model, X.clone(), torch.zeros(3, 2), steps=20, step_length=0.3)
        other = refine(  # features that are an input made in inference mode
            FunctionalEnergy(lambda x, y: -(x[:, None] * y).square().sum(-1), 2),
            torch.ones(3, 2),
            torch.ones(3, 2),
            steps=2,
            step_length=0.1,
        )
    torch.testing.assert_close(result.y, BEST, atol=1e-3, rtol=0)
    torch.testing.assert_close(other.y, torch.full((3, 2), 0.64))
    assert not result.y.requires_grad
    assert not result.y.is_inference()
    assert (model.a.requires_grad, model.w.requires_grad) == (True, False)
    assert model.a.grad is None


def test_parameters_are_released_after_an_error() -> None:
    model = Bowl()
    with pytest.raises(ShapeError, match="got 2 targets"):
        refine(model, X, torch.zeros(2, 2), step_length=0.1)
    assert model.a.requires_grad


def test_an_empty_batch_and_no_starts() -> None:
    none = refine(Bowl(), X[:0], torch.zeros(0, 3, 2), steps=2, step_length=0.1)
    assert none.y.shape == (0, 2)
    assert refine(Bowl(), X, torch.zeros(3, 0, 2), select="all", steps=2, step_length=0.1).y.shape == (
        3,
        0,
        2,
    )
    with pytest.raises(ShapeError, match="at least one start"):
        refine(Bowl(), X, torch.zeros(3, 0, 2), steps=2, step_length=0.1)


def test_a_score_that_is_not_a_number_is_never_the_best() -> None:
    cliff = FunctionalEnergy(lambda x, y: torch.where(y[..., 0] > 1, math.nan, y[..., 0]), target_dim=1)
    init = torch.tensor([[[0.9], [-3.0], [-2.0]]])
    result = refine(cliff, None, init, method="vanilla", steps=1, step_length=0.5)
    assert result.y.item() == -1.5
    assert result.score.item() == -1.5


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"method": "s3"}, UnknownNameError, "did you mean 's[12]'"),
        ({"select": "best"}, UnknownNameError, "known: all, argmax, topk_mean"),
        ({"method": "s2", "decay": 0.5}, UnknownNameError, "Unknown option of method 's2' 'decay'"),
        ({"method": "vanilla", "accept_ties": True}, UnknownNameError, "option of method 'vanilla'"),
        ({"step_length": None}, DomainError, "needs step_length"),
        ({"select": "topk_mean", "k": 5}, DomainError, "k = 5 starts cannot be averaged: init has S = 4"),
        ({"select": "topk_mean", "k": 0}, ValueError, "k must be an integer >= 1"),
        ({"init": torch.zeros(3, 4, 3)}, ShapeError, r"init of shape \(B, S, D=2\) or \(B, D=2\)"),
        ({"init": torch.zeros(2)}, ShapeError, "init of shape"),
        (
            {"init": torch.zeros(3, 4, 2).double()},
            TypeError,
            "init is torch.float64, but the model computes in",
        ),
        ({"steps": -1}, ValueError, "steps"),
        ({"decay": 1.5}, ValueError, "decay"),
    ],
)
def test_impossible_input_is_refused(arguments: dict, error: type, message: str) -> None:
    given_arguments = {"init": torch.zeros(3, 4, 2), "steps": 1, "step_length": 0.1} | arguments
    given_arguments = {key: value for key, value in given_arguments.items() if value is not None}
    with pytest.raises(error, match=message):
        refine(Bowl(), X, **given_arguments)
