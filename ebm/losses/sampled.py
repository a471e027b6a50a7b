"""What the losses with PyTracking's call signature share: logarithms of densities, samples put last."""

from torch import Tensor, nn

from ebm.checks import checks_values, float_dtype, require_from_zero
from ebm.exceptions import DomainError, ShapeError

__all__ = ["SENTINEL", "SampledRegression", "rows_of"]

SENTINEL = -1.0


class SampledRegression(nn.Module):
    """What the losses over samples share.

    Args:
        eps: added to the sample density before its logarithm, at least 0.
        validate: look at the values of densities; None means on CPU tensors only.

    Raises:
        DomainError: (a ValueError) if `eps` is negative or not finite.
    """

    def __init__(self, eps: float = 0.0, validate: bool | None = None) -> None:
        super().__init__()
        self.eps, self.validate = require_from_zero("eps", eps), validate

    def extra_repr(self) -> str:
        """The offset of the density, for ``print(loss)``."""
        return f"eps={self.eps:g}"

    def _log_q(self, density: Tensor, name: str = "sample_density") -> Tensor:
        """``log(density + eps)``, refused where that is not a number above minus infinity."""
        shifted = density.to(float_dtype(density)) + self.eps
        if checks_values(shifted, self.validate) and not bool((shifted > 0).all()):
            where = [int(i) for i in (~(shifted > 0)).nonzero()[0]]
            raise DomainError(
                f"{name} must be > 0, got {density[tuple(where)].item():g} at {where}; "
                f"{SENTINEL:g} marks labels for MLRegression alone."
            )
        return shifted.log()


def rows_of(mc_dim: int, **tensors: Tensor) -> list[Tensor]:
    """Every tensor as ``(rows, samples)``, after a check that the shapes are equal."""
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    rank = len(next(iter(shapes.values())))
    if len(set(shapes.values())) > 1 or not -rank <= mc_dim < rank:
        got = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ShapeError(f"expected equal shapes with samples along mc_dim = {mc_dim}, got {got}.")
    last = [tensor.movedim(mc_dim, -1) for tensor in tensors.values()]
    return [tensor.reshape(-1, tensor.shape[-1]) for tensor in last]
