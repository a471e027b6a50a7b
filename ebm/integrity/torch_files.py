"""Files of ``torch.save``: verified as a whole, then read without running anything in them."""

import io
import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ebm.exceptions import InputError
from ebm.integrity.checksums import note_unchecked, require_sha256
from ebm.integrity.pickled_names import named_globals
from ebm.integrity.tensors import PICKLE_BYTES, Capped, scan_pickle
from ebm.integrity.zips import require_sound_zip

__all__ = ["read_torch_file"]

# How torch words it: "Unsupported global: GLOBAL a.B ...", "... unsupported GLOBAL a.b whose module ...".
_REFUSED = re.compile(r"GLOBAL ([\w.]+)")
# What torch itself rebuilds tensors and containers from.
_HARMLESS = re.compile(r"collections\.OrderedDict|torch\._utils\._rebuild_\w+|torch\.\w*(Storage|Size)")
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_ZIP = b"PK\x03\x04"


_FAILURES = (  # of torch and its unpickler on bytes that are no such stream
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    AssertionError,
    ArithmeticError,
    struct.error,
)


def read_torch_file(
    path: Path, allowed: Mapping[str, type] | None = None, *, sha256: str | None = None
) -> Any:
    """The contents of a ``torch.save`` stream, zip or legacy; only allowed classes are ever looked up.

    What it says about sizes is compared with what it holds before anything is allocated. The checksum of a
    zip that we wrote is verified, of others the CRC-32 of every part; a legacy stream has neither.

    Args:
        path: the file.
        allowed: class name as it stands in the file -> class to put in its place; tensors and plain
            containers need no entry.
        sha256: of the file as it should be, where that is known; hex digits.

    Raises:
        InputError: if the file is missing, damaged, truncated or not such a stream, or names another class.
    """
    if not path.is_file():
        raise InputError(f"No file {path}" + (" (it is a folder)." if path.is_dir() else "."))
    if sha256 is not None:
        require_sha256(path, sha256)
    try:
        _require_sound(path)
        with (
            torch.serialization.safe_globals([(cls, name) for name, cls in (allowed or {}).items()]),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", UserWarning)  # what is odd about a file is an error below
            return torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except pickle.UnpicklingError as error:
        raise InputError(_refusal(path, str(error), allowed or {})) from error
    except _FAILURES as error:
        reason = _own_words(str(error))
        known = reason and not reason.isdecimal()  # else it is the byte that the unpickler tripped on
        what = f": {reason}" if known else ""
        raise InputError(
            f"{path} ({path.stat().st_size} bytes) is truncated or not a torch file{what}. "
            "Copy or download it again."
        ) from error


def _require_sound(path: Path) -> None:
    """Verify what can be verified before torch reads a file.

    Raises:
        InputError, ValueError, EOFError, pickle.UnpicklingError: if something is wrong with it.
    """
    with path.open("rb") as file:
        if file.read(len(_ZIP)) == _ZIP:
            sizes = require_sound_zip(path)
            folder = next(iter(sizes), "").partition("/")[0]
            room = {name.removeprefix(f"{folder}/data/"): size for name, size in sizes.items()}
            if sizes.get(f"{folder}/data.pkl", 0) > PICKLE_BYTES:
                raise ValueError(f"what describes its tensors takes more than {PICKLE_BYTES} bytes")
            with zipfile.ZipFile(path) as archive:
                content = archive.read(f"{folder}/data.pkl")
            scan_pickle(io.BytesIO(content), room)
            return
        file.seek(0)
        pickles = Capped(file, PICKLE_BYTES)
        # Older versions wrote five: magic number, version, system, the object, and the keys of the storages.
        for number in range(5):
            found = scan_pickle(pickles, path.stat().st_size)
            if number == 0 and found != _LEGACY_MAGIC:
                return  # torch says what it makes of it
        note_unchecked(path)


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
