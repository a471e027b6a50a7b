"""In which numbers a network runs: as told, or whichever this machine runs faster."""

from time import perf_counter
from typing import Any

import torch

from ebm.exceptions import InputError
from ebm.lookup import lookup
from pytracking.inference.network import inference_network
from pytracking.inference.options import PRECISIONS, Precision

__all__ = ["choose", "prepared"]

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
WORTHWHILE = 0.8  # auto takes reduced precision where it needs at most this part of the time
REPEATS = 3
CROP = (288, 288)


def prepared(
    network: Any, device: torch.device, precision: Precision = "fp32", crop: tuple[int, int] = CROP
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
    if precision == "auto":
        precision, said = choose(network, device, crop)
        return _in(network, precision), (said,)
    made = _in(network, precision)
    if precision == "fp32":
        return made, ()
    try:
        seconds(made, device, crop, repeats=0)
    except RuntimeError as error:
        raise InputError(
            f"{device} cannot compute in {precision} ({error}); leave --precision out, or pass fp32."
        ) from error
    return made, (f"Precision: {precision}, as told.",)


def choose(network: Any, device: torch.device, crop: tuple[int, int] = CROP) -> tuple[Precision, str]:
    """The precision that this machine should take for a frozen network on its device, and why, a sentence."""
    slow = seconds(_in(network, "fp32"), device, crop)
    try:
        fast = seconds(_in(network, "bf16"), device, crop)
    except RuntimeError:
        return "fp32", f"Precision: fp32; {device} cannot compute in bf16."
    taken: Precision = "bf16" if fast <= WORTHWHILE * slow else "fp32"
    times = f"{1e3 * fast:.1f} ms in bf16, {1e3 * slow:.1f} ms in fp32"
    return taken, f"Precision: {taken}; the backbone takes {times}."


def _in(network: Any, precision: Precision) -> Any:
    made = inference_network(network, DTYPES[precision])
    made.precision = precision
    return made


def seconds(network: Any, device: torch.device, crop: tuple[int, int], repeats: int = REPEATS) -> float:
    """What the backbone takes of one picture, the least of a few times; the first one is not counted."""
    image = torch.zeros(1, 3, *crop, device=device).contiguous(memory_format=torch.channels_last)
    times = [float("inf")]
    with torch.inference_mode(False), torch.no_grad():
        for number in range(1 + repeats):
            start = perf_counter()
            network.extract_backbone_features(image)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if number:
                times.append(perf_counter() - start)
    return min(times)
