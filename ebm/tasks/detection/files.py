"""Files of detectors and branches: plain fields and weights, sealed, written whole or not at all."""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ebm.exceptions import InputError
from ebm.files import write_atomic
from ebm.integrity.checksums import sealed_zip
from ebm.integrity.torch_files import read_torch_file

__all__ = ["fields_of", "load_state", "weights_of", "write_fields"]

VERSION = 1


def write_fields(path: Path, kind: str, fields: Mapping[str, Any]) -> None:
    """Write plain fields and tensors.

    Args:
        path: the file.
        kind: what it holds, e.g. ``"ebmtrack.detector"``.
        fields: plain values and state dicts.

    Raises:
        InputError: if it cannot be written.
    """
    buffer = io.BytesIO()
    torch.save({"format": kind, "version": VERSION} | dict(fields), buffer)
    write_atomic(path, sealed_zip(buffer.getvalue()))


def fields_of(path: Path, kind: str, wanted: Mapping[str, type], made_by: str) -> dict[str, Any]:
    """The fields of a file that `write_fields` wrote; no code in it runs.

    Args:
        path: the file.
        kind: what it should hold.
        wanted: fields that it must have, and their types.
        made_by: the command that writes such files.

    Raises:
        InputError: if it is missing, damaged, or holds something else.
    """
    fields = read_torch_file(path)
    found = fields.get("format") if isinstance(fields, Mapping) else None
    if found != kind:
        what = f"it is {found!r}" if isinstance(found, str) else "it is another torch file"
        raise InputError(f"{path} is no file of '{made_by}': {what}.")
    if fields.get("version") != VERSION:
        raise InputError(f"{path} is of version {fields.get('version')!r}, this release reads {VERSION}.")
    for name, kind_of_field in wanted.items():
        if not isinstance(fields.get(name), kind_of_field):
            raise InputError(f"{path} is damaged or was changed: its {name} is not readable.")
    return dict(fields)


def load_state(net: nn.Module, state: Mapping[str, Any], where: object) -> None:
    """Load a state dict, all of it and nothing else.

    Raises:
        InputError: if it is one of another network; names what differs.
    """
    own = net.state_dict()
    wrong = [
        name
        for name in dict.fromkeys([*own, *state])
        if name not in own or name not in state or getattr(state[name], "shape", None) != own[name].shape
    ]
    if wrong:
        raise InputError(
            f"{where} holds weights of another network: {len(wrong)} differ, {wrong[0]!r} first."
        )
    net.load_state_dict(dict(state))


def weights_of(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of weights by their names, 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]
