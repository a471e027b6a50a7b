"""Intervals and sets of single densities, by the mass that they hold, and what can be asked of them."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Literal, ParamSpec, TypeVar, get_args

import torch
from torch import Tensor

from ebm.density import GridDensity, ImportanceDensity
from ebm.density.base import require_level
from ebm.density.circular import CircularDensity
from ebm.density.integers import IntegerDensity
from ebm.density.regions import intervals_above, least_density
from ebm.exceptions import DomainError, InputError
from ebm.fitting.conformal import LEVELS
from ebm.lookup import unknown_name
from ebm.numbers import listed, plain

__all__ = [
    "TIE",
    "SetScore",
    "ends_of",
    "hull_of",
    "hulls_of",
    "learned_place",
    "levels_of",
    "refusing_groups",
    "require_known",
    "runs_of",
]

AnyDensity = GridDensity | ImportanceDensity
SetScore = Literal["rank", "log-density"]
Rest = ParamSpec("Rest")
Result = TypeVar("Result")
# Ranks of whole numbers come in steps: the same number must not fall out of its set by rounding.
TIE = 1e-6


def ends_of(density: AnyDensity, held: Tensor, dim: int) -> Tensor:
    """Equal-tailed intervals that hold masses ``(B, L)``, ``(B, L, 2)``; the whole line holds a mass of 1."""
    different, place = held.unique(return_inverse=True)
    tails = torch.stack((0.5 * (1 - different), 0.5 * (1 + different)), 1)
    ask = density.unrolled_quantile if isinstance(density, CircularDensity) else density.quantile
    quantiles = ask(tails.flatten(), dim).unflatten(1, tails.shape)  # (B, U, 2)
    ends = quantiles.gather(1, place[..., None].expand(-1, -1, 2))
    everything = ends.new_tensor([-torch.inf, torch.inf])
    return torch.where((held >= 1)[..., None], everything, ends)


def runs_of(density: AnyDensity, least: Tensor, score: SetScore) -> list[Tensor]:
    """The set of every row, ``(runs, 2)``, by the mass that it must hold or a least log-density, ``(B,)``."""
    assert isinstance(density, GridDensity)
    whole = isinstance(density, IntegerDensity)
    threshold = least_density(density, least + TIE * whole) if score == "rank" else least - TIE * whole
    runs = intervals_above(density, threshold)
    return [density.as_shown(ends, item) for item, ends in enumerate(runs)]


def hull_of(runs: Tensor) -> Tensor:
    """The interval around a set ``(runs, 2)``, ``(2,)``; NaN around none."""
    if not len(runs):
        return torch.full((2,), torch.nan, dtype=torch.float64, device=runs.device)
    return torch.stack((runs[0, 0], runs[-1, 1])).double()


def hulls_of(per_level: list[list[Tensor]], hull: Callable[[Tensor], Tensor]) -> Tensor:
    """The interval around every set, ``(B, 1, L, 2)`` float64, by `hull_of` or that of a circle."""
    hulls = [torch.stack([hull(runs).double() for runs in level]) for level in per_level if level]
    return torch.stack(hulls, 1)[:, None] if hulls else torch.zeros(0, 1, len(per_level), 2).double()


def levels_of(level: float | Sequence[float]) -> tuple[list[float], bool]:
    """Levels, and whether one number was given.

    Raises:
        DomainError: if there is none, or one is not in (0, 1).
    """
    values = listed(level)
    if not values:
        raise DomainError("level must hold at least one number in (0, 1).")
    return [require_level(value) for value in values], not isinstance(plain(level), list)


def learned_place(level: float) -> int:
    """The place of a level among `LEVELS`.

    Raises:
        DomainError: if it is none of them.
    """
    near = [i for i, one in enumerate(LEVELS) if abs(one - level) < 1e-9]
    if not near:
        raise DomainError(
            f"quantile intervals are calibrated at {', '.join(map(str, LEVELS))}, not at {level}; "
            "score='rank' takes any level."
        )
    return near[0]


def require_known(what: str, value: str, kind: Any) -> None:
    """Refuse a value that the literal type `kind` has not.

    Raises:
        UnknownNameError: (a ValueError) that lists those it has.
    """
    if value not in get_args(kind):
        raise unknown_name(what, str(value), get_args(kind))


def refusing_groups(question: Callable[Rest, Result]) -> Callable[Rest, Result]:
    """The same, with a word on the earlier name of `within`."""

    @wraps(question)
    def asked(*args: Rest.args, **kwargs: Rest.kwargs) -> Result:
        if "groups" in kwargs:
            raise InputError(
                f"groups= of {question.__name__} is now within=: coverage is guaranteed within each of these "
                "groups. What ebm.fit calls groups, rows that belong together, are clusters= of calibrate."
            )
        return question(*args, **kwargs)

    return asked
