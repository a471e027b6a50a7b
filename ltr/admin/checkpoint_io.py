"""Checkpoint files: written atomically, read through an allow-list."""

import contextlib
import errno
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

import torch
from torch import nn

from ebm.exceptions import InputError
from ebm.integrity.checksums import SealingWriter
from ebm.integrity.torch_files import read_torch_file
from ltr.admin.exported import read_export
from ltr.admin.model_constructor import NetConstructor
from ltr.admin.state_dicts import as_state_dict

__all__ = ["Ignored", "network_fields", "read_checkpoint", "write_checkpoint"]


class Ignored:
    """Stands for objects of published checkpoints that nothing here needs: settings, paths, statistics."""


_CLASSES: dict[str, type] = {
    "model_constructor.NetConstructor": NetConstructor,
    "settings.Settings": Ignored,
    "local.EnvironmentSettings": Ignored,
    "stats.AverageMeter": Ignored,
    "stats.StatValue": Ignored,
}
_PACKAGES = ("ltr.admin", "dlframework.common.utils")
_ALLOWED = {f"{package}.{name}": cls for package in _PACKAGES for name, cls in _CLASSES.items()}


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The fields of a checkpoint; no code in the file runs.

    Args:
        path: the file, a zip container or the stream that older versions of torch wrote; or the
            ``.safetensors`` file of an export.

    Returns:
        At least ``net``, the state dict; normally also ``constructor``, ``net_type``, ``net_info``, ``epoch``
        and what the trainer stored. Settings, paths and meters of published files become `Ignored`.

    Raises:
        InputError: if the file is missing, truncated, no checkpoint, or names a class that is not allowed.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        return read_export(path)
    fields = read_torch_file(path, _ALLOWED)
    if not isinstance(fields, dict) or "net" not in fields:
        raise InputError(
            f"{path} is no checkpoint: it has no field 'net'. A bare state dict of a backbone goes to "
            "--backbone-weights."
        )
    for name in {"net", "net_ema"} & fields.keys():
        fields[name] = as_state_dict(fields[name], f"Field {name!r} of {path}")
    return fields


def network_fields(net: nn.Module) -> dict[str, Any]:
    """The fields of a checkpoint that describe the network: type, weights, geometry and constructor."""
    return {
        "net_type": type(net).__name__,
        "net": net.state_dict(),
        "net_info": getattr(net, "info", None),
        "constructor": getattr(net, "constructor", None),
    }


def write_checkpoint(path: Path, fields: Mapping[str, Any]) -> None:
    """Write a checkpoint that is either complete or not there; an older file of the name survives a failure.

    Args:
        path: the file; its folder is made.
        fields: tensors, plain containers and numbers, and a `NetConstructor`.

    Raises:
        InputError: if the file cannot be written: no space, no permission.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            sealing = SealingWriter(file)
            torch.save(dict(fields), cast(IO[bytes], sealing))
            sealing.seal()
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:
        # torch reports a failed write of its container as a RuntimeError, with the cause behind it.
        raise InputError(_why_not_written(path, error)) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _why_not_written(path: Path, error: Exception) -> str:
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)
    system = next((cause for cause in causes if isinstance(cause, OSError)), None)
    kept = " The previous file of that name is unchanged." if path.exists() else ""
    if system is not None and system.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        reason = (
            f"there is no space left ({os.strerror(system.errno)}); free some or choose another workspace"
        )
    else:
        reason = str(system or error).splitlines()[0]
    return f"Checkpoint {path} cannot be written: {reason}.{kept}"


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` last through a power failure, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
