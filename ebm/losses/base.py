"""What all loss modules share: the checks of a batch, the empty batch, and what a loss returns."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ebm.checks import (
    all_finite,
    finite_range,
    float_dtype,
    require_count,
    require_finite,
    require_generator,
    require_last_dim,
)
from ebm.exceptions import NumericalError
from ebm.losses.reduction import require_weights
from ebm.models import EnergyModel, Features, require_fitting_features, tensors_of, working_dtype

__all__ = ["EnergyLoss", "LossOutput", "require_finite_scores"]


@dataclass(frozen=True)
class LossOutput:
    """What a loss module returns.

    Attributes:
        loss: reduced loss, ``()``.
        per_item: ``(B,)``.
        aux: detached diagnostics, each ``()``. Losses with a proposal give ``log_z_mean``, ``f_sample_max``,
            ``ess_mean`` (effective number of samples), with a label ``f_label_mean``, NCE and NCE+
            ``label_rank_acc`` (share of labels with the largest f - log q of their candidates) and
            ``label_auc`` (share of the samples that have a smaller one than their label); ML-MCMC gives
            ``f_label_mean``, ``f_sample_max`` and ``grad_norm``, the mean norm of grad f; score matching,
            plain and denoising, ``grad_norm``. For an empty batch there is only ``empty``, which is True.
    """

    loss: Tensor
    per_item: Tensor
    aux: dict[str, Any] = field(default_factory=dict)


class EnergyLoss(nn.Module, ABC):
    """A loss of a model on a batch of labels.

    Args:
        target_dim: D.
        check_finite: raise on a non-finite score, gradient or loss; on a GPU this waits for the device every
            time.
        strict_dtype: refuse labels whose dtype is not the model's, float64 labels of a float32 model say;
            False casts them. Integer labels are always cast.
        diagnostics: fill `LossOutput.aux` where candidates are compared, a twentieth of a small step.
    """

    def __init__(
        self,
        target_dim: int,
        *,
        check_finite: bool = True,
        strict_dtype: bool = True,
        diagnostics: bool = True,
    ) -> None:
        super().__init__()
        self.target_dim = require_count("target_dim", target_dim)
        self.check_finite, self.strict_dtype = check_finite, strict_dtype
        self.diagnostics = diagnostics

    @abstractmethod
    def evaluate(
        self,
        model: EnergyModel,
        features: Features,
        y: Tensor,
        weights: Tensor | None,
        generator: torch.Generator | None,
    ) -> LossOutput:
        """The loss of a checked batch that is not empty, arguments as in `forward`."""

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
            ShapeError: if labels, features, weights or the model's scores do not fit.
            TypeError: if devices or dtypes differ, or labels are boolean.
            DomainError: if a label or weight (on the CPU) is out of its domain.
            NumericalError: with `check_finite`, if scores, gradients or the loss are not finite.
        """
        require_last_dim("y", y, self.target_dim, f"(B, D={self.target_dim})", rank=2)
        require_fitting_features(features, y)
        require_weights(weights, y)
        require_generator(generator, y=y)
        y = self._cast(model, features, y)
        require_finite("y", y)
        if y.shape[0] == 0:
            return _empty_batch(model, features, y)
        out = self.evaluate(model, features, y, weights, generator)
        if self.check_finite and not bool(out.loss.isfinite()):
            raise NumericalError(
                f"the loss is {out.loss.item()}, though all scores are finite: "
                "check log-densities and weights."
            )
        return out

    def _cast(self, model: EnergyModel, features: Features, y: Tensor) -> Tensor:
        """The labels in the dtype that the model computes in, at least float32."""
        own, wanted = float_dtype(y), working_dtype(model, features, y)
        if own != wanted and y.is_floating_point() and self.strict_dtype:
            raise TypeError(
                f"labels are {y.dtype}, but the model computes in {wanted}: convert one of them with "
                ".to(dtype), or set strict_dtype=False to have the labels cast."
            )
        return y.to(wanted)


def require_finite_scores(f: Tensor, labels: int = 0) -> None:
    """Raise a `NumericalError` that names the term and the range of the finite scores.

    Args:
        f: scores ``(B, C)``.
        labels: how many of the C come from labels; they stand first.

    Raises:
        NumericalError: if a score is not finite.
    """
    if bool(all_finite(f)):
        return
    finite = f.detach().isfinite()
    term = "samples" if bool(finite[:, :labels].all()) else "label"
    raise NumericalError(
        f"non-finite scores at the {term}: {int((~finite).sum())} of {f.numel()}; "
        f"finite ones: {finite_range(f.detach())}."
    )


def _empty_batch(model: EnergyModel, features: Features, y: Tensor) -> LossOutput:
    """Zero connected to features and parameters, so that ``backward()`` works on a batch without labels."""
    zero = y.sum()
    for tensor in (*tensors_of(features), *model.parameters()):
        if tensor.is_floating_point():
            zero = zero + tensor.flatten()[:0].sum().to(zero)
    return LossOutput(zero, y.new_zeros(0), {"empty": True})
