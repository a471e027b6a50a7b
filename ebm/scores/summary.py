"""Scores of many rows in a few figures: means, their standard errors, and skill against the marginal."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from ebm.exceptions import ShapeError
from ebm.lookup import unknown_name
from ebm.numbers import number_tensor
from ebm.scores.slabs import Held
from ebm.scores.tables import number_with_error, share

__all__ = ["Score", "summarise"]

Kind = Literal["ratio", "nats", "share"]


@dataclass(frozen=True)
class Score:
    """One score on B rows.

    Attributes:
        name: what is scored.
        values: per row, less is better, ``(B,)`` float64.
        reference: the marginal's on the same rows, ``(B,)``; None where there is nothing to compare with.
        kind: "ratio" where skill is ``1 - mean / mean of the marginal``; "nats" where it is the difference,
            because a log score has no zero; "share" for coverage, where less is not better and there is no
            skill.
    """

    name: str
    values: Tensor
    reference: Tensor | None = None
    kind: Kind = "ratio"

    @property
    def count(self) -> int:
        """B."""
        return len(self.values)

    @cached_property
    def mean(self) -> float:
        """Mean over the rows; NaN for none."""
        return self.values.mean().item()

    @cached_property
    def standard_error(self) -> float:
        """Standard error of the mean, for independent rows; NaN for fewer than two, or infinite scores.

        Of a share as in `Held`, so that it is not 0 where all rows agree.
        """
        return _error(self.values) if self.kind != "share" else self._held.standard_error

    @cached_property
    def skill(self) -> float:
        """1 is perfect, 0 is what the marginal achieves; in nats, the marginal's score less this one's."""
        if self.reference is None:
            return math.nan
        if self.kind == "nats":
            return self.reference.mean().item() - self.mean
        marginal = self.reference.mean().item()
        return 1 - self.mean / marginal if marginal else math.nan

    @cached_property
    def skill_standard_error(self) -> float:
        """Standard error of `skill`: of the paired differences, and to first order of the ratio."""
        if self.reference is None:
            return math.nan
        if self.kind == "nats":
            return _error(self.reference - self.values)
        marginal = self.reference.mean().item()
        return _error(self.values - (1 - self.skill) * self.reference) / marginal if marginal else math.nan

    @property
    def figure(self) -> str:
        """Mean and standard error in words, a share in percent."""
        form = share if self.kind == "share" else number_with_error
        return form(self.mean, self.standard_error)

    @property
    def skill_figure(self) -> str:
        """Skill and its standard error in words; "-" where there is none."""
        if self.kind == "share" or self.reference is None:
            return "-"
        if self.kind == "nats":
            return number_with_error(self.skill, self.skill_standard_error) + " nats"
        return share(self.skill, self.skill_standard_error)

    @property
    def _held(self) -> Held:
        return Held(int(self.values.sum()), self.count)

    def __str__(self) -> str:
        return f"{self.name} {self.figure}"


def summarise(values: Any, marginal: Any = None, *, name: str = "score", kind: Kind = "ratio") -> Score:
    """Mean, standard error and skill of scores that were computed row by row.

    Args:
        values: per row, less is better, ``(B,)``.
        marginal: the same score of the marginal (or of any other reference) on the same rows, ``(B,)``.
        name: what is scored.
        kind: "ratio", "nats" or "share", see `Score`.

    Raises:
        ShapeError: if the shapes are not ``(B,)`` and alike.
        UnknownNameError: (a ValueError) for another kind.
    """
    rows = number_tensor("values", values, torch.float64)
    other = None if marginal is None else number_tensor("marginal", marginal, torch.float64).to(rows.device)
    if rows.ndim != 1 or (other is not None and other.shape != rows.shape):
        got = f"{tuple(rows.shape)}" + ("" if other is None else f" and {tuple(other.shape)}")
        raise ShapeError(f"expected values (and marginal) of shape (B,), got {got}.")
    if kind not in get_args(Kind):
        raise unknown_name("kind of score", str(kind), get_args(Kind))
    return Score(name, rows, other, kind)


def _error(values: Tensor) -> float:
    return values.std().item() / math.sqrt(len(values)) if len(values) > 1 else math.nan
