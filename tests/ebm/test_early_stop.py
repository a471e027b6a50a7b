"""Algorithm S2, ascent with early stopping, against steps done by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ebm.exceptions import DomainError, NumericalError, ShapeError
from ebm.predict import gradient_ascent, gradient_ascent_early_stop


def bowl(y: Tensor) -> Tensor:
    """Maximum 0 at 0: a step of length s multiplies y by 1 - 2 s."""
    return -y.square().sum(-1)


def by_hand(score, y: float, steps: int, length: float, improve: float, worse: float, revert: bool):
    """The printed algorithm for one start in one dimension."""
    for t in range(steps):
        at = torch.tensor([y], dtype=torch.float64, requires_grad=True)
        old = score(at)
        (slope,) = torch.autograd.grad(old, at)
        before, y = y, y + length * slope.item()
        gain = score(torch.tensor([y], dtype=torch.float64)).item() - old.item()
        if abs(gain) < improve or gain < worse:
            return (before if revert and gain < worse else y), t + 1
    return y, steps


def test_a_small_gain_stops_after_the_step_that_made_it() -> None:
    # y halves every time: gains 0.75, 0.1875, 0.046875 of y squared.
    result = gradient_ascent_early_stop(bowl, torch.ones(1, 1), steps=10, step_length=0.25, tol_improve=0.05)
    assert result.y.item() == 0.125
    assert (result.num_accepted.item(), result.num_rejected.item()) == (3, 0)
    assert result.converged.item()
    assert result.score.item() == -(0.125**2)
    assert result.init_score.item() == -1
    assert result.final_step_length.item() == 0.25


def test_a_worsening_step_is_kept_as_printed_or_taken_back() -> None:
    options = {"steps": 5, "step_length": 1.25, "tol_improve": 1e-3, "tol_degenerate": -1e-2}
    printed = gradient_ascent_early_stop(bowl, torch.ones(1, 1), **options)
    assert printed.y.item() == -1.5
    assert printed.score.item() == -2.25
    assert (printed.num_accepted.item(), printed.num_rejected.item()) == (1, 0)
    reverted = gradient_ascent_early_stop(bowl, torch.ones(1, 1), **options, revert_on_degeneration=True)
    assert (reverted.y.item(), reverted.score.item()) == (1, -1)
    assert (reverted.num_accepted.item(), reverted.num_rejected.item()) == (0, 1)
    assert printed.converged.item()
    assert reverted.converged.item()


def test_a_loss_within_the_tolerance_goes_on() -> None:
    # Every step multiplies the score by 1.0201: from -0.1 it loses 0.002 and more, below 0.01 for a while.
    init = torch.full((1, 1), math.sqrt(0.1), dtype=torch.float64)
    result = gradient_ascent_early_stop(bowl, init, steps=4, step_length=1.005)
    assert result.num_accepted.item() == 4
    assert not result.converged.item()
    torch.testing.assert_close(result.score, torch.tensor([-0.1 * 1.0201**4]).double(), atol=1e-8, rtol=0)


@given(
    starts=st.lists(st.floats(-3, 3), min_size=1, max_size=6),
    steps=st.integers(0, 8),
    length=st.floats(0.01, 1.5),
    improve=st.floats(0, 0.5),
    worse=st.floats(-1, 0),
    revert=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_every_start_stops_where_it_would_alone(
    starts: list[float], steps: int, length: float, improve: float, worse: float, revert: bool
) -> None:
    score = lambda y: y.sin().sum(-1) - 0.1 * y.square().sum(-1)  # noqa: E731
    result = gradient_ascent_early_stop(
        score,
        torch.tensor(starts, dtype=torch.float64)[None, :, None],
        steps=steps,
        step_length=length,
        tol_improve=improve,
        tol_degenerate=worse,
        revert_on_degeneration=revert,
    )
    ends = [by_hand(score, y, steps, length, improve, worse, revert) for y in starts]
    torch.testing.assert_close(
        result.y[0, :, 0], torch.tensor([y for y, _ in ends]).double(), atol=1e-6, rtol=0
    )
    assert (result.num_accepted + result.num_rejected)[0].tolist() == [count for _, count in ends]
    torch.testing.assert_close(result.score, score(result.y))


def test_a_batch_may_stop_at_different_times() -> None:
    curvature = torch.tensor([1.0, 0.1, 3.9])
    score = lambda y: -(curvature * y[..., 0].square())  # noqa: E731
    calls = []

    def counted(y: Tensor) -> Tensor:
        calls.append(len(y))
        return score(y)

    result = gradient_ascent_early_stop(
        counted, torch.ones(3, 1), steps=50, step_length=0.25, tol_improve=0.02
    )
    assert len(set(result.num_accepted.tolist())) == 3
    assert result.converged.all()
    assert len(calls) == 1 + result.num_accepted.max().item()  # done as soon as the last has stopped


def test_no_steps_no_starts_and_one_evaluation_more_than_steps() -> None:
    scored = gradient_ascent_early_stop(bowl, torch.ones(2, 3, 2), steps=0, step_length=0.1)
    assert torch.equal(scored.y, torch.ones(2, 3, 2))
    assert torch.equal(scored.score, torch.full((2, 3), -2.0))
    assert not scored.converged.any()
    assert gradient_ascent_early_stop(bowl, torch.ones(0, 2), steps=3, step_length=0.1).y.shape == (0, 2)
    calls = []

    def counted(y: Tensor) -> Tensor:
        calls.append(torch.is_grad_enabled())
        return 10 * y.sum(-1)

    gradient_ascent_early_stop(counted, torch.ones(2, 1), steps=4, step_length=1.0)
    assert calls == [True] * 4 + [False]


def test_a_step_out_of_the_finite_numbers_is_refused_and_ends_the_start() -> None:
    broken = lambda y: torch.where(y[..., 0] < 0.6, math.nan, bowl(y))  # noqa: E731
    result = gradient_ascent_early_stop(broken, torch.tensor([[1.0], [5.0]]), steps=3, step_length=0.25)
    assert result.y[0].item() == 1
    assert result.score.isfinite().all()
    assert result.num_rejected.tolist() == [1, 0]
    assert result.num_accepted.tolist() == [0, 3]
    assert result.converged.tolist() == [True, False]


def test_works_where_gradients_are_off_and_leaves_the_model_alone() -> None:
    scale = torch.nn.Parameter(torch.tensor(2.0))
    score = lambda y: scale * bowl(y)  # noqa: E731
    expected = gradient_ascent(score, torch.ones(1, 2), steps=2, step_length=0.1, backtrack=False, decay=1).y
    for context in (torch.no_grad(), torch.inference_mode()):
        with context:
            result = gradient_ascent_early_stop(score, torch.ones(1, 2), steps=2, step_length=0.1)
        torch.testing.assert_close(result.y, expected)
        assert not result.y.is_inference()
    assert scale.grad is None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"steps": -1}, ValueError, "steps must be an integer >= 0"),
        ({"step_length": 0.0}, ValueError, "step_length"),
        ({"tol_improve": -1.0}, DomainError, "tol_improve must be finite and >= 0, got -1.0"),
        ({"tol_degenerate": 1.0}, DomainError, "tol_degenerate must be finite and <= 0, got 1.0"),
        ({"tol_degenerate": -math.inf}, DomainError, "tol_degenerate"),
        ({"tol_improve": math.nan}, DomainError, "tol_improve"),
    ],
)
def test_impossible_rules_are_refused(arguments: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        gradient_ascent_early_stop(bowl, torch.ones(1, 2), **{"steps": 1, "step_length": 0.1} | arguments)


def test_impossible_starts_and_scores_are_refused() -> None:
    with pytest.raises(DomainError, match=r"init\[0, 1\] is inf"):
        gradient_ascent_early_stop(bowl, torch.tensor([[1.0, math.inf]]), step_length=0.1)
    with pytest.raises(NumericalError, match=r"start \[1\] is nan"):
        gradient_ascent_early_stop(lambda y: y.log().sum(-1), torch.tensor([[1.0], [-1.0]]), step_length=0.1)
    with pytest.raises(ShapeError, match="scalar"):
        gradient_ascent_early_stop(bowl, torch.tensor(1.0), step_length=0.1)
    with pytest.raises(TypeError, match="bool"):
        gradient_ascent_early_stop(bowl, torch.ones(1, 1, dtype=torch.bool), step_length=0.1)
