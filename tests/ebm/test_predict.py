"""Gradient ascent on scores whose maximum and path are known."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ebm.boxes import rect_to_rel, rel_to_rect
from ebm.exceptions import DomainError, NumericalError, ShapeError, UnknownNameError
from ebm.predict import gradient_ascent, refine_boxes

STARTS = torch.tensor([[115.0, 112, 50, 60], [110, 100, 70, 40]])


def hill(boxes: Tensor) -> Tensor:
    """The scorer of the published trackers' test vectors: best at centre (150, 140), size 60 x 50."""
    cx, cy = boxes[:, 0] + boxes[:, 2] / 2, boxes[:, 1] + boxes[:, 3] / 2
    place = ((cx - 150) ** 2 + (cy - 140) ** 2) / 2000
    return 1 - place - (boxes[:, 2].log() - math.log(60)) ** 2 - (boxes[:, 3].log() - math.log(50)) ** 2


def bowl(y: Tensor) -> Tensor:
    """Maximum 0 at 0, with curvature 2 in each coordinate: a step of 1/2 lands on it, above 1 diverges."""
    return -y.square().sum(-1)


@pytest.mark.parametrize(
    ("options", "boxes", "scores"),
    [
        (
            {"space": "default", "step_length": 1.0, "steps": 5},
            [[117.1682, 111.5851, 52.6814, 58.1043], [111.5616, 103.6663, 69.2792, 43.6808]],
            [0.93085, 0.82852],
        ),
        (
            {"space": "relative", "step_length": 2.5e-3, "steps": 10},
            [[115.3839, 112.0933, 50.4477, 59.4676], [110.5667, 101.5094, 69.4745, 40.4388]],
            [0.89289, 0.75166],
        ),
        (
            {"space": "relative", "step_length": (1e-2, 5e-2), "steps": 10},
            # y of box 0 in closed form: 140 + 2 * (1 - 0.01 * 60**2 / 1000)**10, minus half the height
            [[114.0845, 114.7452, 56.3044, 53.2818], [114.4618, 103.0102, 63.3132, 46.2572]],
            [0.95729, 0.87766],
        ),
        (
            {"space": "default", "step_length": 8.0, "steps": 5, "decay": 0.5, "on_decrease": "undo"},
            [[120.8323, 112.9485, 58.9267, 52.1460], [116.8798, 113.6976, 64.0462, 50.9819]],
            [0.99586, 0.99148],
        ),
    ],
    ids=["DiMP default", "DiMP relative", "ATOM* relative", "ATOM undo"],
)
def test_published_trackers_vectors(options: dict, boxes: list, scores: list) -> None:
    refined, ranked = refine_boxes(hill, STARTS, **options)
    torch.testing.assert_close(refined, torch.tensor(boxes), atol=2e-4, rtol=0)
    torch.testing.assert_close(ranked, torch.tensor(scores), atol=1e-5, rtol=0)


def test_one_plain_step_is_the_formula_in_both_spaces() -> None:
    at = STARTS.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(hill(at).sum(), at)
    moved, _ = refine_boxes(hill, STARTS, space="default", steps=1, step_length=(0.5, 2.0))
    expected = STARTS + torch.tensor([0.5, 0.5, 2, 2]) * gradient * STARTS[:, 2:].repeat(1, 2)
    torch.testing.assert_close(moved, expected)

    size = STARTS[0, 2:]
    rel = rect_to_rel(STARTS, size).requires_grad_()
    (gradient,) = torch.autograd.grad(hill(rel_to_rect(rel, size)).sum(), rel)
    moved, _ = refine_boxes(hill, STARTS, space="relative", steps=1, step_length=0.01)
    torch.testing.assert_close(moved, rel_to_rect(rel + 0.01 * gradient, size))


def test_decay_without_backtracking_shrinks_every_step() -> None:
    slope = lambda y: y.sum(-1)  # noqa: E731
    result = gradient_ascent(slope, torch.zeros(1, 1), steps=3, step_length=1.0, decay=0.5, backtrack=False)
    torch.testing.assert_close(result.y, torch.tensor([[1.75]]))
    torch.testing.assert_close(result.final_step_length, torch.tensor([[0.125]]))
    torch.testing.assert_close((result.init_score, result.score), (torch.tensor([0.0]), torch.tensor([1.75])))
    assert result.num_accepted.tolist() == [3]


def test_scores_of_the_plain_rule_precede_the_last_update() -> None:
    after_one, _ = refine_boxes(hill, STARTS, steps=1, step_length=2.5e-3)
    _, ranked = refine_boxes(hill, STARTS, steps=2, step_length=2.5e-3)
    torch.testing.assert_close(ranked, hill(after_one))
    refined, score = refine_boxes(hill, STARTS, steps=2, step_length=2.5e-3, backtrack=True)
    torch.testing.assert_close(score, hill(refined))


def test_a_step_that_is_too_long_is_halved_until_it_helps() -> None:
    # From 1 the step lam * (-2): 4 and 2 overshoot, 1 lands on -1 (a tie), 1/2 lands on 0.
    result = gradient_ascent(bowl, torch.ones(1, 1), steps=4, step_length=4.0)
    torch.testing.assert_close(result.y, torch.zeros(1, 1))
    assert (result.num_accepted.item(), result.num_rejected.item()) == (1, 3)
    torch.testing.assert_close(result.final_step_length, torch.tensor([[0.5]]))
    assert not result.converged
    further = gradient_ascent(bowl, result.y, steps=2, step_length=0.5)
    assert further.converged
    assert further.num_accepted.item() == 0


def test_ties_are_refused_unless_asked_for() -> None:
    at_one = torch.ones(1, 1)
    refused = gradient_ascent(bowl, at_one, steps=1, step_length=1.0)
    taken = gradient_ascent(bowl, at_one, steps=1, step_length=1.0, accept_ties=True)
    assert (refused.y.item(), taken.y.item()) == (1.0, -1.0)


@given(
    seed=st.integers(0, 1000),
    step=st.floats(1e-3, 1e3),
    decay=st.floats(0.05, 1),
    steps=st.integers(0, 12),
    starts=st.integers(0, 4),
)
@settings(max_examples=60, deadline=None)
def test_backtracking_never_ends_below_its_start(
    seed: int, step: float, decay: float, steps: int, starts: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    init = 3 * torch.randn(2, starts, 3, dtype=torch.float64, generator=generator)
    score = lambda y: y.sin().prod(-1) - 0.1 * y.square().sum(-1)  # noqa: E731
    ends = [gradient_ascent(score, init, steps=t, step_length=step, decay=decay) for t in (steps, steps + 1)]
    assert (ends[0].score >= ends[0].init_score).all()
    assert (ends[1].score >= ends[0].score).all()
    torch.testing.assert_close(ends[0].score, score(ends[0].y))
    assert (ends[0].num_accepted + ends[0].num_rejected == steps).all()


def test_a_batch_is_refined_as_its_members_would_be_alone() -> None:
    curvature = torch.tensor([[1.0], [30.0], [100.0]])

    def ascend(rows: slice) -> Tensor:
        score = lambda y: -(curvature[rows] * y.square()).sum(-1)  # noqa: E731
        return gradient_ascent(score, torch.ones(3, 1)[rows], steps=8, step_length=0.3).y

    alone = torch.cat([ascend(slice(i, i + 1)) for i in range(3)])
    torch.testing.assert_close(ascend(slice(0, 3)), alone)
    assert alone.unique().numel() == 3


@pytest.mark.parametrize("rule", ["keep", "undo"])
def test_boxes_of_two_targets_are_refined_as_each_target_alone(rule: str) -> None:
    aims = torch.tensor([[60.0, 50.0], [300.0, 90.0]], dtype=torch.float64)
    boxes = torch.tensor([[40.0, 30, 30, 20], [45.0, 35, 20, 30], [280.0, 80, 60, 30], [290.0, 60, 50, 40]])
    boxes = boxes.double()

    def score(aim: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
        return lambda b: -0.001 * (b[:, :2] + b[:, 2:] / 2 - aim).square().sum(-1) - b[:, 2:].log().sum(-1)

    options = {"steps": 6, "step_length": 1e-2, "decay": 0.7, "on_decrease": rule}
    sizes = boxes[[0, 0, 2, 2], 2:]
    together, _ = refine_boxes(score(aims[[0, 0, 1, 1]]), boxes, sizes=sizes, **options)
    alone = [refine_boxes(score(aims[i]), boxes[2 * i : 2 * i + 2], **options)[0] for i in (0, 1)]
    torch.testing.assert_close(together, torch.cat(alone))
    assert float((together - boxes).abs().max()) > 0.1


def test_step_length_per_dimension_and_per_start() -> None:
    per_dim = gradient_ascent(bowl, torch.ones(1, 2), steps=1, step_length=(0.25, 0.5))
    torch.testing.assert_close(per_dim.y, torch.tensor([[0.5, 0.0]]))
    lam = torch.tensor([[[0.25]], [[0.5]]])
    per_start = gradient_ascent(bowl, torch.ones(2, 3, 2), steps=1, step_length=lam)
    torch.testing.assert_close(per_start.y[:, 0, 0], torch.tensor([0.5, 0.0]))
    for starts in (2, 3):  # also where there are as many starts as items
        per_item = gradient_ascent(
            bowl, torch.ones(2, starts, 2), steps=1, step_length=lam[:, 0].expand(2, 2)
        )
        torch.testing.assert_close(per_item.y, torch.tensor([0.5, 0.0])[:, None, None].expand(2, starts, 2))


def test_evaluations_are_one_more_than_steps() -> None:
    calls = []

    def counted(y: Tensor) -> Tensor:
        calls.append(torch.is_grad_enabled())
        return bowl(y)

    gradient_ascent(counted, torch.ones(3, 2), steps=5, step_length=0.1)
    assert calls == [True] * 5 + [False]


class Cliff(torch.autograd.Function):
    """The identity, with a NaN gradient where the input exceeds 2."""

    @staticmethod
    def forward(ctx, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        return y.clone()

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        return torch.where(ctx.saved_tensors[0] > 2, torch.nan, grad)


@pytest.mark.parametrize("backtrack", [True, False])
def test_a_gradient_that_is_not_a_number_counts_as_a_refused_step(backtrack: bool) -> None:
    starts = torch.tensor([[3.0], [1.0]])
    result = gradient_ascent(
        lambda y: bowl(Cliff.apply(y)), starts, steps=2, step_length=0.25, backtrack=backtrack, decay=1.0
    )
    torch.testing.assert_close(result.y, torch.tensor([[3.0], [0.25]]))
    assert result.num_rejected.tolist() == [2, 0]
    assert result.converged.tolist() == [True, False]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_new_score_that_is_not_a_number_counts_as_a_refused_step(bad: float) -> None:
    broken = lambda y: torch.where(y[..., 0] < 0.6, bad, bowl(y))  # noqa: E731
    result = gradient_ascent(broken, torch.ones(1, 1), steps=3, step_length=0.5)
    torch.testing.assert_close(result.y, torch.tensor([[0.75]]), atol=0, rtol=0)
    assert result.score.isfinite().all()


@pytest.mark.parametrize("rule", [{}, {"backtrack": True}, {"on_decrease": "undo", "decay": 0.5}])
def test_boxes_that_would_explode_stay_where_they_are(rule: dict) -> None:
    steep = lambda boxes: 1e6 * boxes[:, 2].log()  # noqa: E731
    refined, _ = refine_boxes(steep, STARTS, steps=3, step_length=1.0, **rule)
    torch.testing.assert_close(refined, STARTS)


def test_works_where_gradients_are_off_and_leaves_the_model_alone() -> None:
    scale = torch.nn.Parameter(torch.tensor(2.0))
    score = lambda y: scale * bowl(y)  # noqa: E731
    init = torch.ones(1, 2)
    expected = gradient_ascent(score, init, steps=2, step_length=0.1).y
    with torch.no_grad():
        torch.testing.assert_close(gradient_ascent(score, init, steps=2, step_length=0.1).y, expected)
    with torch.inference_mode():
        y = gradient_ascent(score, torch.ones(1, 2), steps=2, step_length=0.1).y
        boxes, _ = refine_boxes(hill, STARTS, steps=1, step_length=0.1)
    torch.testing.assert_close(y, expected)
    assert not boxes.is_inference()
    assert scale.grad is None
    assert torch.equal(init, torch.ones(1, 2))


@pytest.mark.parametrize("backtrack", [True, False])
def test_no_steps_and_no_starts(backtrack: bool) -> None:
    scored = gradient_ascent(bowl, torch.ones(2, 2), steps=0, step_length=0.1, backtrack=backtrack)
    assert torch.equal(scored.y, torch.ones(2, 2))
    torch.testing.assert_close(scored.score, torch.tensor([-2.0, -2.0]))
    none = gradient_ascent(bowl, torch.ones(0, 3, 2), steps=2, step_length=0.1, backtrack=backtrack)
    assert none.y.shape == (0, 3, 2)
    boxes, scores = refine_boxes(hill, STARTS, steps=0, step_length=0.1, backtrack=backtrack)
    torch.testing.assert_close((boxes, scores), (STARTS, hill(STARTS)))
    assert [t.shape for t in refine_boxes(hill, STARTS[:0], steps=2, step_length=1.0)] == [(0, 4), (0,)]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"steps": -1}, ValueError, "steps must be an integer >= 0"),
        ({"decay": 0.0}, ValueError, "decay"),
        ({"decay": 1.5}, ValueError, "decay"),
        ({"step_length": 0.0}, ValueError, "step_length"),
        ({"step_length": (0.1, -0.1)}, ValueError, "step_length"),
        ({"step_length": (0.1, 0.1, 0.1)}, ShapeError, r"step_length of shape \(3,\)"),
    ],
)
def test_impossible_rules_are_refused(arguments: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        gradient_ascent(bowl, torch.ones(1, 2), **{"steps": 1, "step_length": 0.1} | arguments)


def test_impossible_starts_and_scores_are_refused() -> None:
    with pytest.raises(DomainError, match=r"init\[0, 1\] is nan"):
        gradient_ascent(bowl, torch.tensor([[1.0, math.nan]]), steps=1, step_length=0.1)
    with pytest.raises(NumericalError, match=r"start \[1\] is nan; finite scores: 0 to 0"):
        gradient_ascent(lambda y: y.log().sum(-1), torch.tensor([[1.0], [-1.0]]), steps=1, step_length=0.1)
    with pytest.raises(ShapeError, match=r"scores of shape \(2,\), got \(2, 1\)"):
        gradient_ascent(lambda y: y, torch.ones(2, 1), steps=1, step_length=0.1)
    with pytest.raises(DomainError, match="does not depend on y"):
        gradient_ascent(lambda y: bowl(y.detach()), torch.ones(2, 1), steps=1, step_length=0.1)
    with pytest.raises(ShapeError, match="scalar"):
        gradient_ascent(bowl, torch.tensor(1.0), steps=1, step_length=0.1)


def test_impossible_boxes_and_spaces_are_refused() -> None:
    with pytest.raises(DomainError, match="width and height > 0"):
        refine_boxes(hill, torch.tensor([[1.0, 1, 0, 5]]), steps=1, step_length=0.1)
    with pytest.raises(UnknownNameError, match="did you mean 'relative'"):
        refine_boxes(hill, STARTS, space="relativ", steps=1, step_length=0.1)
    with pytest.raises(UnknownNameError, match="on_decrease"):
        refine_boxes(hill, STARTS, on_decrease="revert", steps=1, step_length=0.1)
    with pytest.raises(DomainError, match="choose one"):
        refine_boxes(hill, STARTS, on_decrease="undo", backtrack=True, steps=1, step_length=0.1)
    with pytest.raises(ShapeError, match="pair"):
        refine_boxes(hill, STARTS, steps=1, step_length=(1.0, 1.0, 1.0))
    with pytest.raises(ShapeError, match=r"\(S, 4\)"):
        refine_boxes(hill, STARTS[0], steps=1, step_length=1.0)
