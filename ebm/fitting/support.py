"""Where targets can lie: a smooth way from there to the whole line, on which densities are fitted.

Targets above a border are taken to the line by their logarithm near the border; so are those between two. A
density that is high right up to a border, or grows towards it, is an exponential tail on the line, which a
network can follow.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ebm.density.circular import Circle
from ebm.exceptions import DomainError
from ebm.fitting.bounds import RESOLVED, Angles, Bounds, require_alone

__all__ = ["Column", "Support", "dequantised"]

Kind = Literal["line", "log", "softplus", "logit", "circle"]
# Of borders at 0, which floating-point numbers come as close to as any density needs; and the largest target.
LEAST, MOST = 1e-280, 1e280
# Where the 95th percentile lies so many medians above the border, only logarithms of targets have a scale.
SCALELESS = 4.0


@dataclass(frozen=True)
class Column(Bounds):
    """How one target goes to the line and back.

    Attributes:
        kind: "line" leaves it as it is; "log" is the logarithm of the distance to the border; "softplus" the
            same near the border and the distance itself, in units of `unit`, far from it; "logit" is for two
            borders; "circle" takes full turns away.
        unit: of "softplus"; 1 otherwise.
    """

    kind: Kind = "line"
    unit: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        borders = math.isfinite(self.low) + math.isfinite(self.high)
        wanted = {"line": 0, "log": 1, "softplus": 1, "logit": 2, "circle": 2}
        if self.kind not in get_args(Kind) or wanted[self.kind] != borders or not 0 < self.unit < math.inf:
            raise DomainError(f"{self.kind!r} with unit {self.unit!r} is no way from {self} to the line.")

    @classmethod
    def of(cls, bounds: Bounds, y: Tensor) -> "Column":
        """The way for targets ``(N,)`` that lie inside."""
        if isinstance(bounds, Angles):
            low = bounds.low if bounds.fixed or bool((y >= 0).all()) else -0.5 * bounds.period
            return cls(low, low + bounds.period, False, "circle")
        two = math.isfinite(bounds.low) and math.isfinite(bounds.high)
        if two or not (math.isfinite(bounds.low) or math.isfinite(bounds.high)):
            return cls(bounds.low, bounds.high, bounds.whole, "logit" if two else "line")
        away = y - bounds.low if math.isfinite(bounds.low) else bounds.high - y
        ordered = away.sort().values
        middle, upper = (ordered[round(share * (len(y) - 1))].item() for share in (0.5, 0.95))
        if upper > SCALELESS * middle:
            return cls(bounds.low, bounds.high, bounds.whole, "log")
        return cls(bounds.low, bounds.high, bounds.whole, "softplus", middle)

    @property
    def wraps(self) -> bool:
        """See `Bounds.wraps`."""
        return self.kind == "circle"

    @property
    def circle(self) -> Circle:
        """The circle that it is."""
        return Circle(self.low, self.high - self.low)

    @property
    def side(self) -> int:
        """1 for a border below, -1 for one above alone."""
        return 1 if math.isfinite(self.low) else -1

    @property
    def border(self) -> float:
        """The only border, or the lower one."""
        return self.low if math.isfinite(self.low) else self.high

    def to_line(self, y: Tensor) -> Tensor:
        """Targets on the line; NaN or infinite for those not inside."""
        if self.kind == "line":
            return y
        if self.kind == "circle":
            return self.circle.wrapped(y)
        if self.kind == "logit":
            return (y - self.low).log() - (self.high - y).log()
        away = self.side * (y - self.border)
        if self.kind == "log":
            return self.side * away.log()
        away = away / self.unit
        return self.side * (away + (-torch.expm1(-away)).log())

    def to_raw(self, u: Tensor) -> Tensor:
        """Inverse of `to_line`."""
        if self.kind == "line":
            return u
        if self.kind == "circle":
            return self.circle.wrapped(u)
        if self.kind == "logit":
            width = self.high - self.low
            return torch.where(u < 0, self.low + width * u.sigmoid(), self.high - width * (-u).sigmoid())
        u = self.side * u
        away = u.exp() if self.kind == "log" else self.unit * torch.logaddexp(u, torch.zeros_like(u))
        return self.border + self.side * away

    def log_slope(self, u: Tensor) -> Tensor:
        """Log of the derivative of `to_raw`, nats."""
        if self.kind in ("line", "circle"):
            return torch.zeros_like(u)
        if self.kind == "logit":
            return math.log(self.high - self.low) + logsigmoid(u) + logsigmoid(-u)
        u = self.side * u
        return u if self.kind == "log" else math.log(self.unit) + logsigmoid(u)

    def whole_ends(self, y: Tensor) -> Tensor:
        """The whole numbers next to any places, of those that a target can be."""
        return y.round().clamp(self.low + 0.5, self.high - 0.5) + 0.0  # no -0

    @property
    def limits(self) -> tuple[float, float]:
        """Ends of the part of the line that numbers resolve, as targets they are apart from the borders."""
        if self.kind in ("line", "circle"):
            return -math.inf, math.inf
        near_low, near_high = (max(RESOLVED * math.ulp(end), LEAST) for end in (self.low, self.high))
        if self.kind == "logit":
            width = math.log(self.high - self.low)
            return math.log(near_low) - width, width - math.log(near_high)
        near = near_low if self.side == 1 else near_high
        least = math.log(near) - math.log(self.unit)  # their quotient may be too small for a number
        greatest = math.log(MOST) if self.kind == "log" else math.inf
        return (least, greatest) if self.side == 1 else (-greatest, -least)


@dataclass(frozen=True)
class Support:
    """The ways of all targets, column by column.

    Attributes:
        columns: D.
    """

    columns: tuple[Column, ...]

    @classmethod
    def of(cls, bounds: Sequence[Bounds], y: Tensor) -> "Support":
        """Ways for targets ``(N, D)`` that lie inside."""
        return cls(tuple(Column.of(one, y[:, d]) for d, one in enumerate(bounds)))

    @property
    def whole(self) -> bool:
        """Targets are whole numbers; then there is one alone."""
        return self.columns[0].whole

    @property
    def circle(self) -> Circle | None:
        """The circle that the target lies on; then there is one alone. None where there is none."""
        return self.columns[0].circle if self.columns[0].wraps else None

    def limits(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """See `Column.limits`, both ``(D,)``."""
        low, high = (like.new_tensor(ends) for ends in zip(*(column.limits for column in self.columns)))
        return low, high

    def to_line(self, y: Tensor) -> Tensor:
        """Targets ``(..., D)`` on the line; NaN or infinite for those not inside."""
        return torch.stack([c.to_line(y[..., d]) for d, c in enumerate(self.columns)], -1)

    def to_raw(self, u: Tensor) -> Tensor:
        """Inverse of `to_line`."""
        return torch.stack([c.to_raw(u[..., d]) for d, c in enumerate(self.columns)], -1)

    def log_slope(self, u: Tensor) -> Tensor:
        """Log of the volume that `to_raw` makes of a unit of it, ``(..., D) -> (...)``, nats."""
        return self.log_slopes(u).sum(-1)

    def log_slopes(self, u: Tensor) -> Tensor:
        """See `Column.log_slope`, ``(..., D)``."""
        return torch.stack([c.log_slope(u[..., d]) for d, c in enumerate(self.columns)], -1)

    def holds(self, y: Tensor) -> Tensor:
        """Which targets ``(..., D)`` lie inside in every column, ``(...)``; borders do not."""
        return torch.stack(
            [((y[..., d] > c.low) & (y[..., d] < c.high)) | c.wraps for d, c in enumerate(self.columns)]
        ).all(0)

    def plain(self) -> list[dict[str, Any]]:
        """Numbers and strings, for a file."""
        return [asdict(column) for column in self.columns]

    @classmethod
    def from_plain(cls, columns: Sequence[dict[str, Any]], target_dim: int) -> "Support":
        """Inverse of `plain`.

        Raises:
            DomainError: if the numbers fit neither each other nor the targets.
        """
        names = {field.name for field in fields(Column)}
        if len(columns) != target_dim or any(set(column) != names for column in columns):
            raise DomainError(f"the support is not that of {target_dim} targets.")
        support = cls(tuple(Column(**column) for column in columns))
        require_alone([*support.columns])
        return support


def dequantised(y: Tensor, generator: torch.Generator) -> Tensor:
    """Whole numbers ``(..., 1)`` moved to anywhere in the unit around them, at random.

    The density of what comes out, summed up over the unit around a whole number, is the probability of that.

    Source: Theis, van den Oord and Bethge, "A note on the evaluation of generative models", 2016, sec. 3.1.
    """
    noise = torch.rand(y.shape, dtype=y.dtype, device=generator.device, generator=generator)
    return y + noise.to(y.device).clamp(1e-6, 1 - 1e-6) - 0.5
