"""Losses that compare scores of candidates: draw around the labels, score, reduce, diagnose."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ebm.checks import float_dtype, require_count
from ebm.exceptions import ShapeError
from ebm.losses.base import EnergyLoss, LossOutput, require_finite_scores
from ebm.losses.reduction import reduce
from ebm.models import EnergyModel, Features
from ebm.proposals import Proposal, ProposalSamples

__all__ = ["CandidateLoss", "Candidates"]


@dataclass(frozen=True)
class Candidates:
    """Targets to score for one loss.

    Attributes:
        y: ``(B, C, D)``; where the loss uses a label, it is candidate 0.
        log_q: log-density of the proposal at every candidate, nats, ``(B, C)``.
        log_p: log-density of the label distribution, nats, ``(B, C)``, for KLD-IS.
        log_back: log-density of the way back, of noise around every candidate at candidate 0, nats,
            ``(B, C)``, for conditional NCE; None where it is `log_q`, the noise being symmetric.
    """

    y: Tensor
    log_q: Tensor
    log_p: Tensor | None = None
    log_back: Tensor | None = None


class CandidateLoss(EnergyLoss):
    """Draw candidates around the labels, score them, compare.

    Args:
        proposal: distribution of the noise samples around a label.
        num_samples: M, noise samples per label; a label comes in addition.
        share_across_batch: one set of offsets for the whole batch.
        **options: see `EnergyLoss`.
    """

    has_label = True
    ranks_label = False  # whether the loss is to give the label the largest f - log q

    def __init__(
        self, proposal: Proposal, num_samples: int, *, share_across_batch: bool = False, **options: bool
    ) -> None:
        super().__init__(proposal.target_dim, **options)
        self.proposal = proposal
        self.num_samples = require_count("num_samples", num_samples)
        self.share_across_batch = share_across_batch

    def draw(
        self, y: Tensor, generator: torch.Generator | None, lead: Tensor | None = None
    ) -> ProposalSamples:
        """M samples around labels ``(B, D)``, behind the labels moved by `lead`, see `Proposal.sample`."""
        return self.proposal.sample(
            y, self.num_samples, generator=generator, share_across_batch=self.share_across_batch, lead=lead
        )

    @abstractmethod
    def sample(self, y: Tensor, *, generator: torch.Generator | None = None) -> Candidates:
        """Candidates for labels ``(B, D)``, drawn without scoring; a data loader may call it."""

    @abstractmethod
    def per_item(self, f: Tensor, candidates: Candidates) -> Tensor:
        """Loss per item ``(B,)`` from the candidates' scores ``(B, C)``."""

    def evaluate(
        self,
        model: EnergyModel,
        features: Features,
        y: Tensor,
        weights: Tensor | None,
        generator: torch.Generator | None,
    ) -> LossOutput:
        """See `EnergyLoss.evaluate`."""
        candidates = self.sample(y, generator=generator)
        f = model.score(features, candidates.y)
        if f.shape != candidates.log_q.shape:
            raise ShapeError(f"the model must score {tuple(candidates.log_q.shape)}, got {tuple(f.shape)}.")
        if self.check_finite:
            require_finite_scores(f, labels=int(self.has_label))
        per_item = self.per_item(f, candidates)
        aux = self.diagnose(f.detach(), candidates) if self.diagnostics else {}
        return LossOutput(reduce(per_item, "mean", weights), per_item, aux)

    def diagnose(self, f: Tensor, candidates: Candidates) -> dict[str, Any]:
        """Diagnostics of detached scores ``(B, C)``, see `LossOutput`."""
        aux: dict[str, Any] = {}
        logits = f.to(float_dtype(f)) - candidates.log_q
        if self.has_label:
            aux["f_label_mean"] = f[:, 0].mean()
        if self.ranks_label:
            aux["label_rank_acc"] = (logits.argmax(-1) == 0).float().mean()
            aux["label_auc"] = (logits[:, :1] > logits[:, 1:]).float().mean()
        first = int(self.has_label)
        top = logits[:, first:].amax(-1, keepdim=True)
        # One exponential, in place, serves both the sum of the weights and that of their squares.
        share = logits[:, first:].sub_(top).exp_()
        total = share.sum(-1)
        aux["log_z_mean"] = (top[:, 0] + total.log()).mean() - math.log(share.shape[1])
        aux["ess_mean"] = (total / torch.linalg.vector_norm(share, dim=-1)).square().mean()
        aux["f_sample_max"] = f[:, first:].max()
        return aux
