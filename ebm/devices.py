"""The device that a user names."""

import torch

from ebm.exceptions import InputError

__all__ = ["resolve_device", "usable_device"]


def resolve_device(name: str | torch.device = "auto") -> torch.device:
    """The device called `name`, checked to exist.

    Args:
        name: ``"auto"`` (CUDA, else MPS, else CPU), ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.

    Raises:
        InputError: if there is no such device on this machine, or no such name.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda", "mps") or (device.type == "cpu" and (device.index or 0) > 0):
        raise InputError(f"Unknown device {str(name)!r}; pass auto, cpu, cuda, cuda:N or mps.")
    if device.type == "cuda":
        count = torch.cuda.device_count() if cuda else 0
        if (device.index or 0) >= count:
            there = f"{count} CUDA device(s), cuda:0 to cuda:{count - 1}" if count else "no CUDA device"
            raise InputError(f"Device {str(name)!r} was asked for, but torch sees {there}; pass auto or cpu.")
    if device.type == "mps" and not mps:
        raise InputError("Device 'mps' was asked for, but torch sees none; pass auto or cpu.")
    return device


def usable_device(name: str | torch.device) -> torch.device:
    """`resolve_device`, if it computes in float64 as densities over raw targets need.

    Raises:
        InputError: if it does not exist, or cannot be used.
    """
    device = resolve_device(name)
    try:
        torch.zeros(1, device=device, dtype=torch.float64)
    except (RuntimeError, TypeError, AssertionError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"Device {str(name)!r} cannot be used ({reason}); pass cpu.") from error
    return device
