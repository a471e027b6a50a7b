"""What all loss modules share: draw candidates, have the model score them, reduce, diagnose."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ebm.checks import float_dtype, require_count, require_finite, require_last_dim
from ebm.exceptions import NumericalError, ShapeError
from ebm.losses.functional import reduce
from ebm.models import EnergyModel, Features, require_fitting_features, tensors_of
from ebm.proposals import Proposal

__all__ = ["Candidates", "EnergyLoss", "LossOutput"]


@dataclass(frozen=True)
class Candidates:
    """Targets to score for one loss.

    Attributes:
        y: ``(B, C, D)``; where the loss uses a label, it is candidate 0.
        log_q: log-density of the proposal at every candidate, nats, ``(B, C)``.
        log_p: log-density of the label distribution, nats, ``(B, C)``, for KLD-IS.
    """

    y: Tensor
    log_q: Tensor
    log_p: Tensor | None = None


@dataclass(frozen=True)
class LossOutput:
    """What a loss module returns.

    Attributes:
        loss: reduced loss, ``()``.
        per_item: ``(B,)``.
        aux: detached diagnostics, each ``()``: ``log_z_mean``, ``f_sample_max``, ``ess_mean`` (effective
            number of samples), with a label ``f_label_mean``, for NCE and NCE+ ``label_rank_acc``. For an
            empty batch only ``empty``, which is True.
    """

    loss: Tensor
    per_item: Tensor
    aux: dict[str, Any] = field(default_factory=dict)


class EnergyLoss(nn.Module, ABC):
    """Draw candidates around the labels, score them, compare.

    Args:
        proposal: distribution of the noise samples around a label.
        num_samples: M, noise samples per label; a label comes in addition.
        share_across_batch: one set of offsets for the whole batch.
        check_finite: raise on non-finite scores or loss; on a GPU this waits for the device every time.
    """

    has_label = True

    def __init__(
        self,
        proposal: Proposal,
        num_samples: int,
        *,
        share_across_batch: bool = False,
        check_finite: bool = True,
    ) -> None:
        super().__init__()
        self.proposal = proposal
        self.num_samples = require_count("num_samples", num_samples)
        self.share_across_batch = share_across_batch
        self.check_finite = check_finite

    @abstractmethod
    def sample(self, y: Tensor, *, generator: torch.Generator | None = None) -> Candidates:
        """Candidates for labels ``(B, D)``, drawn without scoring; a data loader may call it."""

    @abstractmethod
    def per_item(self, f: Tensor, candidates: Candidates) -> Tensor:
        """Loss per item ``(B,)`` from the candidates' scores ``(B, C)``."""

    def forward(
        self,
        model: EnergyModel,
        features: Features,
        y: Tensor,
        *,
        weights: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> LossOutput:
        """Loss of a batch.

        Args:
            model: scores candidates ``(B, C, D)`` given the features.
            features: what ``model.extract`` returned; gradients flow into it.
            y: labels ``(B, D)``; B may be 0.
            weights: weight per item ``(B,)``, non-negative and not all 0.
            generator: source of randomness on the device of `y`.

        Raises:
            ShapeError: if labels, features or the model's scores do not fit.
            DomainError: if a label (on the CPU) or weight is out of its domain.
            NumericalError: with `check_finite`, if scores or the loss are not finite.
        """
        require_last_dim("y", y, self.proposal.target_dim, f"(B, D={self.proposal.target_dim})", rank=2)
        require_fitting_features(features, y)
        y = y.to(float_dtype(y))
        require_finite("y", y)
        if y.shape[0] == 0:
            return _empty_batch(features, y)
        candidates = self.sample(y, generator=generator)
        f = model.score(features, candidates.y)
        if f.shape != candidates.log_q.shape:
            raise ShapeError(f"the model must score {tuple(candidates.log_q.shape)}, got {tuple(f.shape)}.")
        if self.check_finite:
            self._require_finite_scores(f)
        per_item = self.per_item(f, candidates)
        loss = reduce(per_item, "mean", weights)
        if self.check_finite and not bool(loss.isfinite()):
            raise NumericalError(
                f"the loss is {loss.item()} though all scores are finite: check log-densities."
            )
        return LossOutput(loss, per_item, self.diagnose(f.detach(), candidates))

    def diagnose(self, f: Tensor, candidates: Candidates) -> dict[str, Any]:
        """Diagnostics of detached scores ``(B, C)``, see `LossOutput`."""
        logits = f.to(float_dtype(f)) - candidates.log_q
        first = 1 if self.has_label else 0
        noise = logits[:, first:]
        share = noise.softmax(-1)
        aux = {
            "log_z_mean": noise.logsumexp(-1).mean() - math.log(noise.shape[1]),
            "f_sample_max": f[:, first:].max(),
            "ess_mean": share.square().sum(-1).reciprocal().mean(),
        }
        if self.has_label:
            aux["f_label_mean"] = f[:, 0].mean()
        return aux

    def _require_finite_scores(self, f: Tensor) -> None:
        finite = f.detach().isfinite()
        if bool(finite.all()):
            return
        label_bad = self.has_label and not bool(finite[:, 0].all())
        good = f.detach()[finite]
        spread = f"{good.min().item():g} to {good.max().item():g}" if good.numel() else "none"
        raise NumericalError(
            f"non-finite scores at the {'label' if label_bad else 'samples'}: "
            f"{int((~finite).sum())} of {f.numel()}; finite ones: {spread}."
        )


def _empty_batch(features: Features, y: Tensor) -> LossOutput:
    """Zero that is connected to the features, so that ``backward()`` works on a batch without labels."""
    zero = y.sum() + sum(t.sum().float() for t in tensors_of(features) if t.is_floating_point())
    return LossOutput(zero, y.new_zeros(0), {"empty": True})
