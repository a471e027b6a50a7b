"""Intervals and sets of a fitted density, as it says or with the coverage that a calibration guarantees."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from ebm.density import GridDensity
from ebm.density.base import require_level
from ebm.density.circular import CircularDensity
from ebm.density.integers import IntegerDensity
from ebm.density.regions import intervals_above, least_density
from ebm.exceptions import DomainError, InputError, ShapeError
from ebm.fitting.answers import Answers, AnyDensity
from ebm.fitting.conformal import LEVELS, Calibration, group_codes, measure_scores
from ebm.fitting.data import like_input
from ebm.lookup import unknown_name
from ebm.numbers import listed, plain

__all__ = ["Guarantees"]

Kind = Literal["equal-tailed", "highest-density"]
IntervalScore = Literal["rank", "quantile"]
SetScore = Literal["rank", "log-density"]
# Ranks of whole numbers come in steps: the same number must not fall out of its set by rounding.
TIE = 1e-6


class Guarantees(Answers):
    """Intervals and sets, see `Answers`.

    Attributes:
        calibration: scores of rows that the fit did not see; None as long as nothing was calibrated.
    """

    calibration: Calibration | None = None

    def calibrate(self, x: Any, y: Any, *, groups: Any = None) -> "Guarantees":
        """Learn from rows that the fit did not see how wide sets must be; returns itself.

        From then on intervals and sets hold a new target with at least the probability asked for, whatever
        the network has learned, if new rows are drawn like these (split conformal prediction). A level L
        takes L / (1 - L) rows or more: 9 for 90 %, 99 for 99 %.

        Args:
            x: inputs ``(N, F)``, not those of the fit.
            y: targets ``(N,)`` or ``(N, D)``.
            groups: a text or whole number per row ``(N,)``; sets are then guaranteed within each group, and
                ask for the groups of new rows.

        Raises:
            ShapeError: if there is no row.
        """
        rows, _ = self._pair(x, y)
        if not len(rows):
            raise ShapeError("a calibration needs rows; got none.")
        codes, names = (None, ()) if groups is None else group_codes(groups, len(rows))
        scores = measure_scores(self._density_pairs(x, y))
        self.calibration = Calibration(scores=scores, groups=codes, names=names)
        return self

    def predict_interval(
        self,
        x: Any,
        level: float | Sequence[float] = 0.9,
        *,
        kind: Kind = "equal-tailed",
        score: IntervalScore = "rank",
        groups: Any = None,
        calibrated: bool | None = None,
    ) -> Any:
        """Intervals that hold the target with probability `level`.

        Args:
            x: inputs ``(N, F)``.
            level: in (0, 1), or L of them.
            kind: "equal-tailed", as much probability below as above; or "highest-density", for one target the
                shortest interval around its `predict_set`.
            score: how equal-tailed intervals are calibrated: by the "rank" of the target in its density
                (other quantiles are taken), or by the distance to the "quantile" interval (all are widened by
                one length; levels 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99).
            groups: of the rows, where the calibration has some.
            calibrated: whether coverage is guaranteed; None: if `calibrate` was called.

        Returns:
            Lower and upper ends, ``(N, 2)``, or ``(N, D, 2)`` with one interval per target; for several
            levels ``(N, L, 2)`` or ``(N, D, L, 2)``. Infinite ends: nothing shorter holds the guarantee.
            On a circle they are arcs, from the lower end upwards: the upper one may lie beyond the period,
            and a full turn is all of it.

        Raises:
            DomainError: if a level is not in (0, 1), or the calibration has too few rows for it.
            UnknownNameError: (a ValueError) for another kind or score.
            InputError: if there is no calibration that was asked for, or groups do not fit it.
            ShapeError: for highest-density intervals of several targets.
        """
        _known("kind of interval", kind, Kind)
        _known("score of an interval", score, IntervalScore)
        levels, single = _levels(level)
        if kind == "highest-density":
            sets = [self.predict_set(x, one, groups=groups, calibrated=calibrated) for one in levels]
            circle = self.scaling.circle
            hull = _hull if circle is None else circle.hull
            hulls = [hull(torch.as_tensor(runs)).double() for per_level in sets for runs in per_level]
            ends = torch.stack(hulls) if hulls else torch.zeros(0, 2, dtype=torch.float64)
            ends = ends.view(len(levels), -1, 2).transpose(0, 1)[:, None]
        else:
            rows = self.scaling.rows(x)
            ends = self._equal_tailed(rows, levels, score, self._chosen(calibrated, groups, len(rows)))
        return self._shaped(ends[:, :, 0] if single else ends, x)

    def predict_set(
        self,
        x: Any,
        level: float = 0.9,
        *,
        score: SetScore = "rank",
        groups: Any = None,
        calibrated: bool | None = None,
    ) -> list[Any]:
        """The smallest sets that hold a single target with probability `level`: disjoint intervals.

        Args:
            x: inputs ``(N, F)``.
            level: in (0, 1).
            score: how they are calibrated: by "rank", the mass of what is likelier (sets adapt to every
                row's spread), or by "log-density", one threshold for all rows (the smallest sets on average;
                those of wide densities may be empty).
            groups: of the rows, where the calibration has some.
            calibrated: whether coverage is guaranteed; None: if `calibrate` was called.

        Returns:
            Per row the lower and upper ends of its intervals, ``(runs, 2)``; arcs as in `predict_interval`.

        Raises:
            ShapeError: for several targets; `contains` answers for them.
            DomainError, UnknownNameError, InputError: as `predict_interval`.
        """
        _known("score of a set", score, SetScore)
        require_level(level)
        if self.target_dim > 1:
            raise ShapeError(
                f"sets of D={self.target_dim} targets are no intervals; contains(x, y, level) tells whether "
                "a target lies inside, density(x).credible_set(level) has their cells."
            )
        rows = self.scaling.rows(x)
        least = self._least(self._chosen(calibrated, groups, len(rows)), level, score, len(rows))
        found, start = [], 0
        for density, *_ in self._blocks(rows):
            assert isinstance(density, GridDensity)
            own = least[start : start + density.batch_size].to(self.device)
            whole = isinstance(density, IntegerDensity)
            threshold = least_density(density, own + TIE * whole) if score == "rank" else own - TIE * whole
            runs = intervals_above(density, threshold)
            found += [density.as_shown(ends, item) for item, ends in enumerate(runs)]
            start += density.batch_size
        return [like_input(runs, x) for runs in found]

    def contains(
        self,
        x: Any,
        y: Any,
        level: float = 0.9,
        *,
        score: SetScore = "rank",
        groups: Any = None,
        calibrated: bool | None = None,
    ) -> Any:
        """Whether targets, also several a row, lie in the smallest sets of probability `level`, ``(N,)``.

        Args and errors as `predict_set`.
        """
        _known("score of a set", score, SetScore)
        require_level(level)
        rows, _ = self._pair(x, y)
        least = self._least(self._chosen(calibrated, groups, len(rows)), level, score, len(rows)).to(
            self.device
        )
        tie = TIE * (self.scaling.support is not None and self.scaling.support.whole)
        if score == "rank":
            rank = self._with_targets(x, y, lambda density, t: density.highest_density_rank(t))
            return like_input(rank <= least + tie, x)
        return like_input(self._with_targets(x, y, lambda density, t: density.log_prob(t)) >= least - tie, x)

    def _chosen(self, calibrated: bool | None, groups: Any, count: int) -> tuple[Calibration, Tensor] | None:
        """The calibration to use and the group of every row; None for the densities as they are."""
        if calibrated is None:
            calibrated = self.calibration is not None
        if not calibrated:
            return None
        if self.calibration is None:
            raise InputError(
                "there is no calibration; call calibrate(x, y) with rows that the fit did not see."
            )
        return self.calibration, self.calibration.codes(groups, count)

    def _least(
        self, chosen: tuple[Calibration, Tensor] | None, level: float, score: SetScore, count: int
    ) -> Tensor:
        """Per row the mass that its set holds, or the least log-density inside, ``(N,)``."""
        if chosen is None:
            if score != "rank":
                raise InputError(
                    "one threshold for all rows takes a calibration; call calibrate(x, y) first."
                )
            return torch.full((count,), level, dtype=torch.float64)
        calibration, codes = chosen
        if score == "rank":
            return calibration.threshold(calibration.scores.rank, level)[codes]
        return -calibration.threshold(-calibration.scores.log_prob, level)[codes]

    def _equal_tailed(
        self,
        rows: Tensor,
        levels: Sequence[float],
        score: IntervalScore,
        chosen: tuple[Calibration, Tensor] | None,
    ) -> Tensor:
        """Ends ``(N, D, L, 2)``."""
        dim, count = self.target_dim, len(rows)
        held = torch.tensor(levels, dtype=torch.float64).expand(count, dim, -1)
        wider = torch.zeros(count, dim, len(levels), dtype=torch.float64)
        if chosen is not None:
            calibration, codes = chosen
            scores = calibration.scores
            if score == "rank":
                held = torch.stack([calibration.threshold(scores.tail, one) for one in levels], -1)[codes]
            else:
                columns = [scores.outside[..., _learned(one)] for one in levels]
                pairs = zip(columns, levels)
                wider = torch.stack([calibration.threshold(c, one) for c, one in pairs], -1)[codes]
        found, start = [], 0
        for density, *_ in self._blocks(rows):
            own = held[start : start + density.batch_size].to(self.device)
            found.append(torch.stack([_ends(density, own[:, d], d) for d in range(dim)], 1))
            start += density.batch_size
        ends = torch.cat(found).double()
        wider = wider.to(ends)
        widened = torch.stack((ends[..., 0] - wider, ends[..., 1] + wider), -1)
        return widened if self.scaling.circle is None else self.scaling.circle.arcs(widened)


def _ends(density: AnyDensity, held: Tensor, dim: int) -> Tensor:
    """Equal-tailed intervals that hold masses ``(B, L)``, ``(B, L, 2)``; the whole line holds a mass of 1."""
    different, place = held.unique(return_inverse=True)
    tails = torch.stack((0.5 * (1 - different), 0.5 * (1 + different)), 1)
    ask = density.unrolled_quantile if isinstance(density, CircularDensity) else density.quantile
    quantiles = ask(tails.flatten(), dim).unflatten(1, tails.shape)  # (B, U, 2)
    ends = quantiles.gather(1, place[..., None].expand(-1, -1, 2))
    everything = ends.new_tensor([-torch.inf, torch.inf])
    return torch.where((held >= 1)[..., None], everything, ends)


def _hull(ends: Tensor) -> Tensor:
    if not len(ends):
        return torch.full((2,), torch.nan, dtype=torch.float64)
    return torch.stack((ends[0, 0], ends[-1, 1])).double()


def _levels(level: float | Sequence[float]) -> tuple[list[float], bool]:
    """Levels, and whether one number was given."""
    values = listed(level)
    if not values:
        raise DomainError("level must hold at least one number in (0, 1).")
    return [require_level(value) for value in values], not isinstance(plain(level), list)


def _learned(level: float) -> int:
    near = [i for i, one in enumerate(LEVELS) if abs(one - level) < 1e-9]
    if not near:
        raise DomainError(
            f"quantile intervals are calibrated at {', '.join(map(str, LEVELS))}, not at {level}; "
            "score='rank' takes any level."
        )
    return near[0]


def _known(what: str, value: str, kind: Any) -> None:
    if value not in get_args(kind):
        raise unknown_name(what, str(value), get_args(kind))
