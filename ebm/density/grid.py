"""p(y | x) on a grid of up to three dimensions."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from ebm.checks import require_count
from ebm.density.axes import Axis, Grid, axes_of, grid_points, interpolate, log_volumes
from ebm.density.base import Density, Labels, Levels, require_dim
from ebm.density.credible import GridCredibleSet
from ebm.density.interpolation import InterpolatedScore
from ebm.density.scoring import DEFAULT_CHUNK, BatchScore, batch_size_of, score_in_chunks
from ebm.density.truncation import BoundedScore, warn_truncated
from ebm.exceptions import ShapeError
from ebm.models import EnergyModel, Features, require_working_dtype
from ebm.numbers import labels_like

__all__ = ["GridDensity"]


class GridDensity(Density):
    """The density on a grid: log Z is the trapezoid rule, every cell has a mass.

    Args:
        score_fn: ``(B, M, D) -> (B, M)``.
        grid: increasing points, equally spaced or not: for D = 1 one tensor ``(G,)``, or ``(B, G)`` where
            every item has its own; for D = 2 and 3 a sequence of D such tensors.
        batch_size: B; may be 0.
        chunk: most scores asked for in one call.
        bounded: no target lies outside the grid: the density is 0 there, and an end that is not 0 is right.

    Attributes:
        axes: points and cells per dimension.
        log_masses: log-mass of every cell, nats, ``(B, G_1, ..., G_D)``.

    Raises:
        ShapeError: if the grid or the scores have another shape.
        DomainError: (a ValueError) if the points do not increase, or D is above 3.
        NumericalError: if a score is NaN or +inf, or all of an item are -inf (a point without density).

    Warns:
        TruncationWarning: if at an end of the grid more than 1 % of the mode's density is left, and beyond it
            there is more: the grid is too narrow.
    """

    def __init__(
        self,
        score_fn: BatchScore,
        grid: Grid,
        *,
        batch_size: int,
        chunk: int = DEFAULT_CHUNK,
        bounded: bool = False,
    ) -> None:
        batch_size, chunk = require_count("batch_size", batch_size, least=0), require_count("chunk", chunk)
        axes = axes_of(grid, batch_size)
        points = grid_points(axes)
        score_fn = BoundedScore(score_fn, axes) if bounded else score_fn
        scores = score_in_chunks(score_fn, points, batch_size, chunk)
        super().__init__(score_fn, points, scores, log_volumes(axes), chunk)
        self._lay_out(axes)
        if not bounded:
            warn_truncated(score_fn, axes, scores.reshape(self._shape), chunk)

    @classmethod
    def of(
        cls,
        model: EnergyModel,
        features: Features,
        grid: Grid,
        *,
        batch_size: int | None = None,
        chunk: int = DEFAULT_CHUNK,
        bounded: bool = False,
    ) -> "GridDensity":
        """The density of a model.

        Args:
            model: the model.
            features: what ``model.extract`` returned for B inputs.
            grid: see the class.
            batch_size: B; needed only where the features hold no tensor.
            chunk: see the class.
            bounded: see the class.

        Raises:
            ShapeError: if the grid has not ``model.target_dim`` dimensions, or the batch size is unknown.
            TypeError: if grid and features differ in precision or device.
        """
        count = 1 if isinstance(grid, Tensor) else len(grid)
        if count != model.target_dim:
            raise ShapeError(f"expected a grid of D={model.target_dim} dimensions, got {count}.")
        for d, points in enumerate([grid] if isinstance(grid, Tensor) else grid):
            require_working_dtype(model, features, f"grid dimension {d}", points)
        batch = batch_size_of(features, batch_size)
        return cls(partial(model.score, features), grid, batch_size=batch, chunk=chunk, bounded=bounded)

    @classmethod
    def from_log_masses(cls, grid: Grid, log_masses: Tensor) -> "GridDensity":
        """The density that has given cell masses, and between the points is linear.

        Args:
            grid: see the class.
            log_masses: ``(B, G_1, ..., G_D)``, nats, up to a constant per item; -inf is an empty cell.

        Raises:
            ShapeError: if the masses do not fit the grid.
        """
        axes = axes_of(grid, log_masses.shape[0])
        sizes = tuple(axis.size for axis in axes)
        if log_masses.shape[1:] != sizes:
            raise ShapeError(f"expected log_masses of shape (B, *{sizes}), got {tuple(log_masses.shape)}.")
        terms, volumes = log_masses.flatten(1), log_volumes(axes)
        scores = terms - terms.logsumexp(-1, keepdim=True) - volumes
        density = cls.__new__(cls)
        score_fn = InterpolatedScore(axes, scores)
        Density.__init__(density, score_fn, grid_points(axes), scores, volumes, DEFAULT_CHUNK)
        density._lay_out(axes)
        return density

    @classmethod
    def pushed(
        cls,
        density: "GridDensity",
        score_fn: BatchScore,
        function: Callable[[Tensor], Tensor],
        log_slope: Callable[[Tensor], Tensor],
    ) -> "GridDensity":
        """The density of increasing functions of the targets, each of one of them.

        Every cell keeps its mass, and log Z is the same: where points lie close on one axis and far apart on
        the other, the trapezoid rule is as good as on the grid that it was taken on.

        Args:
            density: of the targets.
            score_fn: of their functions; that of the targets minus the log of the slopes.
            function: the functions, ``(B, N, D) -> (B, N, D)``.
            log_slope: sum of the logs of their slopes, ``(B, N, D) -> (B, N)``.

        Raises:
            DomainError: (a ValueError) if rounding makes the functions equal at neighbours.
        """
        cuts = function(torch.stack([axis.edges for axis in density.axes], -1)).unbind(-1)
        points = function(torch.stack([axis.points for axis in density.axes], -1)).unbind(-1)
        axes = tuple(replace(axis, cuts=own) for axis, own in zip(axes_of(points, density.batch_size), cuts))
        slope = log_slope(grid_points(density.axes))
        pushed = cls.__new__(cls)
        measure = log_volumes(density.axes) + slope
        scores = density._scores - slope
        Density.__init__(pushed, score_fn, grid_points(axes), scores, measure, density.chunk)
        pushed._lay_out(axes)
        return pushed

    def _lay_out(self, axes: tuple[Axis, ...]) -> None:
        self.axes = axes
        self.log_masses = self._log_weights.reshape(self._shape)

    @property
    def _shape(self) -> tuple[int, ...]:
        return (self.batch_size, *(axis.size for axis in self.axes))

    def mean(self) -> Tensor:
        """See `Density.mean`."""
        columns = [(self._mass(d) * axis.points).sum(-1) for d, axis in enumerate(self.axes)]
        return torch.stack(columns, -1)

    def covariance(self) -> Tensor:
        """See `Density.covariance`."""
        mean = self.mean()
        away = [axis.points - mean[:, d, None] for d, axis in enumerate(self.axes)]
        result = mean.new_empty(*mean.shape, self.target_dim)
        for i in range(self.target_dim):
            result[:, i, i] = (self._mass(i) * away[i].square()).sum(-1)
            for j in range(i):
                both = torch.einsum("bij,bi,bj->b", self._mass(j, i), away[j], away[i])
                result[:, i, j] = result[:, j, i] = both
        return result

    def mode(self) -> Tensor:
        """The grid point with the highest score, ``(B, D)``."""
        index = self._scores.argmax(-1, keepdim=True)
        return torch.stack([self._rows(a.points).gather(1, i) for a, i in self._per_axis(index)], -1)[:, 0]

    def cdf(self, t: float | Tensor, dim: int = 0) -> Tensor:
        """See `Density.cdf`; the mass of a cell is spread evenly over it."""
        at, single = self._positions(t)
        edges, cumulative = self.cumulative(dim)
        result = interpolate(edges, cumulative, at).to(self._scores.dtype)
        return result[:, 0] if single else result

    def quantile(self, p: Levels, dim: int = 0) -> Tensor:
        """See `Density.quantile`; the inverse of `cdf`."""
        at, single = self._probabilities(p)
        edges, cumulative = self.cumulative(dim)
        result = interpolate(cumulative, edges, at).to(self._scores.dtype)
        return result[:, 0] if single else result

    def cumulative(self, dim: int = 0) -> tuple[Tensor, Tensor]:
        """The distribution function of coordinate `dim`, linear between these knots.

        Returns:
            Ends of the cells and the mass below them, both ``(B, G + 1)``, float64.
        """
        mass = self._mass(require_dim(dim, self.target_dim)).double().cumsum(-1)
        below = torch.cat((mass.new_zeros(mass.shape[0], 1), mass / mass[:, -1:]), 1)
        return self._rows(self.axes[dim].edges.double()), below

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """See `Density.sample`; uniform within the cell drawn."""
        index = self._draw(n, generator)
        u = torch.rand(
            self.target_dim, *index.shape, dtype=self._scores.dtype, device=index.device, generator=generator
        )
        columns = []
        for d, (axis, i) in enumerate(self._per_axis(index)):
            edges = self._rows(axis.edges).to(u.dtype)
            low, high = edges.gather(1, i), edges.gather(1, i + 1)
            columns.append(low + u[d] * (high - low))
        return torch.stack(columns, -1)

    def credible_set(self, level: float = 0.95) -> GridCredibleSet:
        """The fewest cells, by density, whose mass reaches `level`; for D = 1 also as intervals.

        Raises:
            DomainError: (a ValueError) if `level` is not in (0, 1).
        """
        last, mass = self._last_inside(level)
        scores, _, order = self._by_score
        place = torch.arange(order.shape[1], device=order.device)
        mask = torch.zeros_like(order, dtype=torch.bool).scatter(1, order, place <= last)
        return GridCredibleSet(
            level=level,
            mass=mass,
            threshold=scores.gather(-1, last)[:, 0],
            rank=self.highest_density_rank,
            mask=mask.reshape(self._shape),
            intervals=self._runs(mask) if self.target_dim == 1 else None,
        )

    def highest_density_rank(self, y: Labels) -> Tensor:
        """See `Density.highest_density_rank`; 1 outside the grid."""
        y = labels_like("y", y, self._like)
        rank = super().highest_density_rank(y)
        for d, axis in enumerate(self.axes):
            low, high = (self._rows(axis.points)[:, end] for end in (0, -1))
            if y.ndim == 3:
                low, high = low[:, None], high[:, None]
            rank = torch.where((y[..., d] >= low) & (y[..., d] <= high), rank, 1)
        return rank

    def effective_sample_size(self) -> Tensor:
        """Perplexity of the cell masses, ``(B,)``: how many cells carry the density."""
        return torch.special.entr(self._weights).sum(-1).exp()

    def marginal(self, dims: int | Sequence[int]) -> "GridDensity":
        """See `Density.marginal`; the other dimensions' cells are added up."""
        chosen = self._dims(dims)
        masses = self._mass(*chosen)
        return GridDensity.from_log_masses([self.axes[d].points for d in chosen], masses.log())

    def _mass(self, *dims: int) -> Tensor:
        """Masses of some dimensions' cells, ``(B, G_i, G_j, ...)`` in the order given."""
        masses = self._weights.reshape(self._shape)
        others = [d + 1 for d in range(self.target_dim) if d not in dims]
        if others:
            masses = masses.sum(others)
        kept = sorted(dims)
        return masses.permute(0, *(kept.index(d) + 1 for d in dims))

    def _rows(self, values: Tensor) -> Tensor:
        """An axis's values for every item, ``(B, ...)``."""
        return values.expand(self.batch_size, -1)

    def _per_axis(self, index: Tensor) -> list[tuple[Axis, Tensor]]:
        """Every axis with the indices along it, of flat cell indices ``(B, n)``."""
        return list(zip(self.axes, torch.unravel_index(index, self._shape[1:])))

    def _runs(self, mask: Tensor) -> list[Tensor]:
        """Ends of the runs of chosen cells ``(B, G)``, per item ``(runs, 2)``."""
        edges = self._rows(self.axes[0].edges)
        change = torch.nn.functional.pad(mask.to(torch.int8), (1, 1)).diff(dim=1)  # +1 starts, -1 ends a run
        runs = [torch.stack((row[step == 1], row[step == -1]), -1) for row, step in zip(edges, change)]
        return [self.as_shown(own, item) for item, own in enumerate(runs)]

    def as_shown(self, runs: Tensor, item: int) -> Tensor:
        """Ends of an item's intervals ``(runs, 2)`` as they are given to a user; here as they are."""
        return runs
