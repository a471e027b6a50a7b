"""Box confidence: the target, the jitter pool's overlaps, training on boxes in relative coordinates."""

import math

import pytest
import torch
from torch import Tensor

from ebm.baselines.iou import IoUJitterPool, IoULoss, iou_regression, relative_iou
from ebm.boxes import box_iou, rect_to_rel, rel_to_rect
from ebm.exceptions import DomainError, NumericalError, ShapeError, UnknownNameError
from ebm.models import FunctionalEnergy
from ebm.proposals import GaussianMixtureProposal


@pytest.fixture(scope="module")
def pool() -> IoUJitterPool:
    return IoUJitterPool(generator=torch.Generator().manual_seed(0))


def test_the_target_is_twice_the_overlap_minus_one() -> None:
    iou = torch.tensor([[1.0, 0.5, 0.0]])
    assert iou_regression(2 * iou - 1, iou).item() == 0.0
    score = torch.tensor([[1.5, 0.0, -3.0]])  # errors 0.5, 0, 2 in size
    assert iou_regression(score, iou).item() == pytest.approx((0.125 + 0 + 1.5) / 3)
    assert iou_regression(score, iou, criterion="mse").item() == pytest.approx((0.25 + 0 + 4) / 3)


def test_gradients_are_those_of_finite_differences(generator: torch.Generator) -> None:
    score = torch.randn(3, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    iou = torch.rand(3, 5, dtype=torch.float64, generator=generator)
    for criterion in ("huber", "mse"):
        assert torch.autograd.gradcheck(lambda s, c=criterion: iou_regression(s, iou, criterion=c), (score,))


def test_pool_boxes_overlap_by_more_than_half_and_their_overlap_is_theirs(pool: IoUJitterPool) -> None:
    assert pool.offsets.shape == (50_000, 4)
    assert pool.iou.min() > 0.5
    assert pool.iou.max() <= 1.0
    torch.testing.assert_close(relative_iou(pool.offsets), pool.iou, atol=1e-5, rtol=0)
    assert pool.weights.sum().item() == pytest.approx(1.0, abs=1e-5)


def test_draws_have_nearly_uniform_overlap(pool: IoUJitterPool) -> None:
    draws = pool.sample_offsets(100_000, torch.zeros(1), generator=torch.Generator().manual_seed(1))
    shares = torch.histc(relative_iou(draws), bins=10, min=0.5, max=1.0) / 100_000
    raw = torch.histc(pool.iou, bins=10, min=0.5, max=1.0) / 50_000
    assert raw.max() > 3 * raw.min()
    torch.testing.assert_close(shares, torch.full((10,), 0.1), atol=0.01, rtol=0)


def test_overlap_does_not_depend_on_where_the_label_is(pool: IoUJitterPool) -> None:
    label = torch.tensor([30.0, 40.0, 20.0, 80.0])
    size = label[2:]
    moved = rel_to_rect(rect_to_rel(label, size) + pool.offsets[:1000], size)
    torch.testing.assert_close(box_iou(moved, label), pool.iou[:1000], atol=1e-4, rtol=0)


def test_the_same_seed_gives_the_same_pool_and_draws() -> None:
    first, second = (IoUJitterPool(500, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first.offsets, second.offsets)
    draws = [
        p.sample_offsets(7, torch.zeros(1), generator=torch.Generator().manual_seed(4))
        for p in (first, second)
    ]
    assert torch.equal(*draws)
    assert first.sample_offsets(0, torch.zeros(1)).shape == (0, 4)


def truth(_: Tensor, y: Tensor) -> Tensor:
    """The right confidence for a label at the origin of relative coordinates."""
    return 2 * relative_iou(y) - 1


@pytest.mark.parametrize("include_label", [False, True])
def test_the_right_confidence_costs_nothing_whatever_the_source(
    pool: IoUJitterPool, include_label: bool, generator: torch.Generator
) -> None:
    features, y = torch.zeros(3, 1), torch.zeros(3, 4)
    for source in (pool, GaussianMixtureProposal([[0.1, 0.2]], target_dim=4, layout="box")):
        loss = IoULoss(source, 16, include_label=include_label)
        shapes: list[tuple[int, ...]] = []

        def score(x: Tensor, boxes: Tensor, seen: list[tuple[int, ...]] = shapes) -> Tensor:
            seen.append(tuple(boxes.shape))
            return truth(x, boxes)

        out = loss(FunctionalEnergy(score, 4), features, y, generator=generator)
        assert out.loss.item() == pytest.approx(0.0, abs=1e-6)
        assert shapes == [(3, 17 if include_label else 16, 4)]
        assert 0 < out.aux["iou_mean"] <= 1


def test_the_label_is_the_first_box(pool: IoUJitterPool) -> None:
    y = torch.tensor([[0.3, 0.4, math.log(20.0), math.log(50.0)]])
    seen: list[Tensor] = []
    model = FunctionalEnergy(lambda x, boxes: seen.append(boxes) or boxes[..., 0], 4)  # type: ignore[func-returns-value]
    IoULoss(pool, 5, include_label=True)(model, torch.zeros(1, 1), y)
    torch.testing.assert_close(seen[0][:, 0], y)


def test_gradients_reach_the_features_and_no_boxes_give_zero(pool: IoUJitterPool) -> None:
    features = torch.zeros(2, 1, requires_grad=True)
    model = FunctionalEnergy(lambda x, boxes: x * boxes.sum(-1), 4)
    IoULoss(pool, 8)(model, features, torch.zeros(2, 4)).loss.backward()
    assert features.grad is not None
    assert (features.grad != 0).all()
    none = torch.zeros(0, 1, requires_grad=True)
    out = IoULoss(pool, 8)(model, none, torch.zeros(0, 4))
    out.loss.backward()
    assert out.loss.item() == 0.0
    assert out.aux == {"empty": True}


def test_errors_name_what_is_wrong(pool: IoUJitterPool) -> None:
    model, x, y = FunctionalEnergy(truth, 4), torch.zeros(2, 1), torch.zeros(2, 4)
    with pytest.raises(UnknownNameError, match="did you mean 'huber'"):
        iou_regression(torch.zeros(1, 2), torch.zeros(1, 2), criterion="hubert")  # type: ignore[arg-type]
    for shape in ((2,), (2, 0)):
        with pytest.raises(ShapeError, match="score and iou"):
            iou_regression(torch.zeros(shape), torch.zeros(shape))
    with pytest.raises(DomainError, match="num_samples"):
        IoULoss(pool, 0)
    with pytest.raises(DomainError, match="size"):
        IoUJitterPool(0)
    with pytest.raises(ShapeError, match=r"\(B, D=4\)"):
        IoULoss(pool)(model, x, torch.zeros(2, 3))
    with pytest.raises(DomainError, match="y must be finite"):
        IoULoss(pool)(model, x, y + math.inf)
    with pytest.raises(NumericalError, match="non-finite scores"):
        IoULoss(pool)(FunctionalEnergy(lambda _, boxes: boxes[..., 0] * math.nan, 4), x, y)
