"""The box branch's part of a loss: predicted overlaps, or energies compared as densities."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from ltr.actors.box_energy import BoxEnergyLoss

__all__ = ["BoxTerm", "EnergyTerm", "OverlapTerm", "frames_with_box"]

NO_BOX = 99999.0  # px; frames without a box carry coordinates from here on


class BoxTerm(Protocol):
    """From the box branch's outputs ``[I, B, P]`` and the batch to a loss and its statistics."""

    def __call__(self, prediction: Tensor, batch: Mapping[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted loss ``[]``, and detached statistics ``[]`` by name."""


def frames_with_box(batch: Mapping[str, Any]) -> Tensor:
    """Which test frames show the target: ``[I * B]`` bool; the others are drawn as distractors."""
    return (batch["test_anno"][..., 0] < NO_BOX).flatten()


@dataclass(frozen=True, kw_only=True)
class OverlapTerm:
    """Mean squared error of predicted overlaps.

    The batch's ``proposal_iou`` ``[I, B, P]`` holds ``2 IoU - 1``, in [-1, 1].

    Attributes:
        weight: of the loss.
    """

    weight: float = 1.0

    def __call__(self, prediction: Tensor, batch: Mapping[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """See `BoxTerm`; 0 if no frame shows the target."""
        valid = frames_with_box(batch)
        error = prediction.float().flatten(0, 1) - batch["proposal_iou"].float().flatten(0, 1)
        # Zeroed before the square, so that what stands in rows without a box cannot reach a gradient.
        error = torch.where(valid[:, None], error, 0.0)
        loss = self.weight * error.square().mean(dim=1).sum() / valid.sum().clamp(min=1)
        return loss, {"Loss/iou": loss.detach()}


@dataclass(frozen=True, kw_only=True)
class EnergyTerm:
    """An energy-based loss.

    The batch's ``proposal_log_q`` and ``gt_log_density`` ``[I, B, P]`` are log-densities, nats.

    Attributes:
        loss: of the energies.
        weight: of the loss.
    """

    loss: BoxEnergyLoss
    weight: float = 1.0

    def __call__(self, prediction: Tensor, batch: Mapping[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """See `BoxTerm`; 0 if no frame shows the target."""
        plain, stats = self.loss(
            prediction.flatten(0, 1),
            batch["proposal_log_q"].flatten(0, 1),
            batch["gt_log_density"].flatten(0, 1),
            frames_with_box(batch),
        )
        weighted = self.weight * plain
        return weighted, {"Loss/bb_ce": plain.detach(), "Loss/loss_bb_ce": weighted.detach()} | stats
