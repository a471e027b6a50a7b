"""Input checks with one wording; checks of values run where they cost nothing, that is on CPU tensors."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ebm.exceptions import DomainError, ShapeError
from ebm.numbers import plain, require_number

__all__ = [
    "all_finite",
    "checks_values",
    "finite_range",
    "float_dtype",
    "require_count",
    "require_finite",
    "require_from_zero",
    "require_generator",
    "require_last_dim",
    "require_positive",
    "require_same_device",
    "require_same_dtype",
]


def checks_values(tensor: Tensor, validate: bool | None) -> bool:
    """Whether to look at the values of `tensor`.

    Args:
        tensor: the tensor in question, any shape.
        validate: True or False decides; None means "on the CPU only", because on a GPU a look at a value
            makes the program wait for the device, and inside ``torch.compile`` it breaks the graph.
    """
    if validate is not None:
        return validate
    return tensor.device.type == "cpu" and not torch.compiler.is_compiling()


def all_finite(tensor: Tensor) -> Tensor:
    """Whether no entry is NaN or infinite, ``()`` bool on the tensor's device.

    NaN passes through minimum and maximum, and neither makes a copy of the tensor as ``isfinite`` does.
    """
    if tensor.numel() == 0:
        return torch.ones((), dtype=torch.bool, device=tensor.device)
    tensor = tensor.detach()
    return torch.stack((tensor.amin(), tensor.amax())).isfinite().all()


def require_finite(name: str, tensor: Tensor, validate: bool | None = None) -> None:
    """Raise a `DomainError` that names the first NaN or infinite entry of `tensor` (any shape).

    Raises:
        DomainError: if an entry is NaN or infinite and `checks_values` says to look.
    """
    if not checks_values(tensor, validate):
        return
    # The sum is the cheapest proof: only where it is not finite, the entries decide (it may have overflowed).
    if math.isfinite(tensor.detach().sum().item()) or bool(tensor.isfinite().all()):
        return
    index = tuple(int(i) for i in (~tensor.isfinite()).nonzero()[0])
    raise DomainError(f"{name} must be finite, but {name}{list(index)} is {tensor[index].item()}.")


def finite_range(tensor: Tensor) -> str:
    """Smallest and largest finite entry of `tensor` (any shape) in words, for messages about the others."""
    good = tensor[tensor.isfinite()]
    return f"{good.min().item():g} to {good.max().item():g}" if good.numel() else "none"


def require_last_dim(name: str, tensor: Tensor, dim: int, shape: str, rank: int | None = None) -> None:
    """Raise a `ShapeError` unless `tensor` has last dimension `dim` (and, if given, rank `rank`).

    Args:
        name: argument name for the message.
        tensor: the tensor in question.
        dim: required size of the last dimension.
        shape: the expected shape in words, e.g. ``"(B, M, D=4)"``.
        rank: required number of dimensions.

    Raises:
        ShapeError: if the shape does not fit.
    """
    fits = tensor.ndim > 0 and tensor.shape[-1] == dim and (rank is None or tensor.ndim == rank)
    if not fits:
        raise ShapeError(f"expected {name} of shape {shape}, got {tuple(tensor.shape)}.")


def require_count(name: str, value: int, least: int = 1) -> int:
    """`value` as an integer of Python if it is one of at least `least`, of NumPy or in a 0-d tensor too.

    Raises:
        DomainError: (a ValueError) otherwise.
    """
    number = value if type(value) is int else plain(value)
    if isinstance(number, bool) or not isinstance(number, int) or number < least:
        raise DomainError(f"{name} must be an integer >= {least}, got {value!r}.")
    return number


def require_same_device(**tensors: Tensor) -> None:
    """Raise a TypeError if the named tensors live on different devices; nothing is moved silently.

    Raises:
        TypeError: if the devices differ.
    """
    if len({tensor.device for tensor in tensors.values()}) > 1:
        places = ", ".join(f"{name} on {tensor.device}" for name, tensor in tensors.items())
        raise TypeError(f"all tensors must be on one device, got {places}; move them with .to(device).")


def require_same_dtype(**tensors: Tensor) -> None:
    """Raise a TypeError if the named tensors are computed in different precision; none is cast silently.

    Integers and types below float32 count as float32, because that is what they are computed in.

    Raises:
        TypeError: if the dtypes differ, or a tensor is boolean or complex.
    """
    if len({float_dtype(tensor) for tensor in tensors.values()}) > 1:
        types = ", ".join(f"{name} {tensor.dtype}" for name, tensor in tensors.items())
        raise TypeError(f"all tensors must have one dtype, got {types}; convert them with .to(dtype).")


def require_generator(generator: torch.Generator | None, **tensors: Tensor) -> None:
    """Raise a TypeError unless the tensors share a device and the generator, if there is one, is for it.

    Raises:
        TypeError: if a device differs.
    """
    require_same_device(**tensors)
    name, tensor = next(iter(tensors.items()))
    if generator is not None and generator.device.type != tensor.device.type:
        raise TypeError(f"generator is for {generator.device.type}, but {name} is on {tensor.device.type}.")


def float_dtype(*tensors: Tensor) -> torch.dtype:
    """The widest floating dtype among `tensors`, at least float32.

    Raises:
        TypeError: if a tensor is boolean or complex.
    """
    dtype = torch.float32
    for tensor in tensors:
        if tensor.dtype == torch.bool or tensor.is_complex():
            raise TypeError(f"expected real numbers, got a tensor of dtype {tensor.dtype}.")
        dtype = torch.promote_types(dtype, tensor.dtype)
    return dtype


def require_positive(name: str, values: Sequence[float]) -> list[float]:
    """The values as Python's numbers if every one is finite and above zero.

    Raises:
        DomainError: (a ValueError) naming the first that is not, also for an empty sequence.
    """
    if not len(values):
        raise DomainError(f"{name} must hold at least one number.")
    numbers = []
    for index, value in enumerate(values):
        which = f"{name}[{index}]" if len(values) > 1 else name
        number = require_number(which, value)
        if not (math.isfinite(number) and number > 0):
            raise DomainError(f"{which} must be finite and > 0, got {number!r}.")
        numbers.append(number)
    return numbers


def require_from_zero(name: str, value: float) -> float:
    """`value` as Python's number if it is finite and at least zero.

    Raises:
        DomainError: (a ValueError) otherwise.
    """
    number = require_number(name, value)
    if not (math.isfinite(number) and number >= 0):
        raise DomainError(f"{name} must be finite and >= 0, got {number!r}.")
    return number
