"""A conditional variational auto-encoder over targets."""

from typing import Literal, Unpack

import torch
from torch import Tensor, nn

from ebm.baselines.base import DensityBaseline, HeadOptions, initialize
from ebm.baselines.composite import GaussianMixture
from ebm.baselines.densities import normal_like
from ebm.baselines.functional import gaussian_nll
from ebm.baselines.objectives import Moments, Objective, cvae_elbo, gaussian_kl
from ebm.checks import require_count
from ebm.lookup import unknown_name
from ebm.nn.layers import SplitMLP

__all__ = ["CVAEHead", "PairBranch"]

Posterior = Literal["recognition", "prior"]

# In the cVAE log-variances are functions of y and of wide draws, so that one outlier makes exp overflow.
LOG_VAR_BOUND = 20.0


class PairBranch(nn.Module):
    """Mean and log-variance ``(B, M, outputs)`` from features and M vectors per input, a network each."""

    def __init__(self, mean: SplitMLP, log_var: SplitMLP) -> None:
        super().__init__()
        self.mean, self.log_var = mean, log_var

    def forward(self, features: Tensor, other: Tensor) -> Moments:
        """``(B, F)`` and ``(B, M, ...)`` to ``(B, M, outputs)`` twice."""
        mean = self.mean(self.mean.project(features), other)
        return mean, _bounded(self.log_var(self.log_var.project(features), other))


class CVAEHead(DensityBaseline):
    """A Gaussian over y given a latent z, a Gaussian over z given the input.

    Its density is the mixture of the decoded Gaussians of S draws from p(z|x): an estimate of the integral
    over z that is itself a density. Each call draws anew; hold on to one `density` for several questions.
    Log-variances are bent to stay between -20 and 20, for standardised targets; small ones hardly change.

    Args:
        feature_dim: size of the feature vector.
        target_dim: D.
        latent_dim: Z; 10 in the paper.
        num_samples: S; 128 in the paper, in training and at test time.
        posterior: who draws z in training: ``"recognition"`` is a network q(z|x,y), ``"prior"`` is p(z|x)
            itself, whose divergence is zero. The paper describes no recognition network.
        bound: ``"elbo"`` or ``"iwae"``, see `ebm.baselines.objectives.cvae_elbo`.
        **options: see `Baseline`.

    Raises:
        UnknownNameError: (a ValueError) for another posterior or bound.
        DomainError: if a size is not a positive integer.

    Source: Gustafsson et al., ECCV 2020, supplement C.4.
    """

    def __init__(
        self,
        feature_dim: int,
        target_dim: int = 1,
        *,
        latent_dim: int = 10,
        num_samples: int = 128,
        posterior: Posterior = "recognition",
        bound: Objective = "elbo",
        **options: Unpack[HeadOptions],
    ) -> None:
        super().__init__(feature_dim, target_dim, **options)
        if posterior not in ("recognition", "prior"):
            raise unknown_name("posterior", str(posterior), ("recognition", "prior"))
        if bound not in ("elbo", "iwae"):
            raise unknown_name("bound", str(bound), ("elbo", "iwae"))
        self.latent_dim = require_count("latent_dim", latent_dim)
        self.num_samples = require_count("num_samples", num_samples)
        self.bound: Objective = bound
        self.prior_mean, self.prior_log_var = self.branch(latent_dim), self.branch(latent_dim)
        self.decoder = self._pair_branch(latent_dim, target_dim)
        self.recognition = self._pair_branch(target_dim, latent_dim) if posterior == "recognition" else None

    def objective(
        self, features: Tensor, y: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Minus the bound per item ``(B,)``; ``kl_mean`` and ``log_likelihood_mean`` are its two terms."""
        prior = self.prior(features)
        posterior = None if self.recognition is None else self.recognise(self.recognition, features, y)
        z = self.draw(prior if posterior is None else posterior, generator)
        mean, log_var = self.decoder(features, z)
        log_likelihood = -gaussian_nll(mean, log_var, y[:, None].expand_as(mean), reduction="none")
        kl = log_likelihood.new_zeros(()) if posterior is None else gaussian_kl(posterior, prior).mean()
        per_item = cvae_elbo(log_likelihood, prior, posterior, z, objective=self.bound, reduction="none")
        return per_item, {"kl_mean": kl, "log_likelihood_mean": log_likelihood.mean()}

    def standard_density(self, features: Tensor, generator: torch.Generator | None = None) -> GaussianMixture:
        """The decoded Gaussians of S draws from the prior, equally weighted."""
        means, log_vars = self.decoder(features, self.draw(self.prior(features), generator))
        return GaussianMixture(means.new_zeros(means.shape[:2]), means, log_vars)

    def prior(self, features: Tensor) -> Moments:
        """Mean and log-variance of p(z|x), ``(B, Z)`` each."""
        return self.prior_mean(features), _bounded(self.prior_log_var(features))

    def recognise(self, network: PairBranch, features: Tensor, y: Tensor) -> Moments:
        """Mean and log-variance of q(z|x,y) for standardised y ``(B, D)``, ``(B, Z)`` each."""
        mean, log_var = network(features, y.to(features.dtype)[:, None])
        return mean[:, 0], log_var[:, 0]

    def draw(self, moments: Moments, generator: torch.Generator | None) -> Tensor:
        """S draws of z ``(B, S, Z)`` that gradients pass through."""
        mean, log_var = moments
        noise = normal_like(mean, (mean.shape[0], self.num_samples, self.latent_dim), generator)
        return mean[:, None] + (0.5 * log_var).exp()[:, None] * noise

    def _pair_branch(self, inputs: int, outputs: int) -> PairBranch:
        networks = [
            SplitMLP(self.feature_dim, inputs, (*self.hidden, outputs), self.activation) for _ in range(2)
        ]
        for network in networks:
            initialize(network, self.init)
        return PairBranch(*networks)


def _bounded(log_var: Tensor) -> Tensor:
    """The log-variance itself near zero, bent smoothly so that it never exceeds the bound."""
    return LOG_VAR_BOUND * (log_var / LOG_VAR_BOUND).tanh()
