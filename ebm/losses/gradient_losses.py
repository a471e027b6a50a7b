"""Loss modules that look at grad f: maximum likelihood with Langevin chains, and score matching."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ebm.checks import all_finite, finite_range, require_count
from ebm.exceptions import NumericalError
from ebm.gradients import frozen_parameters
from ebm.losses.base import EnergyLoss, LossOutput, require_finite_scores
from ebm.losses.functional import ml_mcmc
from ebm.losses.reduction import reduce
from ebm.losses.score_matching import FLAT, DenoisingBatch, noise_scale, score_terms
from ebm.models import EnergyModel, Features, map_tensors, tensors_of
from ebm.samplers import LangevinDynamics

__all__ = ["DenoisingScoreMatchingLoss", "MLMCMCLoss", "ScoreMatchingLoss"]


class MLMCMCLoss(EnergyLoss):
    """Maximum likelihood with Langevin chains that start at the label, see `ebm.losses.functional.ml_mcmc`.

    The chains run on detached features and a frozen model; only the scores of the labels and of the chains'
    ends are differentiated.

    Args:
        target_dim: D.
        num_samples: M, chains per label.
        steps: L, at least 1.
        step_size: alpha, in the unit of y, one number or D.
        metropolis: accept or refuse each move, see `ebm.samplers.langevin`.
        **options: see `EnergyLoss`.

    Source: Gustafsson et al., BMVC 2020, eq. 8-10.
    """

    def __init__(
        self,
        target_dim: int,
        num_samples: int,
        steps: int,
        step_size: float | Sequence[float],
        *,
        metropolis: bool = False,
        **options: bool,
    ) -> None:
        super().__init__(target_dim, **options)
        self.num_samples = require_count("num_samples", num_samples)
        self.steps = require_count("steps", steps)
        self.dynamics = LangevinDynamics(
            step_size=step_size, metropolis=metropolis, validate=bool(self.check_finite)
        )

    def evaluate(
        self,
        model: EnergyModel,
        features: Features,
        y: Tensor,
        weights: Tensor | None,
        generator: torch.Generator | None,
    ) -> LossOutput:
        """See `EnergyLoss.evaluate`."""
        label = y[:, None]
        start = label.expand(-1, self.num_samples, -1)
        still = map_tensors(torch.Tensor.detach, features)
        with frozen_parameters(model):
            chain = self.dynamics.run(model.score_function(still), start, self.steps, generator=generator)
        f_label, f_chain = model.score(features, label), model.score(features, chain.y)
        if self.check_finite:
            require_finite_scores(f_label, labels=1)
            require_finite_scores(f_chain)
        per_item = ml_mcmc(f_label[:, 0], f_chain, reduction="none")
        aux = {
            "f_label_mean": f_label.detach().mean(),
            "f_sample_max": f_chain.detach().max(),
            "grad_norm": _mean_norm(chain.gradient),
        }
        return LossOutput(reduce(per_item, "mean", weights), per_item, aux)


class ScoreMatchingLoss(EnergyLoss):
    """Score matching, see `ebm.losses.functional.score_matching`.

    Warns once if every second derivative of a batch is zero; with `check_finite` off it does not look.

    Args:
        target_dim: D.
        **options: see `EnergyLoss`.

    Source: Gustafsson et al., BMVC 2020, eq. 13.
    """

    def __init__(self, target_dim: int, **options: bool) -> None:
        super().__init__(target_dim, **options)
        self._warned = False

    def evaluate(
        self,
        model: EnergyModel,
        features: Features,
        y: Tensor,
        weights: Tensor | None,
        generator: torch.Generator | None,
    ) -> LossOutput:
        """See `EnergyLoss.evaluate`."""
        terms = score_terms(lambda u: model.score(features, u), y)
        if self.check_finite:
            require_finite_scores(terms.score, labels=1)
            _require_finite_gradient("gradient", terms.gradient, terms.score)
            _require_finite_gradient("second derivative", terms.trace, terms.score)
            if not self._warned and terms.is_flat:
                self._warned = True
                warnings.warn(FLAT, UserWarning, stacklevel=5)
        per_item = terms.per_item
        aux = {"grad_norm": _mean_norm(terms.gradient.detach())}
        return LossOutput(reduce(per_item, "mean", weights), per_item, aux)


class DenoisingScoreMatchingLoss(EnergyLoss):
    """Denoising score matching, see `ebm.losses.functional.denoising_score_matching`.

    Args:
        target_dim: D.
        num_samples: M, noisy labels per label.
        sigma: standard deviation of the noise, in the unit of y, one number or D.
        chunk: noisy labels per label and pass; memory grows with it instead of M. ``per_item`` of the output
            is detached then, gradients flow through ``loss`` alone and once.
        **options: see `EnergyLoss`.

    Source: Gustafsson et al., BMVC 2020, eq. 14.
    """

    def __init__(
        self,
        target_dim: int,
        num_samples: int,
        sigma: float | Sequence[float],
        *,
        chunk: int | None = None,
        **options: bool,
    ) -> None:
        super().__init__(target_dim, **options)
        self.num_samples = require_count("num_samples", num_samples)
        self.chunk = None if chunk is None else require_count("chunk", chunk)
        noise_scale(sigma, target_dim)
        self.sigma = sigma

    def evaluate(
        self,
        model: EnergyModel,
        features: Features,
        y: Tensor,
        weights: Tensor | None,
        generator: torch.Generator | None,
    ) -> LossOutput:
        """See `EnergyLoss.evaluate`."""
        batch = DenoisingBatch.draw(y, self.sigma, self.num_samples, generator=generator, chunk=self.chunk)
        weigh = lambda rows: reduce(rows, "mean", weights)  # noqa: E731
        if len(batch.slices) == 1 or not torch.is_grad_enabled():
            per_item = batch.per_item(model.score_function(features))
            loss = weigh(per_item)
        else:
            loss = _accumulated(batch, model, features, weigh)
            per_item = torch.stack(batch.rows).sum(0)
        norm = torch.stack(batch.gradient_norm).sum(0)
        if self.check_finite:
            for scores in batch.scores:
                require_finite_scores(scores)
            _require_finite_gradient("gradient", norm, batch.scores[0])
        return LossOutput(loss, per_item, {"grad_norm": norm.mean() / self.num_samples})


def _accumulated(
    batch: DenoisingBatch, model: EnergyModel, features: Features, weigh: Callable[[Tensor], Tensor]
) -> Tensor:
    """The loss by parts; the graph behind the features is entered once, by the caller's backward pass."""
    live = [tensor for tensor in tensors_of(features) if tensor.requires_grad]
    cut = map_tensors(lambda t: t.detach().requires_grad_(t.requires_grad), features)
    own = [parameter for parameter in model.parameters() if parameter.requires_grad]
    inputs = [tensor for tensor in tensors_of(cut) if tensor.requires_grad] + own
    return batch.accumulated(model.score_function(cut), weigh, inputs, (*live, *own))


def _require_finite_gradient(what: str, gradient: Tensor, score: Tensor) -> None:
    if bool(all_finite(gradient)):
        return
    bad = int((~gradient.detach().isfinite()).sum())
    raise NumericalError(
        f"non-finite {what} of the score in y: {bad} of {gradient.numel()} entries; "
        f"finite scores: {finite_range(score.detach())}."
    )


def _mean_norm(gradient: Tensor | None) -> Any:
    return torch.zeros(()) if gradient is None else torch.linalg.vector_norm(gradient, dim=-1).mean()
