"""Candidate boxes for the energy branch, with the log-densities that its losses need."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from ebm.boxes import rect_to_rel, rel_to_rect
from ebm.exceptions import DomainError, ShapeError
from ebm.lookup import lookup
from ebm.losses.conditional import box_log_back
from ebm.proposals import GaussianMixtureProposal, ZeroNoise, annotation_noise

__all__ = ["BoxProposals", "ProposalConfig", "ProposalMethod", "ProposedBoxes"]

ProposalMethod: TypeAlias = Literal["gmm", "nce", "nce_plus", "cnce"]
SigmaPairs: TypeAlias = tuple[tuple[float, float], ...]

_METHODS = {method: method for method in get_args(ProposalMethod)}


@dataclass(frozen=True, kw_only=True)
class ProposalConfig:
    """Which candidates to draw around a label; sigmas are (position, log size), relative to its size."""

    method: ProposalMethod = "nce_plus"  # gmm: KLD-IS; all else: a first row with the (perturbed) label
    num_samples: int = 128  # noise boxes a frame, a first row with the label not counted
    sigmas: SigmaPairs = ((0.05, 0.05), (0.5, 0.5))  # one pair a mixture component
    label_sigma: tuple[float, float] = (0.05, 0.05)  # gmm only: spread of the label density p(y | y_i)
    beta: float = 0.1  # nce_plus only: scale of the annotation noise
    beta_mode: Literal["std", "variance"] = "std"  # what beta multiplies; "std" gave the published numbers


@dataclass(frozen=True)
class ProposedBoxes:
    """Candidates of I frames; P is `num_samples`, one more where the first is a label."""

    boxes: Tensor  # [I, P, 4] xywh, px of the crop
    log_q: Tensor  # [I, P] log-density of the noise at each box, nats, in relative coordinates
    gt_log_density: Tensor  # [I, P] of the label distribution (gmm), of the way back (cnce), zeros otherwise

    def fields(self) -> dict[str, Tensor]:
        """What a training sample calls them."""
        return {
            "test_proposals": self.boxes,
            "proposal_log_q": self.log_q,
            "gt_log_density": self.gt_log_density,
        }


class BoxProposals:
    """Draws candidates in relative coordinates whose reference size is the label's own.

    An offset e moves a box's centre by (e1 w, e2 h) and multiplies its size by (exp e3, exp e4). Densities
    are over these coordinates, without a Jacobian to pixels.

    Source: Gustafsson et al., "How to Train Your Energy-Based Model for Regression", arXiv:2005.01698.
    """

    def __init__(self, config: ProposalConfig) -> None:
        """Check a configuration and prepare its distributions.

        Raises:
            UnknownNameError: if there is no such method.
            DomainError: if a number is out of range.
        """
        lookup("proposal method", config.method, _METHODS)
        if config.num_samples < 1:
            raise DomainError(f"num_samples must be at least 1, got {config.num_samples}.")
        self.config = config
        self._noise = GaussianMixtureProposal(config.sigmas, layout="box")
        self._label = GaussianMixtureProposal((config.label_sigma,), layout="box")
        perturbed = config.method == "nce_plus"
        self._shift = (
            annotation_noise(self._noise, config.beta, config.beta_mode) if perturbed else ZeroNoise(4)
        )

    @property
    def rows(self) -> int:
        """Candidates per frame, P."""
        return self.config.num_samples + (self.config.method != "gmm")

    def __call__(self, labels: Tensor, generator: torch.Generator | None = None) -> ProposedBoxes:
        """Candidates around labels.

        Args:
            labels: ``[I, 4]`` xywh, px of the crop, width and height > 0.
            generator: source of randomness; None: torch's own.

        Returns:
            The candidates. With nce and cnce the first is the label itself, with nce_plus the label moved by
            annotation noise; its `log_q` is the log-density of the full-size noise there, as for every
            other row.

        Raises:
            ShapeError: if `labels` is not ``[I, 4]``.
            DomainError: if a label is not finite or has no area.
        """
        if labels.ndim != 2 or labels.shape[1] != 4:
            raise ShapeError(f"labels must be [I, 4], not {list(labels.shape)}.")
        size, count = labels[:, 2:], len(labels)
        centre = rect_to_rel(labels, size)
        drawn = self._noise.sample_offsets(count * self.config.num_samples, centre, generator=generator)
        offsets = drawn.reshape(count, -1, 4)
        if self.config.method != "gmm":
            first = self._shift.sample_offsets(count, centre, generator=generator)
            offsets = torch.cat((first[:, None], offsets), dim=1)
        log_q = self._noise.log_prob_offset(offsets)
        boxes = rel_to_rect(centre[:, None] + offsets, size[:, None])
        density = torch.zeros_like(log_q)
        if self.config.method == "gmm":
            density = self._label.log_prob_offset(offsets)
        elif self.config.method == "cnce":
            density = box_log_back(self._noise, offsets)
        return ProposedBoxes(boxes, log_q, density)
