"""Conditional noise-contrastive estimation: the label against each of its samples, pair by pair.

Among all pairs of a label and a sample around it, two places u and v occur with u as the label in proportion
to p(u) q(v|u), with v as the label in proportion to p(v) q(u|v). The best logit for "it is u" is therefore
log p(u) - log p(v) + log q(v|u) - log q(u|v): the loss of every single pair is least where f is log p +
constant, whatever the number of samples. Under symmetric noise the last two terms cancel.
"""

import torch
from torch import Tensor

from ebm.losses.candidates import CandidateLoss, Candidates
from ebm.losses.functional import cnce
from ebm.proposals import BetaMode, GaussianMixtureProposal, Proposal, ZeroNoise, annotation_noise

__all__ = ["CNCELoss", "box_log_back"]


class CNCELoss(CandidateLoss):
    """Conditional noise-contrastive estimation, see `ebm.losses.functional.cnce`.

    With `beta` the label is moved by annotation noise before anything is drawn around it. It is then a draw
    of the labels' density convolved with that noise, which is what the model learns, again for every M.

    Args:
        proposal: noise distribution around a label. One that is not `symmetric` is corrected for.
        num_samples: M.
        beta: how far the proposal is narrowed for the annotation noise; 0 is none.
        beta_mode: what beta multiplies, see `ebm.proposals.annotation_noise`.
        **options: see `CandidateLoss` and `EnergyLoss`.

    Raises:
        TypeError: if `beta` is given with a proposal that is no Gaussian mixture.

    Source: Ceylan and Gutmann, ICML 2018; with annotation noise as in Gustafsson et al., BMVC 2020, eq. 15.
    """

    def __init__(
        self,
        proposal: Proposal,
        num_samples: int,
        beta: float = 0.0,
        beta_mode: BetaMode = "std",
        **options: bool,
    ) -> None:
        super().__init__(proposal, num_samples, **options)
        self.noise: Proposal = ZeroNoise(proposal.target_dim)
        if isinstance(proposal, GaussianMixtureProposal):
            self.noise = annotation_noise(proposal, beta, beta_mode)
        elif beta != 0:
            raise TypeError(f"beta narrows a GaussianMixtureProposal; got {type(proposal).__name__}.")

    def sample(self, y: Tensor, *, generator: torch.Generator | None = None) -> Candidates:
        """The label, moved where there is annotation noise, and M samples around it, ``(B, 1 + M, D)``."""
        count = 1 if self.share_across_batch else y.shape[0]
        moved = y + self.noise.sample_offsets(count, y, generator=generator)
        drawn = self.draw(moved, generator, lead=torch.zeros_like(moved[:1]))
        if self.proposal.symmetric:
            return Candidates(drawn.y, drawn.log_q)
        away = drawn.log_q[:, 1:]
        back = self.proposal.log_prob_offset(-drawn.offsets).expand_as(away)
        return Candidates(drawn.y, drawn.log_q, log_back=torch.cat((drawn.log_q[:, :1], back), 1))

    def per_item(self, f: Tensor, candidates: Candidates) -> Tensor:
        """Conditional NCE per item, ``(B,)``."""
        back = candidates.log_back
        ratio = None if back is None else back[:, 1:] - candidates.log_q[:, 1:]
        return cnce(f, ratio, reduction="none")


def box_log_back(noise: Proposal, offsets: Tensor) -> Tensor:
    """Log-density of the way back from boxes to the label that they were drawn around.

    Noise in units of a box's own size is not symmetric: a box grown by exp(g) is led back by noise that is as
    much wider. The density is over the same coordinates as that of the way there, those of the label.

    Args:
        noise: of relative boxes, D = 4.
        offsets: of the boxes from the label, relative to its size: position, log size, ``(..., 4)``.

    Returns:
        Nats, ``(...)``; equal to the density of the way there where the size is the same.
    """
    position, growth = offsets[..., :2], offsets[..., 2:]
    back = torch.cat((-position * (-growth).exp(), -growth), -1)
    return noise.log_prob_offset(back) - growth.sum(-1)
