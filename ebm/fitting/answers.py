"""What a fitted conditional density is asked: predictions, intervals, sets, probabilities, draws."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, cast, get_args

import numpy as np
import torch
from torch import Tensor

from ebm.calibration import Reliability, crps, reliability_of_ranks
from ebm.checks import require_count
from ebm.density import GridDensity, ImportanceDensity
from ebm.density.masses import log_within
from ebm.exceptions import DomainError, ShapeError
from ebm.fitting.bounds import Bounds
from ebm.fitting.censored import Censored
from ebm.fitting.collecting import collected
from ebm.fitting.data import Scaling, as_weights, like_input
from ebm.fitting.density import rows_at_a_time
from ebm.fitting.tables import require_same_order
from ebm.lookup import unknown_name

__all__ = ["Answers", "Block", "Method", "require_method"]

Method = Literal["mean", "mode", "median"]
AnyDensity = GridDensity | ImportanceDensity


class Block(NamedTuple):
    """Some rows' densities, the features that they come from, and the scaling around these rows' centres."""

    density: AnyDensity
    features: Any
    scaling: Scaling


Summary = Callable[[Block], Tensor]
Finish = Callable[[Tensor, Any], Any]


def like_nothing(result: Tensor, _: Any) -> Tensor:
    """A result as it is."""
    return result


def require_method(method: str) -> None:
    """Check the name of a point prediction.

    Raises:
        UnknownNameError: (a ValueError) for another than "mean", "mode" and "median".
    """
    if method not in get_args(Method):
        raise unknown_name("method of predict", str(method), get_args(Method))


class Answers(ABC):
    """The questions that need nothing but the densities of all rows.

    Results are tensors where the input is a tensor, NumPy arrays otherwise; they have no target dimension
    where the targets of the fit had none. Every question raises a ShapeError if the rows are not those of the
    fit, and a DomainError if an entry is NaN or infinite.
    """

    scaling: Scaling

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the network is."""

    @abstractmethod
    def _blocks(self, rows: Tensor) -> Iterator[Block]:
        """Densities of some rows at a time."""

    @abstractmethod
    def _mode(self, block: Block) -> Tensor:
        """The highest place of every density, raw ``(B, D)``."""

    @property
    def target_dim(self) -> int:
        """D."""
        return self.scaling.target_dim

    def predict(self, x: Any, *, method: Method = "mean") -> Any:
        """Point predictions.

        Args:
            x: inputs ``(N, F)``.
            method: "mean" of the density, on a circle the direction of the mean; its "mode" (the best place
                found, then gradient ascent); or its "median" (per target).

        Returns:
            ``(N,)`` or ``(N, D)``.

        Raises:
            UnknownNameError: (a ValueError) for another method.
        """
        require_method(method)
        summary: Summary = {
            "mean": lambda block: block.density.mean(),
            "mode": self._mode,
            "median": lambda block: self._columns(block.density, lambda d: block.density.quantile(0.5, d)),
        }[method]
        return self._in_blocks(x, summary, self._shaped)

    def quantile(self, x: Any, p: float | Sequence[float]) -> Any:
        """Quantiles of each target.

        Args:
            x: inputs ``(N, F)``.
            p: a probability in [0, 1], or P of them.

        Returns:
            ``(N,)`` or ``(N, D)``, for several probabilities ``(N, P)`` or ``(N, D, P)``.

        Raises:
            DomainError: if a probability is outside [0, 1].
        """
        return self._in_blocks(
            x,
            lambda block: self._columns(block.density, lambda d: block.density.quantile(p, d)),
            self._shaped,
        )

    def cdf(self, x: Any, y: Any) -> Any:
        """Probability that each target is at most `y`, ``(N,)`` or ``(N, D)`` as `y` is.

        For labels it is their probability integral transform: uniform in [0, 1] where densities are honest.
        On a circle it is what lies on the way up to `y` from opposite the row's mean direction.
        """
        return self._with_targets(
            x, y, lambda density, t: self._columns(density, lambda d: density.cdf(t[:, d], d)), self._shaped
        )

    def crps(self, x: Any, y: Any) -> Any:
        """Continuous ranked probability score of each target, in its unit; lower is better.

        Returns:
            ``(N,)`` or ``(N, D)``.

        Source: Gneiting and Raftery, JASA 2007, section 4.2; on a circle see `circular_crps_from_cells`.
        """
        return self._with_targets(
            x, y, lambda density, t: self._columns(density, lambda d: crps(density, t, d)), self._shaped
        )

    def log_prob(self, x: Any, y: Any) -> Any:
        """log p(y|x) of targets ``(N,)`` or ``(N, D)``, nats, ``(N,)``.

        Of censored targets (`ebm.Censored`) the log of the probability that they lie between their bounds.

        Raises:
            DomainError: if censored targets are whole numbers, angles, or several per row.
        """
        if isinstance(y, Censored):
            return self._log_between(x, y)
        return self._with_targets(x, y, lambda density, t: density.log_prob(t), like_input)

    def reliability(
        self, x: Any, y: Any, levels: Sequence[float] | None = None, *, kind: str = "highest-density"
    ) -> Reliability:
        """Share of targets inside their sets, level by level, as `ebm.calibration.reliability`; uncalibrated.

        Args:
            x: inputs ``(N, F)``.
            y: targets ``(N,)`` or ``(N, D)``.
            levels: in (0, 1); None is 0.05, 0.1 ... 0.95.
            kind: "highest-density", or "equal-tailed" for the intervals of one target.

        Raises:
            UnknownNameError: (a ValueError) for another kind.
            ShapeError: for equal-tailed intervals of several targets together.
        """
        if kind not in ("highest-density", "equal-tailed"):
            raise unknown_name("kind of set", str(kind), ("highest-density", "equal-tailed"))
        if kind == "equal-tailed" and self.target_dim > 1:
            raise ShapeError("equal-tailed intervals are of one target; ask for kind='highest-density'.")

        def rank(density: AnyDensity, t: Tensor) -> Tensor:
            if kind == "highest-density":
                return density.highest_density_rank(t)
            return (2 * density.cdf(t[:, 0]) - 1).abs()

        found = self._with_targets(
            x, y, rank, lambda ranks, _: reliability_of_ranks(ranks.double().cpu(), levels)
        )
        return cast(Reliability, found)

    def sample(self, x: Any, n: int = 1, *, seed: int | None = None) -> Any:
        """Draws from p(y|x).

        Args:
            x: inputs ``(N, F)``.
            n: draws per row.
            seed: of the draws; None takes torch's global randomness.

        Returns:
            ``(N, n)`` or ``(N, n, D)``.
        """
        start = None if seed is None else require_count("seed", seed, least=0)
        generator = None if start is None else torch.Generator(self.device).manual_seed(start)

        def finish(drawn: Tensor, x: Any) -> Any:
            return like_input(drawn[..., 0] if self.scaling.flat else drawn, x)

        return self._in_blocks(x, lambda block: block.density.sample(n, generator), finish)

    def score(self, x: Any, y: Any, sample_weight: Any = None) -> float:
        """R^2 of the mean predictions, averaged over targets, as scikit-learn's regressors report it.

        1 is perfect, 0 is what the mean of `y` achieves. A constant target scores 1 if it is met, else 0.
        On a circle squares are those of the chord between two directions.

        Raises:
            ShapeError: if the shapes are not those of the fit, or there are fewer than two rows.
        """
        rows, targets = self._pair(x, y)
        require_same_order(x, sample_weight, "sample_weight")
        if len(rows) < 2:
            raise ShapeError("R^2 needs at least two rows.")
        weights = as_weights(sample_weight, len(rows))[:, None]
        means = [block.density.mean() for block in self._blocks(rows)]
        predicted = torch.cat(means).double().cpu()
        circle = self.scaling.circle
        if circle is None:
            mean = (weights * targets).sum(0) / weights.sum()
            left, total = (targets - predicted).square(), (targets - mean).square()
        else:
            mean = circle.mean(targets, weights, 0)
            left, total = (circle.square_chord(targets - guess) for guess in (predicted, mean))
        left, total = (weights * left).sum(0), (weights * total).sum(0)
        share = torch.where(total > 0, left / torch.where(total > 0, total, 1.0), (left > 0).double())
        return 1.0 - share.mean().item()

    def _log_between(self, x: Any, y: Censored) -> Any:
        """See `log_prob`, ``(N,)``."""
        require_same_order(x, y)
        rows, support = self.scaling.rows(x), self.scaling.support
        if self.target_dim > 1 or (support is not None and (support.whole or support.circle is not None)):
            raise DomainError(
                "bounds are those of one target that is a real number: of whole numbers and angles ask cdf, "
                "of several targets density(x).marginal."
            )
        if len(y) != len(rows):
            raise ShapeError(
                f"expected a censored target for each of the {len(rows)} rows of x, got {len(y)}."
            )
        column = Bounds() if support is None else support.columns[0]
        bounds = torch.from_numpy(np.stack((y.lower, y.upper), 1)).to(self.device)
        pairs = zip(self._blocks(rows), bounds.split(rows_at_a_time(1)), strict=True)
        ends = (column.low, column.high)
        parts = (log_within(cast(GridDensity, block.density), own, ends) for block, own in pairs)
        return collected(parts, lambda done: like_input(torch.cat(done), x), len, len(rows))

    def _pair(self, x: Any, y: Any) -> tuple[Tensor, Tensor]:
        """Checked raw rows and targets that belong together."""
        rows = self.scaling.rows(x)
        require_same_order(x, y)
        return rows, self.scaling.targets(y, len(rows))

    def _density_pairs(self, x: Any, y: Any) -> Iterator[tuple[AnyDensity, Tensor]]:
        """Densities of some rows at a time, with their targets ``(B, D)``."""
        yield from self._paired(*self._pair(x, y))

    def _paired(self, rows: Tensor, targets: Tensor) -> Iterator[tuple[AnyDensity, Tensor]]:
        """The same of checked rows and targets."""
        blocks = targets.to(self.device).split(rows_at_a_time(self.target_dim))
        for t, block in zip(blocks, self._blocks(rows), strict=True):
            yield block.density, t

    def _with_targets(
        self, x: Any, y: Any, of: Callable[[AnyDensity, Tensor], Tensor], finish: Finish = like_nothing
    ) -> Any:
        """Something ``(B, ...)`` of densities and targets ``(B, D)``, of all rows; finished like `x`."""
        rows, targets = self._pair(x, y)
        parts = (of(density, t) for density, t in self._paired(rows, targets))
        return collected(parts, lambda done: finish(torch.cat(done), x), len, len(rows))

    def _in_blocks(self, x: Any, summary: Summary, finish: Finish) -> Any:
        """A summary ``(B, ...)`` of every block's densities, of all rows; finished like `x`."""
        rows = self.scaling.rows(x)
        parts = (summary(block) for block in self._blocks(rows))
        return collected(parts, lambda done: finish(torch.cat(done), x), len, len(rows))

    def _columns(self, density: AnyDensity, of: Callable[[int], Tensor]) -> Tensor:
        """One result per target, stacked as ``(B, D, ...)``."""
        return torch.stack([of(d) for d in range(self.target_dim)], 1)

    def _shaped(self, result: Tensor, x: Any) -> Any:
        """``(N, D, ...)`` in the shape of the targets of the fit."""
        return like_input(result[:, 0] if self.scaling.flat else result, x)
