"""State dicts: read from files without running anything in them, and loaded with errors that name keys."""

import pickle
import re
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from ebm.exceptions import InputError
from ltr.admin.pickled_names import named_globals

__all__ = ["as_state_dict", "load_strictly", "read_state_dict", "read_torch_file"]

# How torch words it: "Unsupported global: GLOBAL a.B ...", "... unsupported GLOBAL a.b whose module ...".
_REFUSED = re.compile(r"GLOBAL ([\w.]+)")
# What torch itself rebuilds tensors and containers from.
_HARMLESS = re.compile(r"collections\.OrderedDict|torch\._utils\._rebuild_\w+|torch\.\w*(Storage|Size)")


def read_torch_file(path: Path, allowed: Mapping[str, type] | None = None) -> Any:
    """The contents of a ``torch.save`` stream, zip or legacy; only allowed classes are ever looked up.

    Args:
        path: the file.
        allowed: class name as it stands in the file -> class to put in its place; tensors and plain
            containers need no entry.

    Raises:
        InputError: if the file is missing, truncated or not such a stream, or names another class.
    """
    if not path.is_file():
        raise InputError(f"No file {path}" + (" (it is a folder)." if path.is_dir() else "."))
    try:
        with (
            torch.serialization.safe_globals([(cls, name) for name, cls in (allowed or {}).items()]),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", UserWarning)  # what is odd about a file is an error below
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(_refusal(path, str(error), allowed or {})) from error
    except (
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        KeyError,
        IndexError,
        AttributeError,
        TypeError,
        struct.error,
    ) as error:
        reason = _own_words(str(error)) or type(error).__name__
        raise InputError(
            f"{path} ({path.stat().st_size} bytes) is truncated or not a torch file: {reason}. "
            "Copy or download it again."
        ) from error


def _refusal(path: Path, message: str, allowed: Mapping[str, type]) -> str:
    """What to say about a stream that the restricted reader refused."""
    there = [name for name in named_globals(path) if name not in allowed and not _HARMLESS.fullmatch(name)]
    refused = _REFUSED.search(message)
    if refused and _ends_with(path, refused[1].rpartition(".")[2]):
        return f"{path} ({path.stat().st_size} bytes) is truncated. Copy or download it again."
    # torch leaves the module of builtins out, and calls the words of a text file names.
    named = [name for name in there if refused is None or name.endswith(f".{refused[1]}")]
    if refused and "." in refused[1]:
        named = [refused[1]]
    if not named:
        reason = _own_words(message)
        return f"{path} is truncated, not a torch file, or holds something that may not be read: {reason}."
    return (
        f"{path} refers to {named[0]}, which is not among the classes that may be read from a file; "
        "nothing in it was run. If you trust the file, write its state dict to a .safetensors file and "
        "load that."
    )


def _ends_with(path: Path, text: str) -> bool:
    """Whether a file ends in the middle of the name that its reader came to last."""
    with path.open("rb") as file:
        # The reader takes the last byte for the end of the line.
        file.seek(max(path.stat().st_size - len(text) - 1, 0))
        return text.encode() in file.read()


def _own_words(message: str) -> str:
    """The first line of an error of torch's, without its advice to read files with everything allowed."""
    head = message.splitlines()[0] if message else ""
    cause = message.rpartition("WeightsUnpickler error:")[2] if "WeightsUnpickler error:" in message else head
    return re.split(r"Please file an issue|In PyTorch 2\.6|Check the documentation", cause)[0].strip(" .\n")


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
    """Load `state` into `module`: same keys, same shapes.

    A missing ``num_batches_tracked`` counts as zero, as files from before torch 0.4.1 lack it.

    Args:
        module: what to fill.
        state: the state dict.
        where: what the state dict is, to begin the message with.

    Raises:
        InputError: naming the first missing, unexpected or ill-shaped keys.
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
    module.load_state_dict(filled)


def _first(keys: list[str], count: int = 3) -> str:
    return ", ".join(keys[:count]) + (", ..." if len(keys) > count else "")
