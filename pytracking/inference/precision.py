"""In which numbers a network runs: as told, or whichever this machine runs faster."""

from time import perf_counter
from typing import Any, Literal, get_args

import torch

from ebm.exceptions import InputError
from ebm.lookup import lookup
from pytracking.inference.network import inference_network

__all__ = ["PRECISIONS", "Precision", "prepared"]

Precision = Literal["fp32", "bf16", "auto"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
WORTHWHILE = 0.8  # auto takes reduced precision where it needs at most this part of the time
REPEATS = 3


def prepared(
    network: Any, device: torch.device, precision: Precision = "fp32", crop: tuple[int, int] = (288, 288)
) -> tuple[Any, tuple[str, ...]]:
    """A network as trackers run it, frozen, on its device; and what a command should say of it.

    Args:
        network: a DiMPnet or an ATOMnet, which is moved, frozen and put in evaluation mode, but not changed
            otherwise; one that comes from here is given back.
        device: where it will run.
        precision: ``"fp32"``; ``"bf16"`` for backbone and features; ``"auto"`` measures both and takes
            ``"bf16"`` where it is clearly faster.
        crop: (h, w) of the pictures that are measured with, px.

    Raises:
        UnknownNameError: for another precision.
        InputError: if the device cannot compute in that precision.
    """
    lookup("precision", precision, dict.fromkeys(PRECISIONS, True))
    network = network.to(device=device, memory_format=torch.channels_last).eval().requires_grad_(False)
    if hasattr(network, "precision"):
        return network, ()
    exact = _in(network, "fp32")
    if precision == "fp32":
        return exact, ()
    reduced = _in(network, "bf16")
    try:
        fast = seconds(reduced, device, crop)
    except RuntimeError as error:
        if precision == "auto":
            return exact, (f"Precision: fp32; {device} cannot compute in bf16.",)
        raise InputError(
            f"{device} cannot compute in bf16 ({error}); leave --precision out, or pass fp32."
        ) from error
    if precision == "bf16":
        return reduced, ("Precision: bf16, as told.",)
    slow = seconds(exact, device, crop)
    taken = "bf16" if fast <= WORTHWHILE * slow else "fp32"
    said = f"Precision: {taken}; the backbone takes {1e3 * fast:.1f} ms in bf16, {1e3 * slow:.1f} ms in fp32."
    return (reduced if taken == "bf16" else exact), (said,)


def _in(network: Any, precision: str) -> Any:
    made = inference_network(network, DTYPES[precision])
    made.precision = precision
    return made


def seconds(network: Any, device: torch.device, crop: tuple[int, int]) -> float:
    """What the backbone takes of one picture, the least of a few times."""
    image = torch.zeros(1, 3, *crop, device=device).contiguous(memory_format=torch.channels_last)
    times = []
    with torch.inference_mode(False), torch.no_grad():
        for _ in range(1 + REPEATS):  # the first one chooses and compiles kernels
            start = perf_counter()
            network.extract_backbone_features(image)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            times.append(perf_counter() - start)
    return min(times[1:])
