"""Arrays of any kind to checked, standardised tensors, and back."""

from dataclasses import dataclass, replace
from typing import Any, NoReturn

import torch
from torch import Tensor

from ebm.checks import require_finite
from ebm.density.circular import Circle
from ebm.exceptions import DomainError, ShapeError
from ebm.fitting.encoding import InputEncoder
from ebm.fitting.moments import moments
from ebm.fitting.support import Support
from ebm.fitting.tables import (
    as_tensor,
    names_of,
    require_finite_columns,
    require_names,
)

__all__ = ["Scaling", "as_inputs", "as_targets", "as_weights", "like_input", "measure"]

# Beyond the targets seen, densities are first looked for this many standard deviations on either side.
MARGIN = 2.0
# Beyond the inputs seen, a network is trusted for this many standard deviations; then nothing changes.
REACH = 10.0


@dataclass(frozen=True)
class Scaling:
    """How raw inputs and targets become those of the network, all tensors float64 on the CPU.

    Attributes:
        x_shape: shape of one input row.
        x_mean: ``(F,)``; None where rows are not flat, which the network gets as they are.
        x_scale: ``(F,)`` or None; 1 for a constant column.
        x_low: least standardised input that the network is given, smaller ones count as it; ``(F,)`` or None.
            A constant column is always 0: what it would do at another value was never seen.
        x_high: greatest; both are None in files of releases that did not limit inputs.
        y_mean: of the targets, on the line where there is a support, as all that follows; ``(D,)``.
        y_scale: ``(D,)``, standard deviations, of the targets that are no outliers, see `moments`.
        z_low: lower end of the standardised targets' range, with a margin, ``(D,)``; densities may go on.
        z_high: upper end, ``(D,)``.
        flat: targets were given as ``(N,)``, so predictions are.
        x_names: names of the input's columns, before they are encoded; None where it had none.
        y_names: names of the targets, likewise.
        support: how raw targets go to the line, before they are standardised; None where they are on it.
        x_table: how inputs become numbers; None where they are some.
    """

    x_shape: tuple[int, ...]
    x_mean: Tensor | None
    x_scale: Tensor | None
    y_mean: Tensor
    y_scale: Tensor
    z_low: Tensor
    z_high: Tensor
    flat: bool
    x_names: tuple[str, ...] | None = None
    y_names: tuple[str, ...] | None = None
    x_low: Tensor | None = None
    x_high: Tensor | None = None
    support: Support | None = None
    x_table: InputEncoder | None = None

    @property
    def target_dim(self) -> int:
        """D."""
        return self.y_scale.shape[0]

    @property
    def circle(self) -> Circle | None:
        """The circle that a single target lies on; None where there is none."""
        return None if self.support is None else self.support.circle

    def around(self, centres: Tensor | None) -> "Scaling":
        """The same for errors of predictions ``(B, D)``; its raw targets are then ``(B, M, D)`` alone."""
        return self if centres is None else replace(self, y_mean=self.y_mean.to(centres) + centres[:, None])

    def named(self, x: Any, y: Any) -> "Scaling":
        """The same with the names that the columns of `x` and `y` have."""
        return replace(self, x_names=names_of(x), y_names=names_of(y))

    def rows(self, x: Any, told: bool = True) -> Tensor:
        """Checked raw inputs ``(N, *x_shape)`` of any kind, float64 on the CPU; N may be 0.

        Args:
            x: inputs, encoded here where those of the fit were.
            told: whether to tell, or refuse, what the fit never saw.

        Raises:
            ShapeError: if a row has another shape than those of the fit.
            DomainError: if an entry is NaN or infinite.
            InputError: if something is not numeric, or columns have other names than in the fit.
        """
        by_name = self.x_table is None or self.x_table.by_name
        if by_name and not hasattr(x, "to_frame"):  # a single column or row is refused for its shape
            require_names("x", names_of(x), self.x_names)
        rows = as_inputs(x if self.x_table is None else self.x_table.encode(x, told), least=0)
        if rows.shape[1:] != self.x_shape:
            raise ShapeError(
                f"the model was fitted on rows of shape {self.x_shape}, "
                f"so x must be (N, {', '.join(map(str, self.x_shape))}); got {tuple(rows.shape)}."
            )
        return rows

    def inputs(self, rows: Tensor, device: torch.device) -> Tensor:
        """Standardised inputs of raw rows ``(N, *x_shape)``, float32 on `device`."""
        if self.x_mean is not None and self.x_scale is not None:
            rows = (rows - self.x_mean) / self.x_scale
        if self.x_low is not None and self.x_high is not None:
            rows = rows.clamp(self.x_low, self.x_high)
        return rows.to(device, torch.float32)

    def targets(self, y: Any, count: int) -> Tensor:
        """Checked raw targets of `count` rows, ``(N, D)`` float64 on the CPU.

        Raises:
            ShapeError: if the shape differs from that of the fit.
            DomainError: if an entry is NaN or infinite.
            InputError: if something is not numeric, or columns have other names than in the fit.
        """
        self._require_target_names(y)
        rows, _ = as_targets(y, count)
        if rows.shape[1] != self.target_dim:
            raise ShapeError(
                f"the model was fitted on D={self.target_dim} target columns, got {rows.shape[1]}."
            )
        return rows

    def _require_target_names(self, y: Any) -> None:
        """Names of several targets must be those of the fit; a single one cannot be swapped with another."""
        names = names_of(y)
        if names is not None and self.y_names is not None and max(len(names), len(self.y_names)) > 1:
            require_names("y", names, self.y_names)

    def standardised(self, y: Tensor) -> Tensor:
        """``(y - mean) / scale`` of raw targets ``(..., D)``, on their device and in their dtype.

        Of targets on the line, where there is a support; NaN or infinite for those not inside it.
        """
        y = y if self.support is None else self.support.to_line(y)
        return (y - self.y_mean.to(y)) / self.y_scale.to(y)

    def raw(self, z: Tensor) -> Tensor:
        """Inverse of `standardised`."""
        line = z * self.y_scale.to(z) + self.y_mean.to(z)
        return line if self.support is None else self.support.to_raw(line)

    def log_unit(self, z: Tensor) -> Tensor:
        """Log of the volume of raw targets in a unit of standardised ones ``(..., D) -> (...)``, nats."""
        even = self.y_scale.log().sum().to(z)
        return even.expand(z.shape[:-1]) if self.support is None else even + self.log_bend(z)

    def log_bend(self, z: Tensor) -> Tensor:
        """The part of `log_unit` that differs from place to place, ``(..., D) -> (...)``, nats."""
        if self.support is None:
            return z.new_zeros(z.shape[:-1])
        return self.support.log_slope(z * self.y_scale.to(z) + self.y_mean.to(z))


def measure(
    x: Tensor,
    y: Tensor,
    flat: bool,
    wrong_x: Tensor | None = None,
    wrong_y: Tensor | None = None,
    line: Tensor | None = None,
) -> Scaling:
    """Scaling by the mean and standard deviation of the given rows.

    Args:
        x: inputs ``(N, ...)``, float64.
        y: targets ``(N, D)``, float64.
        flat: see `Scaling`.
        wrong_x: which entries of `x` are outliers, see `moments`.
        wrong_y: which entries of `y`.
        line: the targets on the line ``(N, D)``, where they have a support; None where that is `y`.

    Raises:
        DomainError: if a target column is constant: there is no density to learn.
    """
    target = moments(y if line is None else line, wrong_y)
    constant = target.constant | (y == y[:1]).all(0)
    if bool(constant.any()):
        _refuse_constant(y, int(constant.nonzero()[0]), flat)
    low, high = ((end - target.mean) / target.scale for end in (target.low, target.high))
    targets = (target.mean, target.scale, low - MARGIN, high + MARGIN)
    shape = tuple(x.shape[1:])
    if x.ndim != 2:
        return Scaling(shape, None, None, *targets, flat)
    inputs = moments(x, wrong_x)
    reach = torch.where(inputs.constant, 0.0, REACH)
    low, high = ((end - inputs.mean) / inputs.scale for end in (inputs.low, inputs.high))
    scaling = Scaling(shape, inputs.mean, inputs.scale, *targets, flat)
    return replace(scaling, x_low=low - reach, x_high=high + reach)


def as_inputs(x: Any, least: int = 1) -> Tensor:
    """Inputs ``(N, F)`` or ``(N, ...)``, N >= `least`, as float64 on the CPU, checked.

    Raises:
        ShapeError: if there are too few rows or no column, or `x` has one dimension.
        DomainError: if an entry is NaN or infinite.
        InputError: if the entries are not numbers.
    """
    rows = as_tensor("x", x)
    if rows.ndim < 2:
        one = "x.to_frame(), one row x.to_frame().T" if hasattr(x, "to_frame") else "x.reshape(-1, 1)"
        raise ShapeError(f"expected x of shape (N, F), got {tuple(rows.shape)}; one column is {one}.")
    if len(rows) < least or 0 in rows.shape[1:]:
        needed = "at least one row and one column" if least else "at least one column"
        raise ShapeError(f"expected x with {needed}, got {tuple(rows.shape)}.")
    require_finite_columns("x", rows, names_of(x))
    return rows


def as_targets(y: Any, count: int) -> tuple[Tensor, bool]:
    """Targets as ``(N, D)`` float64 on the CPU, checked, and whether they were given as ``(N,)``.

    Raises:
        ShapeError: if they are not ``(N,)`` or ``(N, D)`` with N = `count`.
        DomainError: if an entry is NaN or infinite.
        InputError: if the entries are not numbers.
    """
    rows = as_tensor("y", y)
    if rows.ndim not in (1, 2) or rows.shape[0] != count or (rows.ndim == 2 and rows.shape[1] == 0):
        raise ShapeError(f"expected y of shape (N={count},) or (N={count}, D), got {tuple(rows.shape)}.")
    require_finite_columns("y", rows, names_of(y))
    return (rows[:, None], True) if rows.ndim == 1 else (rows, False)


def as_weights(weights: Any, count: int) -> Tensor:
    """Weights of rows as ``(N,)`` float64 on the CPU; None is 1 each.

    Raises:
        ShapeError: if they are not ``(N,)``.
        DomainError: if one is negative or not finite, or all are 0.
    """
    if weights is None:
        return torch.ones(count, dtype=torch.float64)
    rows = as_tensor("sample_weight", weights)
    if rows.shape != (count,):
        raise ShapeError(f"expected sample_weight of shape (N={count},), got {tuple(rows.shape)}.")
    require_finite("sample_weight", rows)
    if bool((rows < 0).any()) or not bool(rows.sum() > 0):
        raise DomainError("sample_weight must be >= 0 and not all zero.")
    return rows


def like_input(result: Tensor, x: Any) -> Any:
    """A result as a tensor on the device of `x` if `x` is a tensor, else as a NumPy array."""
    return result.to(x.device) if isinstance(x, Tensor) else result.cpu().numpy()


def _refuse_constant(y: Tensor, column: int, flat: bool) -> NoReturn:
    values, name = y[:, column], "y" if flat else f"y[:, {column}]"
    low, high = values.min().item(), values.max().item()
    if low < high:
        raise DomainError(
            f"{name} varies by {high - low:g} around {low:g}, which its numbers hardly resolve; "
            f"subtract a constant first, e.g. {low:g}."
        )
    raise DomainError(
        f"{name} has the one value {low:g} in all {len(values)} rows; a density needs targets that vary."
    )
