"""The device that a user names."""

import torch

from ebm.exceptions import InputError

__all__ = ["resolve_device"]


def resolve_device(name: str = "auto") -> torch.device:
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
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda", "mps"):
        raise InputError(f"Unknown device {name!r}; pass auto, cpu, cuda, cuda:N or mps.")
    if device.type == "cuda":
        count = torch.cuda.device_count() if cuda else 0
        if (device.index or 0) >= count:
            there = f"{count} CUDA device(s)" if count else "no CUDA device"
            raise InputError(f"Device {name!r} was asked for, but torch sees {there}; pass auto or cpu.")
    if device.type == "mps" and not mps:
        raise InputError("Device 'mps' was asked for, but torch sees none; pass auto or cpu.")
    return device
