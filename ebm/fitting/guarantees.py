"""Intervals and sets of a fitted density, as it says or with the coverage that a calibration guarantees."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, cast

import torch
from torch import Tensor

from ebm.density.base import require_level
from ebm.exceptions import InputError, ShapeError
from ebm.fitting.answers import Answers, AnyDensity, Block
from ebm.fitting.collecting import collected
from ebm.fitting.conformal import Calibration, group_codes, measure_scores
from ebm.fitting.data import like_input
from ebm.fitting.intervals import (
    TIE,
    SetScore,
    ends_of,
    hull_of,
    hulls_of,
    learned_place,
    levels_of,
    refusing_groups,
    require_known,
    runs_of,
)

__all__ = ["Guarantees"]

Kind = Literal["equal-tailed", "highest-density"]
IntervalScore = Literal["rank", "quantile"]


class Guarantees(Answers):
    """Intervals and sets, see `Answers`.

    Attributes:
        calibration: scores of rows that the fit did not see; None as long as nothing was calibrated.
    """

    calibration: Calibration | None = None

    @refusing_groups
    def calibrate(self, x: Any, y: Any, *, within: Any = None, clusters: Any = None) -> "Guarantees":
        """Learn from rows that the fit did not see how wide sets must be; returns itself.

        From then on intervals and sets hold a new target with at least the probability asked for, whatever
        the network has learned, if new rows are drawn like these (split conformal prediction). A level L
        takes L / (1 - L) rows or more: 9 for 90 %, 99 for 99 %.

        Args:
            x: inputs ``(N, F)``, not those of the fit.
            y: targets ``(N,)`` or ``(N, D)``.
            within: a text or whole number per row ``(N,)``, its group; sets are then guaranteed within each
                group, and ask for the groups of new rows.
            clusters: a text or whole number per row ``(N,)`` that tells which belong together, as those of
                one patient. The guarantee is then one for a row of a new cluster, and a level takes
                L / (1 - L) clusters. They are what `ebm.fit` calls groups, as scikit-learn does.

        Raises:
            ShapeError: if there is no row, or there are not as many groups or clusters as rows.
            InputError: if a label is neither text nor whole number.
        """
        rows, _ = self._pair(x, y)
        if not len(rows):
            raise ShapeError("a calibration needs rows; got none.")
        codes, names = (None, ()) if within is None else group_codes(within, len(rows))
        whole = None if clusters is None else group_codes(clusters, len(rows))[0]
        scores = measure_scores(self._density_pairs(x, y))
        self.calibration = Calibration(scores=scores, groups=codes, names=names, clusters=whole)
        return self

    @refusing_groups
    def predict_interval(
        self,
        x: Any,
        level: float | Sequence[float] = 0.9,
        *,
        kind: Kind = "equal-tailed",
        score: IntervalScore = "rank",
        within: Any = None,
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
            within: groups of the rows, where the calibration has some.
            calibrated: whether coverage is guaranteed; None: if `calibrate` was called.

        Returns:
            Lower and upper ends, ``(N, 2)``, or ``(N, D, 2)`` with one interval per target; for several
            levels ``(N, L, 2)`` or ``(N, D, L, 2)``. Infinite ends: nothing shorter holds the guarantee.
            On a circle they are arcs, from the lower end upwards: the upper one may lie beyond the period,
            and a full turn is all of it.

        Raises:
            DomainError: if a level is not in (0, 1), or the calibration has too few rows for it.
            UnknownNameError: (a ValueError) for another kind or score.
            InputError: if there is no calibration that was asked for, or `within` does not fit it.
            ShapeError: for highest-density intervals of several targets.
        """
        require_known("kind of interval", kind, Kind)
        require_known("score of an interval", score, IntervalScore)
        levels, single = levels_of(level)
        if kind == "highest-density":
            rows, sets = self._sets(x, levels, "rank", within, calibrated)
            circle = self.scaling.circle
            hull = hull_of if circle is None else circle.hull
            parts = (hulls_of(per_level, hull) for per_level in sets)
        else:
            rows = self.scaling.rows(x)
            chosen = self._chosen(calibrated, within, len(rows))
            parts = (ends for _, ends in self._equal_tailed(rows, levels, score, chosen))

        def finish(done: list[Tensor]) -> Any:
            ends = torch.cat(done)
            return self._shaped(ends[:, :, 0] if single else ends, x)

        return collected(parts, finish, len, len(rows))

    @refusing_groups
    def predict_set(
        self,
        x: Any,
        level: float = 0.9,
        *,
        score: SetScore = "rank",
        within: Any = None,
        calibrated: bool | None = None,
    ) -> list[Any]:
        """The smallest sets that hold a single target with probability `level`: disjoint intervals.

        Args:
            x: inputs ``(N, F)``.
            level: in (0, 1).
            score: how they are calibrated: by "rank", the mass of what is likelier (sets adapt to every
                row's spread), or by "log-density", one threshold for all rows (the smallest sets on average;
                those of wide densities may be empty).
            within: groups of the rows, where the calibration has some.
            calibrated: whether coverage is guaranteed; None: if `calibrate` was called.

        Returns:
            Per row the lower and upper ends of its intervals, ``(runs, 2)``; arcs as in `predict_interval`.

        Raises:
            ShapeError: for several targets; `contains` answers for them.
            DomainError, UnknownNameError, InputError: as `predict_interval`.
        """
        rows, sets = self._sets(x, [level], score, within, calibrated)

        def finish(done: list[list[list[Tensor]]]) -> list[Any]:
            return [like_input(runs, x) for (per_row,) in done for runs in per_row]

        return cast(list[Any], collected(sets, finish, lambda part: len(part[0]), len(rows)))

    def _sets(
        self,
        x: Any,
        levels: Sequence[float],
        score: SetScore,
        within: Any,
        calibrated: bool | None,
    ) -> tuple[Tensor, Iterator[list[list[Tensor]]]]:
        """Raw rows, and of every block the sets: for each level, for each row, ``(runs, 2)``."""
        require_known("score of a set", score, SetScore)
        for level in levels:
            require_level(level)
        if self.target_dim > 1:
            raise ShapeError(
                f"sets of D={self.target_dim} targets are no intervals; contains(x, y, level) tells whether "
                "a target lies inside, density(x).credible_set(level) has their cells."
            )
        rows = self.scaling.rows(x)
        chosen = self._chosen(calibrated, within, len(rows))
        least = [self._least(chosen, level, score, len(rows)) for level in levels]

        def sets() -> Iterator[list[list[Tensor]]]:
            start = 0
            for density, *_ in self._blocks(rows):
                own = slice(start, start + density.batch_size)
                yield [runs_of(density, one[own].to(self.device), score) for one in least]
                start += density.batch_size

        return rows, sets()

    @refusing_groups
    def contains(
        self,
        x: Any,
        y: Any,
        level: float = 0.9,
        *,
        score: SetScore = "rank",
        within: Any = None,
        calibrated: bool | None = None,
    ) -> Any:
        """Whether targets, also several a row, lie in the smallest sets of probability `level`, ``(N,)``.

        Args and errors as `predict_set`.
        """
        require_known("score of a set", score, SetScore)
        require_level(level)
        rows, _ = self._pair(x, y)
        least = self._least(self._chosen(calibrated, within, len(rows)), level, score, len(rows)).to(
            self.device
        )
        tie = TIE * (self.scaling.support is not None and self.scaling.support.whole)
        if score == "rank":
            return self._with_targets(
                x,
                y,
                lambda density, t: density.highest_density_rank(t),
                lambda rank, x: like_input(rank <= least[: len(rank)] + tie, x),
            )
        return self._with_targets(
            x,
            y,
            lambda density, t: density.log_prob(t),
            lambda log_p, x: like_input(log_p >= least[: len(log_p)] - tie, x),
        )

    def intervals_of_blocks(
        self, rows: Tensor, levels: Sequence[float]
    ) -> Iterator[tuple[AnyDensity, Tensor]]:
        """Densities of some rows at a time, and the ends of their equal-tailed intervals.

        Args:
            rows: raw inputs as numbers, ``(N, F)`` or ``(N, ...)``.
            levels: L, calibrated where the density is.

        Returns: densities of B rows, and ``(B, D, L, 2)`` float64.
        """
        chosen = self._chosen(None, None, len(rows))
        for block, ends in self._equal_tailed(rows, levels, "rank", chosen):
            yield block.density, ends

    def _chosen(self, calibrated: bool | None, within: Any, count: int) -> tuple[Calibration, Tensor] | None:
        """The calibration to use and the group of every row; None for the densities as they are."""
        if calibrated is None:
            calibrated = self.calibration is not None
        if not calibrated:
            return None
        if self.calibration is None:
            raise InputError(
                "there is no calibration; call calibrate(x, y) with rows that the fit did not see."
            )
        return self.calibration, self.calibration.codes(within, count)

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
    ) -> Iterator[tuple[Block, Tensor]]:
        """Blocks with the ends of their intervals, ``(B, D, L, 2)`` float64."""
        dim, count = self.target_dim, len(rows)
        held = torch.tensor(levels, dtype=torch.float64).expand(count, dim, -1)
        wider = torch.zeros(count, dim, len(levels), dtype=torch.float64)
        if chosen is not None:
            calibration, codes = chosen
            scores = calibration.scores
            if score == "rank":
                held = torch.stack([calibration.threshold(scores.tail, one) for one in levels], -1)[codes]
            else:
                columns = [scores.outside[..., learned_place(one)] for one in levels]
                pairs = zip(columns, levels)
                wider = torch.stack([calibration.threshold(c, one) for c, one in pairs], -1)[codes]
        start, circle = 0, self.scaling.circle
        for block in self._blocks(rows):
            some = slice(start, start + block.density.batch_size)
            own, more = held[some].to(self.device), wider[some].to(self.device)
            ends = torch.stack([ends_of(block.density, own[:, d], d) for d in range(dim)], 1).double()
            widened = torch.stack((ends[..., 0] - more, ends[..., 1] + more), -1)
            yield block, widened if circle is None else circle.arcs(widened)
            start = some.stop
