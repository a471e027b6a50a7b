"""Heads over values fixed beforehand: bins that are classified, levels whose quantiles are predicted."""

from collections.abc import Sequence
from typing import Literal, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ebm.baselines.base import Baseline, DensityBaseline, HeadOptions
from ebm.baselines.composite import HistogramDensity
from ebm.baselines.densities import probabilities
from ebm.baselines.functional import Scale
from ebm.baselines.objectives import quantile_loss, require_levels, softmax_regression
from ebm.checks import checks_values
from ebm.density.base import Levels, require_dim
from ebm.exceptions import DomainError, ShapeError
from ebm.lookup import unknown_name
from ebm.numbers import number_tensor

__all__ = ["QUANTILE_LEVELS", "QuantileHead", "SoftmaxHead", "integer_bins"]

QUANTILE_LEVELS = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975)


def integer_bins(low: int, high: int) -> Tensor:
    """Bin centres low, low + 1, ..., high, ``(high - low + 1,)``: 0 to 100 years, -75 to 75 degrees.

    Raises:
        DomainError: unless low < high.
    """
    if low >= high:
        raise DomainError(f"bins need low < high, got {low} and {high}.")
    return torch.arange(low, high + 1, dtype=torch.float32)


class SoftmaxHead(DensityBaseline):
    """Regression by classification into evenly spaced bins, a branch per coordinate.

    Its density is a histogram: constant inside a bin's cell, zero beyond the outer cells. The loss is the
    paper's classification objective. Bins are in the unit of y: `y_scale` and `y_shift` change nothing.

    Args:
        feature_dim: size of the feature vector.
        target_dim: D.
        bins: centres in the unit of y, increasing and evenly spaced, at least 2; see `integer_bins`. Targets
            beyond them train the outer ones.
        l2_weight: weight of the squared error of the expected value; 0.1 in the paper.
        var_weight: weight of the variance; 0.05 in the paper's second variant.
        **options: see `Baseline`.

    Raises:
        DomainError: if the bins are not evenly spaced or a weight is negative.
    """

    scale: Scale = "paper"
    bins: Tensor

    def __init__(
        self,
        feature_dim: int,
        target_dim: int = 1,
        *,
        bins: Sequence[float] | Tensor,
        l2_weight: float = 0.1,
        var_weight: float = 0.0,
        **options: Unpack[HeadOptions],
    ) -> None:
        options.pop("y_scale", None)
        options.pop("y_shift", None)
        super().__init__(feature_dim, target_dim, **options)
        if l2_weight < 0 or var_weight < 0:
            raise DomainError(f"weights must be >= 0, got {l2_weight!r} and {var_weight!r}.")
        self.register_buffer("bins", _even_bins(bins))
        self.l2_weight, self.var_weight = l2_weight, var_weight
        self.coordinates = nn.ModuleList(self.branch(len(self.bins)) for _ in range(target_dim))

    def logits(self, features: Tensor) -> Tensor:
        """Unnormalised log-probabilities of the bins, ``(B, D, C)``."""
        return torch.stack([branch(features) for branch in self.coordinates], 1)

    def objective(
        self, features: Tensor, y: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy plus the terms on the expected value, ``(B,)``."""
        per_item = softmax_regression(
            self.logits(features),
            y,
            self.bins,
            l2_weight=self.l2_weight,
            var_weight=self.var_weight,
            reduction="none",
        )
        return per_item, {}

    def standard_density(
        self, features: Tensor, generator: torch.Generator | None = None
    ) -> HistogramDensity:
        """The histogram; its mean is the expected bin."""
        return HistogramDensity(self.logits(features), self.bins)


class QuantileHead(Baseline):
    """Quantiles of y at several levels, trained with the pinball loss; they never cross.

    Args:
        feature_dim: size of the feature vector.
        target_dim: D.
        levels: increasing, inside (0, 1).
        non_crossing: ``"sort"`` sorts the outputs; ``"softplus"`` adds up positive steps from the middle one.
        **options: see `Baseline`.

    Raises:
        DomainError: if the levels do not increase inside (0, 1).
        UnknownNameError: (a ValueError) for another way not to cross.

    Source: Koenker and Bassett, Econometrica 1978; Chernozhukov et al., Econometrica 2010 (sorting).
    """

    levels: Tensor

    def __init__(
        self,
        feature_dim: int,
        target_dim: int = 1,
        *,
        levels: Sequence[float] = QUANTILE_LEVELS,
        non_crossing: Literal["sort", "softplus"] = "sort",
        **options: Unpack[HeadOptions],
    ) -> None:
        super().__init__(feature_dim, target_dim, **options)
        if non_crossing not in ("sort", "softplus"):
            raise unknown_name("non_crossing", str(non_crossing), ("sort", "softplus"))
        self.register_buffer("levels", require_levels(levels))
        self.non_crossing = non_crossing
        self.outputs = self.branch(target_dim * len(self.levels))

    def objective(
        self, features: Tensor, y: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Pinball loss per item, ``(B,)``."""
        return quantile_loss(self.standard_quantiles(features), y, self.levels, reduction="none"), {}

    def standard_quantiles(self, features: Tensor) -> Tensor:
        """Quantiles of the standardised targets, ``(B, D, Q)``."""
        raw = self.outputs(features).view(-1, self.target_dim, len(self.levels))
        if self.non_crossing == "sort":
            return raw.sort(-1).values
        climb = F.softplus(raw[..., 1:]).cumsum(-1)
        climb = torch.cat((torch.zeros_like(raw[..., :1]), climb), -1)
        middle = raw.shape[-1] // 2
        return raw[..., :1] + climb - climb[..., middle : middle + 1]

    def quantiles(self, features: Tensor) -> Tensor:
        """Quantiles of y at `levels`, ``(B, feature_dim) -> (B, D, Q)``."""
        self._require_features(features)
        return self.restore(self.standard_quantiles(features).transpose(1, 2)).transpose(1, 2)

    def quantile(self, features: Tensor, p: Levels, dim: int = 0) -> Tensor:
        """The value that y_dim stays below with probability p, linear between the levels.

        Args:
            features: ``(B, feature_dim)``.
            p: a probability between the outer levels, or P of them.
            dim: coordinate of the target.

        Returns:
            ``(B,)``, or ``(B, P)``.

        Raises:
            DomainError: if there is no such coordinate, or a p is beyond the outer levels: nothing was
                learned there.
            ShapeError: if `p` or the features do not fit.
        """
        heights = self.quantiles(features)[:, require_dim(dim, self.target_dim)]
        values, single = probabilities(p, heights[:, 0])
        self._require_learned(values)
        levels = self.levels.to(heights.dtype)
        left = (torch.bucketize(values.contiguous(), levels, right=True) - 1).clamp(min=0)
        right = (left + 1).clamp(max=len(levels) - 1)
        gap = (levels[right] - levels[left]).clamp(min=1e-12)
        share = ((values - levels[left]) / gap).clamp(0, 1)
        low, high = heights.gather(1, left), heights.gather(1, right)
        result = low + share * (high - low)
        return result[:, 0] if single else result

    def predict(self, features: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The median, or the level nearest to it if 0.5 is beyond all levels, ``(B, D)``."""
        levels = self.levels.tolist()
        p = min(max(0.5, levels[0]), levels[-1])
        return torch.stack([self.quantile(features, p, dim) for dim in range(self.target_dim)], -1)

    def _require_learned(self, p: Tensor) -> None:
        low, high = float(self.levels[0]), float(self.levels[-1])
        # The levels are float32: a level asked for in float64 may lie a rounding error beyond them.
        if checks_values(p, None) and bool(((p < low - 1e-6) | (p > high + 1e-6)).any()):
            raise DomainError(
                f"quantiles were learned from {low:g} to {high:g}, asked for {float(p.min()):g} to "
                f"{float(p.max()):g}; train with levels that reach there."
            )


def _even_bins(bins: Sequence[float] | Tensor) -> Tensor:
    centers = number_tensor("bins", bins, torch.float32).detach().clone()
    if centers.ndim != 1 or len(centers) < 2:
        raise ShapeError(f"expected at least 2 bins, (C,), got shape {tuple(centers.shape)}.")
    steps = centers.diff()
    even = steps.sum() / len(steps)
    if not bool(even > 0) or not bool(((steps - even).abs() <= 1e-3 * even).all()):
        raise DomainError("bins must increase by equal steps, see integer_bins and torch.linspace.")
    return centers
