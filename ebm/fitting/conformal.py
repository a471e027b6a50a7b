"""Guaranteed coverage: split conformal prediction on rows that the fit did not see."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ebm.density import GridDensity, ImportanceDensity
from ebm.density.base import require_level
from ebm.density.circular import CircularDensity
from ebm.exceptions import DomainError, InputError, ShapeError

__all__ = [
    "LEVELS",
    "Calibration",
    "Scores",
    "group_codes",
    "measure_scores",
    "plain_calibration",
    "read_calibration",
    "require_groups",
]

# Levels whose quantile intervals are corrected by a length; the other ways take any level.
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How odd N targets are to their densities, in three ways; float64 on the CPU.

    Attributes:
        rank: mass of what is likelier, ``(N,)``.
        log_prob: log-density, nats, ``(N,)``.
        pit: distribution function of each target, ``(N, D)``.
        outside: how far each target lies outside its equal-tailed interval, negative inside, at `LEVELS`,
            ``(N, D, L)``.
    """

    rank: Tensor
    log_prob: Tensor
    pit: Tensor
    outside: Tensor

    @property
    def tail(self) -> Tensor:
        """The level from which an equal-tailed interval holds each target, ``(N, D)``."""
        return (2 * self.pit - 1).abs()


def measure_scores(pairs: Iterable[tuple[GridDensity | ImportanceDensity, Tensor]]) -> Scores:
    """Scores of targets ``(B, D)`` under their densities, of all blocks together."""
    tails = [end for level in LEVELS for end in (0.5 * (1 - level), 0.5 * (1 + level))]
    columns: dict[str, list[Tensor]] = {"rank": [], "log_prob": [], "pit": [], "outside": []}
    for density, y in pairs:
        y = y.to(density.log_partition())
        columns["rank"].append(density.highest_density_rank(y))
        columns["log_prob"].append(density.log_prob(y))
        dims, ask = range(density.target_dim), density.quantile
        if isinstance(density, CircularDensity):
            y, ask = density.unrolled(y), density.unrolled_quantile
        columns["pit"].append(torch.stack([density.pit(y[:, d], d) for d in dims], 1))
        ends = torch.stack([ask(tails, d) for d in dims], 1).unflatten(2, (-1, 2))
        value = y[..., None]
        columns["outside"].append(torch.maximum(ends[..., 0] - value, value - ends[..., 1]))
    return Scores(**{name: torch.cat(part).double().cpu() for name, part in columns.items()})


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Scores of rows that the fit did not see; sets that hold as many of them as they promise hold new rows.

    If new rows are drawn like these, a set of level L holds a new target with a probability of at least L,
    and at most 1 / (N + 1) above it, whatever the densities are; with groups, within each. With K clusters,
    rows need not be drawn one by one: L then holds for a row of a new cluster, where clusters are drawn
    alike, each counts the same, and K takes the place of N in what a level needs.

    Attributes:
        scores: of the N rows.
        groups: each row's number among `names` ``(N,)``; None where there are no groups.
        names: of the groups.
        clusters: each row's number among rows that belong together ``(N,)``; None where each is alone.

    Source: Vovk, Gammerman, Shafer 2005, chapter 4 (split conformal, and within groups); Izbicki, Shimizu and
    Stern, JMLR 2022 (by rank); Romano, Patterson and Candes, NeurIPS 2019 (quantile intervals); Lee, Barber
    and Willett, "Distribution-free inference with hierarchical data", 2023 (clusters).
    """

    scores: Scores
    groups: Tensor | None = None
    names: tuple[str | int, ...] = ()
    clusters: Tensor | None = None

    @property
    def count(self) -> int:
        """How many there are of what is drawn alike: clusters, or rows where there are none."""
        return len(self.scores.rank) if self.clusters is None else len(self.clusters.unique())

    def __str__(self) -> str:
        """What it stands on, in words."""
        rows = f"{len(self.scores.rank)} rows"
        return rows if self.clusters is None else f"{rows} of {self.count} groups"

    def threshold(self, column: Tensor, level: float) -> Tensor:
        """What a share `level` of new scores does not exceed, for every group, ``(G, ...)``, G = 1 without.

        Args:
            column: scores of the N rows ``(N, ...)``, high where a target is odd.
            level: in (0, 1).

        Raises:
            DomainError: if a group has too few rows for the level; says how many it takes.
        """
        require_level(level)
        return torch.stack([self._order_statistic(column, level, *own) for own in self._parts()])

    def _parts(self) -> list[tuple[Tensor | slice, str]]:
        """The rows of every group, and its name for messages."""
        if self.groups is None:
            return [(slice(None), "")]
        return [(self.groups == g, f" in group {name!r}") for g, name in enumerate(self.names)]

    def _order_statistic(self, column: Tensor, level: float, own: Tensor | slice, where: str) -> Tensor:
        if self.clusters is None:
            return _order_statistic(column[own], level, where)
        return _clustered_order_statistic(column[own], self.clusters[own], level, where)

    def codes(self, groups: Any, count: int) -> Tensor:
        """The number of each new row's group, ``(N,)``.

        Raises:
            InputError: if groups are missing, given where there are none, or one was never seen.
            ShapeError: if there are not as many as rows.
        """
        if self.groups is None:
            if groups is not None:
                raise InputError("the calibration has no groups; call calibrate(x, y, within=...) first.")
            return torch.zeros(count, dtype=torch.long)
        if groups is None:
            raise InputError(
                f"the calibration is within groups ({_listed(self.names)}); pass within=, one per row of x."
            )
        wanted = require_groups(groups, count)
        unseen = sorted({str(name) for name in wanted if name not in self.names})
        if unseen:
            raise InputError(f"no row of the calibration is in group {_listed(unseen)}.")
        place = {name: g for g, name in enumerate(self.names)}
        return torch.tensor([place[name] for name in wanted], dtype=torch.long)


def plain_calibration(calibration: Calibration) -> dict[str, Any]:
    """Tensors and plain values, for a file."""
    return {
        "scores": vars(calibration.scores),
        "groups": calibration.groups,
        "names": list(calibration.names),
        "clusters": calibration.clusters,
    }


def read_calibration(fields: dict[str, Any] | None, target_dim: int) -> Calibration | None:
    """What `plain_calibration` returned, checked; None of None.

    Raises:
        InputError: if its numbers do not fit each other.
    """
    if fields is None:
        return None
    scores, groups, names = Scores(**fields["scores"]), fields["groups"], tuple(fields["names"])
    count = len(scores.rank)
    shapes = {
        "rank": (count,),
        "log_prob": (count,),
        "pit": (count, target_dim),
        "outside": (count, target_dim, len(LEVELS)),
    }
    for name, shape in shapes.items():
        values = getattr(scores, name)
        if values.shape != shape or values.dtype != torch.float64 or bool(values.isnan().any()) or not count:
            raise InputError(f"the calibration's {name} are no {shape} numbers.")
    fits = groups is None or (
        groups.shape == (count,) and 0 <= int(groups.min()) <= int(groups.max()) < len(names)
    )
    if not fits:
        raise InputError("the groups of the calibration do not fit its rows.")
    require_groups(names, len(names))
    clusters = fields.get("clusters")  # files of earlier releases have none
    if clusters is not None and (clusters.shape != (count,) or clusters.dtype != torch.long):
        raise InputError("the clusters of the calibration do not fit its rows.")
    return Calibration(scores=scores, groups=groups, names=names, clusters=clusters)


def require_groups(groups: Any, count: int) -> list[str | int]:
    """Labels of groups as text or whole numbers, one per row.

    Raises:
        ShapeError: if there are not `count`.
        InputError: if one is neither.
    """
    if isinstance(groups, str | bytes) or not hasattr(groups, "__iter__"):
        raise InputError(f"expected one group per row, {count} texts or whole numbers; got {groups!r}.")
    labels: list[Any] = [
        label.item() if isinstance(label, np.generic | Tensor) else label
        for label in (groups.tolist() if hasattr(groups, "tolist") else list(groups))
    ]
    if len(labels) != count:
        raise ShapeError(f"expected one group per row, {count}; got {len(labels)}.")
    for label in labels:
        if not isinstance(label, str | int):
            raise InputError(f"a group must be a text or a whole number, got {label!r}.")
    return labels


def group_codes(groups: Any, count: int) -> tuple[Tensor, tuple[str | int, ...]]:
    """Every row's number among the different labels, ``(N,)``, and these, sorted; see `require_groups`."""
    labels = require_groups(groups, count)
    names = tuple(sorted(set(labels), key=lambda name: (isinstance(name, str), name)))
    place = {name: g for g, name in enumerate(names)}
    return torch.tensor([place[label] for label in labels], dtype=torch.long), names


def _order_statistic(scores: Tensor, level: float, where: str) -> Tensor:
    """The ceil((N + 1) level)-th smallest of scores ``(N, ...)``."""
    count = len(scores)
    place = math.ceil((count + 1) * level - 1e-9)
    if place > count:
        raise DomainError(
            f"{count} rows of calibration{where} cannot guarantee {level:.4g}: it takes "
            f"{math.ceil(level / (1 - level) - 1e-9)}. Calibrate with more rows, or ask for a lower level."
        )
    return scores.sort(0).values[place - 1]


def _clustered_order_statistic(scores: Tensor, clusters: Tensor, level: float, where: str) -> Tensor:
    """The least score that a share `level` of K clusters and a new one does not exceed, ``(...)``.

    Each cluster has a mass of 1 / (K + 1), shared out evenly among its rows; the new one may lie anywhere.
    """
    _, place, sizes = clusters.unique(return_inverse=True, return_counts=True)
    count = len(sizes)
    if count / (count + 1) < level - 1e-9:
        raise DomainError(
            f"{count} groups of calibration{where} cannot guarantee {level:.4g} for a new group: it takes "
            f"{math.ceil(level / (1 - level) - 1e-9)}. Calibrate with rows of more groups, or ask for a "
            "lower level."
        )
    masses = (1.0 / ((count + 1) * sizes.double()))[place]
    ordered, order = scores.sort(0)
    reached = masses[order].cumsum(0) >= level - 1e-9
    return ordered.gather(0, reached.to(torch.int8).argmax(0, keepdim=True))[0]


def _listed(names: Sequence[Any]) -> str:
    return ", ".join(map(repr, names[:8])) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
