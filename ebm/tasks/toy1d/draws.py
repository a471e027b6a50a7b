"""What each loss of the 1D study scores: offsets from the label, their log-densities, how scores are summed.

Every loss that compares scores is ``LSE_c(f_c - log_q_c) - sum_c coefficient_c f_c`` of some candidates, or,
for conditional NCE, ``sum_c coefficient_c softplus(f_c - f_0)``.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ebm.exceptions import DomainError
from ebm.proposals import GaussianMixtureProposal, Proposal, annotation_noise
from ebm.tasks.toy1d.methods import ToyMethod

__all__ = ["CandidateTable", "Draws"]


@dataclass(frozen=True)
class CandidateTable:
    """Candidates relative to their labels; one row serves a mini-batch (shared) or one label.

    Attributes:
        offsets: ``(R, C)``.
        log_q: ``(R, C)``; +inf leaves a candidate out of the partition sum.
        coefficient: ``(R, C)``.
    """

    offsets: Tensor
    log_q: Tensor
    coefficient: Tensor


class Draws:
    """Candidates of a method that compares scores: ML-IS, KLD-IS, NCE, NCE+ or CNCE.

    Args:
        method: its settings.

    Raises:
        DomainError: for a method that draws otherwise.
    """

    def __init__(self, method: ToyMethod) -> None:
        if method.sigmas is None:
            raise DomainError(f"{method.name} does not draw from a mixture of Gaussians.")
        self.method = method
        self.proposal = GaussianMixtureProposal(method.sigmas, target_dim=1)
        self.label_noise: Proposal | None = None
        if method.beta is not None:
            self.label_noise = annotation_noise(self.proposal, method.beta, method.beta_mode)
        self.label_density = (
            None
            if method.label_sigma is None
            else GaussianMixtureProposal([method.label_sigma], target_dim=1)
        )

    def table(self, rows: int, like: Tensor, generator: torch.Generator) -> CandidateTable:
        """`rows` rows of candidates on the device and in the dtype of `like`."""
        count = self.method.num_samples
        drawn = self.proposal.sample_offsets(rows * count, like, generator=generator)
        log_q = self.proposal.log_prob_offset(drawn).view(rows, count)
        offsets = drawn.view(rows, count)
        if self.label_density is not None:
            log_p = self.label_density.log_prob_offset(drawn).view(rows, count)
            weights = (log_p - log_q - math.log(count)).exp()
            return CandidateTable(offsets, log_q + math.log(count), weights)
        return self._with_label(offsets, log_q, generator)

    def _with_label(self, offsets: Tensor, log_q: Tensor, generator: torch.Generator) -> CandidateTable:
        rows, count = offsets.shape
        if self.method.loss == "cnce":
            return _pairs(offsets)
        label = torch.zeros(rows, 1, dtype=offsets.dtype, device=offsets.device)
        if self.label_noise is not None:
            label = self.label_noise.sample_offsets(rows, offsets, generator=generator)
        log_q_label = self.proposal.log_prob_offset(label)[:, None]
        if self.method.loss == "ml-is":  # the label is scored, but is no sample of the partition sum
            log_q_label, log_q = torch.full_like(label, math.inf), log_q + math.log(count)
        else:  # the label's own log q, a constant of the softmax, goes into the others
            log_q_label, log_q = torch.zeros_like(label), log_q - log_q_label
        first = torch.zeros(rows, 1 + count, dtype=offsets.dtype, device=offsets.device)
        first[:, 0] = 1
        return CandidateTable(torch.cat((label, offsets), 1), torch.cat((log_q_label, log_q), 1), first)


def _pairs(offsets: Tensor) -> CandidateTable:
    """The label and every sample with the same weight; symmetric noise leaves nothing to correct for."""
    padded = torch.nn.functional.pad(offsets, (1, 0))
    coefficient = torch.full_like(padded, 1 / offsets.shape[1])
    coefficient[:, 0] = 0
    return CandidateTable(padded, torch.zeros_like(padded), coefficient)
