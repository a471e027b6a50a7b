"""A fitted conditional density: predictions, intervals, densities, samples."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from ebm.density import GridDensity, ImportanceDensity
from ebm.density.base import require_level
from ebm.devices import usable_device
from ebm.exceptions import ShapeError
from ebm.fitting.config import FitConfig
from ebm.fitting.data import Scaling, as_weights, like_input
from ebm.fitting.density import climb, raw_density, rows_at_a_time, warn_doubtful
from ebm.fitting.loop import History
from ebm.fitting.members import MemberMixture
from ebm.fitting.network import AnchoredEBM
from ebm.fitting.tables import require_same_order
from ebm.lookup import unknown_name
from ebm.models import map_tensors

__all__ = ["FittedEBM", "require_method"]

Method = Literal["mean", "mode", "median"]


def require_method(method: str) -> None:
    """Check the name of a point prediction.

    Raises:
        UnknownNameError: (a ValueError) for another than "mean", "mode" and "median".
    """
    if method not in get_args(Method):
        raise unknown_name("method of predict", str(method), get_args(Method))


class FittedEBM:
    """p(y|x) as `ebm.fit` returns it and `ebm.load_fitted` reads it.

    Results are tensors where the input is a tensor, NumPy arrays otherwise; they have no target dimension
    where the targets of the fit had none.

    Args:
        model: network on standardised inputs and targets, or several.
        scaling: between these and raw ones.
        config: what it was fitted with.
        loss_options: numbers of the loss.
        history: what happened while it was trained.
        own_features: whether the feature network is the user's own.
    """

    def __init__(
        self,
        model: AnchoredEBM | MemberMixture,
        scaling: Scaling,
        config: FitConfig,
        loss_options: dict[str, Any],
        history: History,
        *,
        own_features: bool = False,
    ) -> None:
        self.model, self.scaling, self.config = model.eval(), scaling, config
        self.loss_options, self.history, self.own_features = loss_options, history, own_features

    @property
    def target_dim(self) -> int:
        """D."""
        return self.scaling.target_dim

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.model.parameters()).device

    def to(self, device: str | torch.device) -> "FittedEBM":
        """Move the network; returns itself.

        Raises:
            InputError: if the device cannot be used.
        """
        self.model.to(usable_device(device))
        return self

    def predict(self, x: Any, *, method: Method = "mean") -> Any:
        """Point predictions.

        Args:
            x: inputs ``(N, F)``.
            method: "mean" of the density, its "mode" (the best place found, then gradient ascent), or its
                "median" (per target).

        Returns:
            ``(N,)`` or ``(N, D)``.

        Raises:
            ShapeError: if the rows are not those of the fit.
            DomainError: if an entry is NaN or infinite.
            UnknownNameError: (a ValueError) for another method.
        """
        require_method(method)
        summary: Callable[[Any, GridDensity | ImportanceDensity], Tensor] = {
            "mean": lambda features, density: density.mean(),
            "mode": self._mode,
            "median": lambda features, density: self._columns(density, lambda d: density.quantile(0.5, d)),
        }[method]
        return self._shaped(self._in_blocks(x, summary), x)

    def predict_interval(self, x: Any, level: float = 0.9) -> Any:
        """Equal-tailed intervals that hold the target with probability `level`.

        Args:
            x: inputs ``(N, F)``.
            level: in (0, 1).

        Returns:
            Lower and upper ends, ``(N, 2)``, or ``(N, D, 2)`` with one interval per target.

        Raises:
            ShapeError: if the rows are not those of the fit.
            DomainError: if `level` or an entry is outside its domain.
        """
        require_level(level)
        ends = self._in_blocks(
            x,
            lambda features, density: self._columns(density, lambda d: density.credible_interval(level, d)),
        )
        return self._shaped(ends, x)

    def density(self, x: Any) -> GridDensity | ImportanceDensity:
        """The whole density of every row, over raw targets ``(N, D)``.

        For up to three targets it is a `GridDensity` over each row's own mass (1024, 65 x 65 or 29 x 29 x 29
        points), for more an `ImportanceDensity` of 4096 samples; both hold all rows in memory. Targets that
        they take and return are ``(N, D)`` tensors on `device`, in float64.

        Raises:
            ShapeError: if the rows are not those of the fit.
            DomainError: if an entry is NaN or infinite.
        """
        density, doubtful = raw_density(self.model, self._features(self.scaling.rows(x)), self.scaling)
        warn_doubtful(doubtful, self.target_dim)
        return density

    def log_prob(self, x: Any, y: Any) -> Any:
        """log p(y|x) of targets ``(N,)`` or ``(N, D)``, nats, ``(N,)``.

        Raises:
            ShapeError: if the shapes are not those of the fit.
            DomainError: if an entry is NaN or infinite.
        """
        rows = self.scaling.rows(x)
        require_same_order(x, y)
        targets = self.scaling.targets(y, len(rows)).to(self.device)
        blocks = targets.split(rows_at_a_time(self.target_dim))
        parts = [density.log_prob(t) for t, (_, density) in zip(blocks, self._blocks(rows), strict=True)]
        return like_input(torch.cat(parts), x)

    def sample(self, x: Any, n: int = 1, *, seed: int | None = None) -> Any:
        """Draws from p(y|x).

        Args:
            x: inputs ``(N, F)``.
            n: draws per row.
            seed: of the draws; None takes torch's global randomness.

        Returns:
            ``(N, n)`` or ``(N, n, D)``.
        """
        generator = None if seed is None else torch.Generator(self.device).manual_seed(seed)
        drawn = self._in_blocks(x, lambda features, density: density.sample(n, generator))
        return like_input(drawn[..., 0] if self.scaling.flat else drawn, x)

    def score(self, x: Any, y: Any, sample_weight: Any = None) -> float:
        """R^2 of the mean predictions, averaged over targets, as scikit-learn's regressors report it.

        1 is perfect, 0 is what the mean of `y` achieves. A constant target scores 1 if it is met, else 0.

        Raises:
            ShapeError: if the shapes are not those of the fit, or there are fewer than two rows.
            DomainError: if an entry is outside its domain.
        """
        rows = self.scaling.rows(x)
        require_same_order(x, y)
        targets = self.scaling.targets(y, len(rows))
        if len(rows) < 2:
            raise ShapeError("R^2 needs at least two rows.")
        weights = as_weights(sample_weight, len(rows))[:, None]
        means = [density.mean() for _, density in self._blocks(rows)]
        predicted = torch.cat(means).double().cpu()
        left = (weights * (targets - predicted).square()).sum(0)
        mean = (weights * targets).sum(0) / weights.sum()
        total = (weights * (targets - mean).square()).sum(0)
        share = torch.where(total > 0, left / torch.where(total > 0, total, 1.0), (left > 0).double())
        return 1.0 - share.mean().item()

    def save(self, path: str | Path) -> None:
        """Write everything to one file that `ebm.load_fitted` reads; whole or not at all.

        Raises:
            InputError: if the file cannot be written.
        """
        from ebm.fitting.files import save_fitted

        save_fitted(self, Path(path))

    def __repr__(self) -> str:
        nll = (
            self.history.held_out_nll[self.history.best_epoch] if self.history.held_out_nll else float("nan")
        )
        return (
            f"FittedEBM(loss={self.config.loss!r}, x={self.scaling.x_shape}, D={self.target_dim}, "
            f"held-out NLL {nll:.4g} after epoch {self.history.best_epoch})"
        )

    def _features(self, rows: Tensor) -> Any:
        with torch.no_grad():
            if len(rows):
                return self.model.extract(self.scaling.inputs(rows, self.device))
            # A feature network of the user's own need not know what to do with an empty batch.
            one = self.model.extract(torch.zeros(1, *self.scaling.x_shape, device=self.device))
            return map_tensors(lambda tensor: tensor[:0], one)

    def _blocks(self, rows: Tensor) -> Iterator[tuple[Any, GridDensity | ImportanceDensity]]:
        """Features and density of some rows at a time; doubtful ones are named when all are done."""
        doubtful = []
        for block in rows.split(rows_at_a_time(self.target_dim)):
            features = self._features(block)
            density, doubts = raw_density(self.model, features, self.scaling)
            doubtful.append(doubts)
            yield features, density
        warn_doubtful(torch.cat(doubtful), self.target_dim)

    def _in_blocks(self, x: Any, summary: Callable[[Any, GridDensity | ImportanceDensity], Tensor]) -> Tensor:
        """A summary ``(B, ...)`` of every block's densities, of all rows."""
        return torch.cat([summary(*block) for block in self._blocks(self.scaling.rows(x))])

    def _mode(self, features: Any, density: GridDensity | ImportanceDensity) -> Tensor:
        start = self.scaling.standardised(density.mode()).float()
        return self.scaling.raw(climb(self.model, features, start[:, None]).double())

    def _columns(self, density: Any, of: Callable[[int], Tensor]) -> Tensor:
        """One result per target, stacked as ``(B, D, ...)``."""
        return torch.stack([of(d) for d in range(self.target_dim)], 1)

    def _shaped(self, result: Tensor, x: Any) -> Any:
        """``(N, D, ...)`` in the shape of the targets of the fit."""
        return like_input(result[:, 0] if self.scaling.flat else result, x)
