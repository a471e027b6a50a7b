"""Candidate boxes for the branch that predicts overlaps, with the overlaps that it should answer."""

from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from ebm.boxes import box_iou
from ebm.exceptions import DomainError
from ltr.data.perturbation import perturb_boxes
from ltr.data.proposals import BoxProposals, ProposalConfig

__all__ = ["OverlapConfig", "OverlapProposals", "PerturbationConfig", "ScoredBoxes"]


@dataclass(frozen=True, kw_only=True)
class PerturbationConfig:
    """Candidates from perturbed labels; the defaults are those of the published DiMP."""

    num_samples: int = 8  # boxes a frame
    spread: tuple[float, ...] = (0.01, 0.05, 0.1, 0.2, 0.3)  # deviations / sqrt(label area), one drawn a box
    min_iou: float = 0.1  # overlap that a box exceeds


@dataclass(frozen=True, kw_only=True)
class OverlapConfig:
    """Candidates to predict overlaps of: perturbed labels, or draws from a mixture (a ``"gmm"``)."""

    source: PerturbationConfig | ProposalConfig = PerturbationConfig()


@dataclass(frozen=True)
class ScoredBoxes:
    """Candidates of I frames and how well they overlap their labels."""

    boxes: Tensor  # [I, P, 4] xywh, px of the crop
    target: Tensor  # [I, P] 2 IoU - 1, in [-1, 1]

    def fields(self) -> dict[str, Tensor]:
        """What a training sample calls them."""
        return {"test_proposals": self.boxes, "proposal_iou": self.target}


Draw: TypeAlias = PerturbationConfig | BoxProposals


class OverlapProposals:
    """Draws candidates around labels and says how well they overlap them.

    Source: Danelljan et al., "ATOM: Accurate Tracking by Overlap Maximization", arXiv:1811.07628.
    """

    def __init__(self, config: OverlapConfig) -> None:
        """Check a configuration.

        Raises:
            DomainError: if a number is out of range, or the mixture's method has a first row of its own.
        """
        source = config.source
        if isinstance(source, ProposalConfig):
            if source.method != "gmm":
                raise DomainError(f"overlaps need proposals of the method 'gmm', got {source.method!r}.")
            self._draw: Draw = BoxProposals(source)
            return
        if source.num_samples < 1 or not source.spread or min(source.spread) <= 0:
            raise DomainError(
                f"num_samples ({source.num_samples}) must be at least 1 and the spreads ({source.spread}) "
                "positive."
            )
        if not 0 <= source.min_iou < 1:
            raise DomainError(f"min_iou must lie in [0, 1), got {source.min_iou}.")
        self._draw = source

    def __call__(self, labels: Tensor, generator: torch.Generator | None = None) -> ScoredBoxes:
        """Candidates around labels.

        Args:
            labels: ``[I, 4]`` xywh, px of the crop, width and height > 0.
            generator: source of randomness; None: torch's own.

        Raises:
            ShapeError: if `labels` is not ``[I, 4]``.
            DomainError: if a label is not finite or has no area.
        """
        if isinstance(self._draw, BoxProposals):
            boxes = self._draw(labels, generator).boxes
            return ScoredBoxes(boxes, 2 * box_iou(boxes, labels[:, None]) - 1)
        config = self._draw
        spread = torch.tensor(config.spread, dtype=labels.dtype)
        chosen = torch.randint(len(spread), (len(labels) * config.num_samples,), generator=generator)
        repeated = labels.repeat_interleave(config.num_samples, dim=0)
        flat, overlaps = perturb_boxes(repeated, spread[chosen], config.min_iou, generator)
        shape = (len(labels), config.num_samples)
        return ScoredBoxes(flat.reshape(*shape, 4), 2 * overlaps.reshape(shape) - 1)
