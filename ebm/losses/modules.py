"""Loss modules that own a proposal and compare scores of candidates, and the table of all eight losses."""

import warnings
from collections.abc import Mapping
from inspect import signature
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from ebm.checks import require_positive
from ebm.exceptions import ShapeError
from ebm.lookup import unknown_name
from ebm.losses.base import EnergyLoss
from ebm.losses.candidates import CandidateLoss, Candidates
from ebm.losses.conditional import CNCELoss
from ebm.losses.functional import kld_is, ml_is, nce
from ebm.losses.gradient_losses import DenoisingScoreMatchingLoss, MLMCMCLoss, ScoreMatchingLoss
from ebm.numbers import Numbers, listed
from ebm.proposals import (
    BetaMode,
    GaussianMixtureProposal,
    Proposal,
    annotation_noise,
)

__all__ = [
    "LOSSES",
    "CNCELoss",
    "KLDISLoss",
    "MLISLoss",
    "NCELoss",
    "NCEPlusLoss",
    "build_loss",
]

FEW_SAMPLES = 16


class MLISLoss(CandidateLoss):
    """Maximum likelihood by importance sampling, see `ebm.losses.functional.ml_is`.

    Args:
        proposal: distribution of the samples around a label.
        num_samples: M; below 16 the estimator is unreliable and a UserWarning says so.
        **options: see `CandidateLoss` and `EnergyLoss`.
    """

    def __init__(self, proposal: Proposal, num_samples: int, **options: bool) -> None:
        super().__init__(proposal, num_samples, **options)
        _warn_few(num_samples)

    def sample(self, y: Tensor, *, generator: torch.Generator | None = None) -> Candidates:
        """The label and M samples, ``(B, 1 + M, D)``."""
        return _label_and_noise(self, y, y.new_zeros(1, y.shape[1]), generator)

    def per_item(self, f: Tensor, candidates: Candidates) -> Tensor:
        """ML-IS per item, ``(B,)``."""
        return ml_is(f[:, 0], f[:, 1:], candidates.log_q[:, 1:], reduction="none")


class KLDISLoss(CandidateLoss):
    """Divergence from a Gaussian label density by importance sampling, see `ebm.losses.functional.kld_is`.

    Args:
        proposal: distribution of the samples around a label.
        num_samples: M; below 16 a UserWarning says the estimator is unreliable.
        label_sigma: standard deviation of the label density, one number or D; a UserWarning says if it
            exceeds the widest proposal component, where the weights are unbounded.
        self_normalize: divide by the sum of the weights; not in the paper.
        add_constant: add minus the label density's entropy, so that the value is the divergence itself.
        **options: see `CandidateLoss` and `EnergyLoss`.
    """

    has_label = False

    def __init__(
        self,
        proposal: GaussianMixtureProposal,
        num_samples: int,
        label_sigma: Numbers,
        *,
        self_normalize: bool = False,
        add_constant: bool = False,
        **options: bool,
    ) -> None:
        super().__init__(proposal, num_samples, **options)
        row = require_positive("label_sigma", listed(label_sigma))
        self.label_density = proposal.of_sigmas([row] if len(row) > 1 else row)
        self.self_normalize, self.add_constant = self_normalize, add_constant
        _warn_few(num_samples)
        if bool((self.label_density.max_sigma > proposal.max_sigma).any()):
            warnings.warn("label_sigma exceeds every proposal sigma: weights are unbounded.", stacklevel=2)

    def sample(self, y: Tensor, *, generator: torch.Generator | None = None) -> Candidates:
        """M samples with both log-densities, ``(B, M, D)``."""
        drawn = self.draw(y, generator)
        log_p = self.label_density.log_prob_offset(drawn.offsets)
        return Candidates(drawn.y, drawn.log_q, log_p.expand_as(drawn.log_q))

    def per_item(self, f: Tensor, candidates: Candidates) -> Tensor:
        """KLD-IS per item, ``(B,)``."""
        if candidates.log_p is None:
            raise ShapeError("KLD-IS needs log_p, the label density at every candidate.")
        # The entropy of a Gaussian is minus its log-density at the centre plus D / 2.
        entropy = 0.5 * self.proposal.target_dim - self.label_density.log_prob_at_center()
        return kld_is(
            f,
            candidates.log_q,
            candidates.log_p,
            self_normalize=self.self_normalize,
            constant=-entropy.to(f.device) if self.add_constant else None,
            reduction="none",
        )


class NCELoss(CandidateLoss):
    """Noise-contrastive estimation by ranking, see `ebm.losses.functional.nce`.

    Args:
        proposal: noise distribution p_N around a label.
        num_samples: M.
        **options: see `CandidateLoss` and `EnergyLoss`.
    """

    ranks_label = True

    def __init__(self, proposal: Proposal, num_samples: int, **options: bool) -> None:
        super().__init__(proposal, num_samples, **options)

    def sample(self, y: Tensor, *, generator: torch.Generator | None = None) -> Candidates:
        """The label and M noise samples, ``(B, 1 + M, D)``."""
        return _label_and_noise(self, y, y.new_zeros(1, y.shape[1]), generator)

    def per_item(self, f: Tensor, candidates: Candidates) -> Tensor:
        """NCE per item, ``(B,)``."""
        return nce(f, candidates.log_q, reduction="none")


class NCEPlusLoss(NCELoss):
    """NCE with a model of annotation noise: candidate 0 is the label plus nu, its density that of p_N at nu.

    Args:
        proposal: noise distribution p_N around a label.
        num_samples: M.
        beta: how far p_N is narrowed for the label noise; 0 is `NCELoss`.
        beta_mode: what beta multiplies, see `ebm.proposals.annotation_noise`.
        **options: see `CandidateLoss` and `EnergyLoss`.

    Source: Gustafsson et al., BMVC 2020, eq. 15-16.
    """

    def __init__(
        self,
        proposal: GaussianMixtureProposal,
        num_samples: int,
        beta: float,
        beta_mode: BetaMode = "std",
        **options: bool,
    ) -> None:
        super().__init__(proposal, num_samples, **options)
        self.noise = annotation_noise(proposal, beta, beta_mode)

    def sample(self, y: Tensor, *, generator: torch.Generator | None = None) -> Candidates:
        """The perturbed label and M noise samples, ``(B, 1 + M, D)``."""
        count = 1 if self.share_across_batch else y.shape[0]
        nu = self.noise.sample_offsets(count, y, generator=generator)
        return _label_and_noise(self, y, nu, generator)


LOSSES: Mapping[str, type[EnergyLoss]] = MappingProxyType(
    {
        "ml-is": MLISLoss,
        "kld-is": KLDISLoss,
        "nce": NCELoss,
        "nce+": NCEPlusLoss,
        "cnce": CNCELoss,
        "ml-mcmc": MLMCMCLoss,
        "sm": ScoreMatchingLoss,
        "dsm": DenoisingScoreMatchingLoss,
    }
)


def build_loss(name: str, **cfg: Any) -> EnergyLoss:
    """The loss of that name with the given arguments.

    Args:
        name: a key of `LOSSES`, in any case.
        **cfg: arguments of its class.

    Raises:
        UnknownNameError: (a ValueError) with the nearest name and the list of all.
        TypeError: if arguments are missing or foreign to that loss, with the list of those it takes.
    """
    if not isinstance(name, str) or name.lower() not in LOSSES:
        raise unknown_name("loss", str(name), LOSSES, f"The losses are {', '.join(map(repr, LOSSES))}.")
    loss = LOSSES[name.lower()]
    takes = _arguments(loss)
    foreign = [argument for argument in cfg if argument not in takes]
    missing = [argument for argument, needed in takes.items() if needed and argument not in cfg]
    if foreign or missing:
        found = [f"got {', '.join(map(repr, foreign))}"] * bool(foreign)
        found += [f"needs {', '.join(map(repr, missing))}"] * bool(missing)
        raise TypeError(f"loss {name!r} {' and '.join(found)}; it takes {', '.join(takes)}.")
    return loss(**cfg)


def _arguments(loss: type[EnergyLoss]) -> dict[str, bool]:
    """What a loss can be built with, and whether it must be; options of its bases are keyword-only."""
    own = signature(loss).parameters.values()
    takes = {p.name: p.default is p.empty for p in own if p.kind is not p.VAR_KEYWORD}
    for base in loss.__mro__:
        if issubclass(base, EnergyLoss):
            options = signature(base).parameters.values()
            takes |= {p.name: False for p in options if p.kind is p.KEYWORD_ONLY}
    return takes


def _label_and_noise(
    loss: CandidateLoss, y: Tensor, nu: Tensor, generator: torch.Generator | None
) -> Candidates:
    """Labels moved by nu, ``(B, D)`` or ``(1, D)``, in front of M samples around the unmoved labels."""
    drawn = loss.draw(y, generator, lead=nu)
    return Candidates(drawn.y, drawn.log_q)


def _warn_few(num_samples: int) -> None:
    if num_samples < FEW_SAMPLES:
        warnings.warn(
            f"importance sampling with M = {num_samples} < {FEW_SAMPLES} is unbounded below; prefer CNCE.",
            UserWarning,
            stacklevel=3,
        )
