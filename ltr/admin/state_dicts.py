"""State dicts: read from files without running anything in them, and loaded with errors that name keys."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from ebm.exceptions import InputError
from ebm.integrity.torch_files import read_torch_file

__all__ = ["as_state_dict", "load_strictly", "read_state_dict"]


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The state dict in a ``.safetensors`` file or a torch file.

    Raises:
        InputError: if the file cannot be read or holds something else.
    """
    if path.suffix != ".safetensors":
        return as_state_dict(read_torch_file(path), path)
    if not path.is_file():
        raise InputError(f"No file {path}.")
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise InputError(f"{path} is truncated or not a safetensors file: {error}") from error


def as_state_dict(value: Any, where: object) -> dict[str, Tensor]:
    """`value`, if it maps names to tensors.

    Raises:
        InputError: if it does not; `where` says in the message what it belongs to.
    """
    if not isinstance(value, Mapping) or not value:
        raise InputError(f"{where} holds no state dict (a mapping from names to tensors).")
    for key, tensor in value.items():
        if not isinstance(key, str) or not isinstance(tensor, Tensor):
            raise InputError(
                f"{where} holds no state dict: {key!r} is a {type(tensor).__name__}, not a tensor."
            )
    return dict(value)


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], where: str) -> None:
    """Load `state` into `module`: same keys, same shapes, finite numbers.

    A missing ``num_batches_tracked`` counts as zero, as files from before torch 0.4.1 lack it.

    Args:
        module: what to fill.
        state: the state dict.
        where: what the state dict is, to begin the message with.

    Raises:
        InputError: naming the first missing, unexpected or ill-shaped keys, or one that is not finite.
    """
    own = module.state_dict()
    filled = dict(state)
    for key, value in own.items():
        if key.endswith("num_batches_tracked"):
            filled.setdefault(key, torch.zeros_like(value))
    kinds = {
        "missing": [key for key in own if key not in filled],
        "unexpected": [key for key in filled if key not in own],
        "of another shape": [
            f"{key} {tuple(filled[key].shape)} instead of {tuple(own[key].shape)}"
            for key in own
            if key in filled and filled[key].shape != own[key].shape
        ],
    }
    wrong = [f"{len(keys)} keys {kind} ({_first(keys)})" for kind, keys in kinds.items() if keys]
    if wrong:
        raise InputError(
            f"{where} does not fit {type(module).__name__}: {'; '.join(wrong)}. Is it of another network?"
        )
    for key, value in filled.items():
        if not value.isfinite().all():
            raise InputError(
                f"{where} holds NaN or infinite numbers in {key}; use another file (of a training: one of "
                "an earlier epoch)."
            )
    module.load_state_dict(filled)


def _first(keys: list[str], count: int = 3) -> str:
    return ", ".join(keys[:count]) + (", ..." if len(keys) > count else "")
