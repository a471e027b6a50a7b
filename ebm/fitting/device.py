"""Where a density is fitted and asked."""

import torch

from ebm.exceptions import InputError

__all__ = ["usable_device"]


def usable_device(device: str | torch.device) -> torch.device:
    """The device of that name, if it is there and computes in float64 as densities over raw targets need.

    Raises:
        InputError: if it cannot be used.
    """
    try:
        place = torch.device(device)
        torch.zeros(1, device=place, dtype=torch.float64)
    except (RuntimeError, TypeError, AssertionError) as error:
        gpus = torch.cuda.device_count()
        known = "cpu" + (f" and cuda:0 to cuda:{gpus - 1}" if gpus else "; there is no CUDA device")
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"Device {str(device)!r} cannot be used ({reason}); use {known}.") from error
    return place
