"""Confidence regression of the IoU-Net family: how well does a box fit, learned from jittered labels."""

from typing import Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ebm.baselines.functional import same_shape
from ebm.boxes import box_iou, rel_to_rect
from ebm.checks import require_count
from ebm.exceptions import ShapeError
from ebm.lookup import unknown_name
from ebm.losses.base import EnergyLoss, LossOutput, require_finite_scores
from ebm.losses.reduction import Reduction, reduce
from ebm.models import EnergyModel, Features

__all__ = ["IoUCriterion", "IoUJitterPool", "IoULoss", "OffsetSource", "iou_regression", "relative_iou"]

IoUCriterion = Literal["huber", "mse"]
JITTER_FACTORS = (0.004, 0.01, 0.05, 0.1, 0.2, 0.3)
MIN_IOU = 0.5
REDRAWN_SIZE = (0.15, 0.5)
MAX_TRIES = 100
SHRINK = 0.9
IOU_BINS = 100


def iou_regression(
    score: Tensor, iou: Tensor, *, criterion: IoUCriterion = "huber", reduction: Reduction = "mean"
) -> Tensor:
    """Loss of scores that should say ``2 IoU - 1``, mean over the M boxes of an item.

    Args:
        score: ``(B, M)``.
        iou: overlap of every box with its label, in [0, 1], ``(B, M)``.
        criterion: ``"huber"`` with threshold 1 (IoU-Net), or ``"mse"`` (ATOM).
        reduction: ``"mean"`` or ``"sum"`` over B, or ``"none"``.

    Returns:
        ``()``, or ``(B,)`` without reduction.

    Raises:
        ShapeError: if the shapes differ or are not ``(B, M >= 1)``.
        UnknownNameError: (a ValueError) for another criterion.

    Source: Gustafsson et al., ECCV 2020, supplement C.2; Jiang et al., ECCV 2018.
    """
    if criterion not in ("huber", "mse"):
        raise unknown_name("criterion", str(criterion), ("huber", "mse"))
    score, iou = same_shape(score=score, iou=iou)
    if score.ndim != 2 or score.shape[1] < 1:
        raise ShapeError(f"expected score and iou of shape (B, M >= 1), got {tuple(score.shape)}.")
    error = F.huber_loss if criterion == "huber" else F.mse_loss
    return reduce(error(score, 2 * iou - 1, reduction="none").mean(-1), reduction)


class OffsetSource(Protocol):
    """Anything that draws offsets from a label in relative box coordinates, such as a proposal or a pool."""

    def sample_offsets(self, count: int, like: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """`count` offsets ``(count, 4)`` on the device and in the dtype of `like`."""


class IoUJitterPool(nn.Module):
    """Boxes around the unit box, drawn so that their overlap with it is nearly uniform between 0.5 and 1.

    A factor of `JITTER_FACTORS` times normal noise moves centre and size; a size that is not positive then is
    drawn anew from U(0.15, 0.5); a box that overlaps by 0.5 or less is tried again with nine tenths of the
    factor. Draws take a box with probability one over one plus the count of its overlap's bin of 100.

    Args:
        size: boxes in the pool.
        generator: source of randomness of the pool (CPU); None is torch's global one.

    Attributes:
        offsets: the boxes in coordinates relative to the unit box, ``(size, 4)``.
        iou: their overlap with it, in (0.5, 1], ``(size,)``.
        weights: with which a box is drawn, ``(size,)``, sum 1.

    Raises:
        DomainError: if `size` is not a positive integer.

    Source: Gustafsson et al., ECCV 2020, supplement C.2; Jiang et al., ECCV 2018.
    """

    offsets: Tensor
    iou: Tensor
    weights: Tensor

    def __init__(self, size: int = 50_000, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        boxes, iou = _jittered_unit_boxes(require_count("size", size), generator)
        place = ((iou - MIN_IOU) / (1 - MIN_IOU) * IOU_BINS).long().clamp(0, IOU_BINS - 1)
        weights = 1 / (1 + place.bincount(minlength=IOU_BINS)[place].double())
        self.register_buffer("offsets", torch.cat((boxes[:, :2], boxes[:, 2:].log()), -1))
        self.register_buffer("iou", iou)
        self.register_buffer("weights", (weights / weights.sum()).float())

    def sample_offsets(self, count: int, like: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """`count` offsets of the pool, with replacement.

        Args:
            count: how many; 0 is allowed.
            like: gives device and dtype.
            generator: source of randomness on the pool's device.

        Returns:
            Offsets in coordinates relative to a label: its centre moves by (e1 w, e2 h), its size is
            multiplied by (exp e3, exp e4), ``(count, 4)``.
        """
        if count == 0:
            return like.new_empty((0, 4))
        index = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        return self.offsets[index].to(like)


class IoULoss(EnergyLoss):
    """Train an energy model's score as a box confidence, on boxes in relative coordinates.

    With an `IoUJitterPool` it is IoU-Net; with the proposal of an energy loss and the label as first box it
    is the paper's IoU-Net*. The trained score is a confidence, not a log-density.

    Args:
        source: where the boxes around a label come from.
        num_samples: M, boxes per label; a label comes in addition.
        include_label: score the label too, as a box that fits fully.
        criterion: see `iou_regression`.
        **options: see `EnergyLoss`.

    Raises:
        DomainError: if `num_samples` is not a positive integer.
    """

    def __init__(
        self,
        source: OffsetSource,
        num_samples: int = 128,
        *,
        include_label: bool = False,
        criterion: IoUCriterion = "huber",
        **options: bool,
    ) -> None:
        super().__init__(4, **options)
        self.source = source
        self.num_samples = require_count("num_samples", num_samples)
        self.include_label, self.criterion = include_label, criterion

    def evaluate(
        self,
        model: EnergyModel,
        features: Features,
        y: Tensor,
        weights: Tensor | None,
        generator: torch.Generator | None,
    ) -> LossOutput:
        """See `EnergyLoss.evaluate`; ``iou_mean`` is the mean overlap of the boxes drawn."""
        drawn = self.source.sample_offsets(y.shape[0] * self.num_samples, y, generator=generator)
        offsets = drawn.reshape(y.shape[0], self.num_samples, 4)
        if self.include_label:
            offsets = torch.cat((torch.zeros_like(offsets[:, :1]), offsets), 1)
        iou = relative_iou(offsets)
        score = model.score(features, y.detach()[:, None] + offsets)
        if self.check_finite:
            require_finite_scores(score, labels=int(self.include_label))
        per_item = iou_regression(score, iou, criterion=self.criterion, reduction="none")
        return LossOutput(reduce(per_item, "mean", weights), per_item, {"iou_mean": iou.mean()})


def relative_iou(offsets: Tensor) -> Tensor:
    """Overlap with a label of boxes at `offsets` from it in relative coordinates, ``(..., 4) -> (...)``.

    Where the label is and how large does not matter: overlap survives moving and stretching both boxes.
    """
    unit = offsets.new_ones(2)
    return box_iou(rel_to_rect(offsets, unit), offsets.new_tensor([-0.5, -0.5, 1.0, 1.0]))


def _jittered_unit_boxes(size: int, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    """Boxes (cx, cy, w, h) around the unit box ``(size, 4)`` and their overlap with it ``(size,)``."""
    choice = torch.randint(len(JITTER_FACTORS), (size,), generator=generator)
    factor = torch.tensor(JITTER_FACTORS)[choice]
    unit = torch.tensor([0.0, 0.0, 1.0, 1.0])
    boxes, iou = unit.repeat(size, 1), torch.zeros(size)
    for _ in range(MAX_TRIES):
        open_ = (iou <= MIN_IOU).nonzero()[:, 0]
        if not len(open_):
            break
        drawn = unit + factor[open_, None] * torch.randn(len(open_), 4, generator=generator)
        low, high = REDRAWN_SIZE
        again = low + (high - low) * torch.rand(len(open_), 2, generator=generator)
        extent = torch.where(drawn[:, 2:] > 0, drawn[:, 2:], again)
        boxes[open_] = torch.cat((drawn[:, :2], extent), -1)
        corner = torch.cat((drawn[:, :2] - 0.5 * extent, extent), -1)
        iou[open_] = box_iou(corner, torch.tensor([-0.5, -0.5, 1.0, 1.0]))
        factor[open_] *= SHRINK
    return boxes, iou
