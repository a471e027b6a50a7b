"""The file that a long fit goes on from: whose it is, and where it stands."""

import hashlib
import io
import os
import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ebm.exceptions import InputError
from ebm.files import expanded, write_atomic
from ebm.integrity.checksums import sealed_zip
from ebm.integrity.torch_files import read_torch_file

__all__ = ["Call", "Checkpoint", "checkpoint_path", "digest"]

FORMAT = "ebmtrack.checkpoint"
VERSION = 1
# Seconds between two writings of the file, so that small fits do not wait for the disk.
EVERY = 30.0


@dataclass(frozen=True, kw_only=True)
class Call:
    """What a fit's result depends on; two calls with equal fields have the same result on the same machine.

    Attributes:
        settings: plain values by their names as arguments of `ebm.fit`.
        rows: digest of the rows and their scaling.
        weights: digest of the first weights.
    """

    settings: dict[str, Any]
    rows: str
    weights: str

    def difference(self, other: "Call") -> str:
        """In words, where the other call differs; empty where it does not."""
        names = dict.fromkeys([*other.settings, *self.settings])
        found = [
            f"{name} is {other.settings.get(name)!r} there and {self.settings.get(name)!r} here"
            for name in names
            if other.settings.get(name) != self.settings.get(name)
        ]
        if found:  # rows held out and first weights follow from them
            return ", ".join(found)
        if self.rows != other.rows:
            given = "x, y, sample_weight, validation_data, groups, support, or what a base predicts"
            return f"the rows are others ({given})"
        same = self.weights == other.weights
        return "" if same else "the first weights are others (feature_net or warm_start)"


@dataclass
class Checkpoint:
    """A file, written whole or not at all.

    Attributes:
        path: of the file.
        call: whose it is.
        state: what it holds of the training, or is to hold; None before anything is known.
        what: who is called.
    """

    path: Path
    call: Call
    state: dict[str, Any] | None = None
    what: str = "ebm.fit"
    _written: float = field(default=0.0, init=False)
    _told: bool = field(default=False, init=False)

    @classmethod
    def open(cls, path: Path, call: Call, what: str = "ebm.fit") -> "Checkpoint":
        """The checkpoint of a call, with what its file holds if there is one.

        Args:
            path: of the file; need not be there.
            call: whose it should be.
            what: who is called, for messages.

        Raises:
            InputError: if the file is no checkpoint, is damaged, or belongs to another call.
        """
        if not (path.exists() or path.is_symlink()):
            return cls(path, call, what=what)
        fields = _read(path)
        other = call.difference(Call(**fields["call"]))
        if other:
            raise InputError(
                f"{path} is the checkpoint of another call of {what}: {other}. It was left as it is. Give "
                "the arguments of that call to go on with it, another path to begin anew, or delete the file."
            )
        _clear(path)
        return cls(path, call, fields["state"], what)

    @property
    def due(self) -> bool:
        """Whether the last writing is long ago."""
        return time.monotonic() - self._written >= EVERY

    def keep(self, state: dict[str, Any], *, now: bool = False) -> None:
        """Remember a state, and write it if the last writing is long ago or it must be `now`.

        Warns:
            UserWarning: once, if it cannot be written; the fit goes on.
        """
        self.state = state
        if now or self.due:
            try:
                self.write()
            except InputError as error:
                if not self._told:
                    self._told = True
                    warnings.warn(
                        f"checkpoint: {error} The fit goes on; if it ends early, it is lost from the last "
                        "writing on.",
                        stacklevel=8,
                    )

    def write(self) -> None:
        """Write the remembered state.

        Raises:
            InputError: if that cannot be done; the file is as it was.
        """
        self._written = time.monotonic()
        fields = {"format": FORMAT, "version": VERSION, "call": vars(self.call), "state": self.state}
        buffer = io.BytesIO()
        torch.save(fields, buffer)
        write_atomic(self.path, sealed_zip(buffer.getvalue()))

    def damaged(self, error: Exception) -> InputError:
        """The error for a state that does not fit the network that it is of."""
        return InputError(
            f"{self.path} is damaged or was changed: {type(error).__name__}: {error}. It was left as it is; "
            "delete it, or choose another checkpoint."
        )


def checkpoint_path(path: Any) -> Path:
    """The argument of the user's as a path.

    Raises:
        InputError: if it is none.
    """
    if not isinstance(path, str | os.PathLike) or not str(path):
        raise InputError(f"checkpoint must be the path of a file, got {path!r}.")
    found = expanded(os.fspath(path))
    try:
        folder = found.is_dir()
    except OSError as error:  # too long a name
        raise InputError(f"checkpoint cannot be at {found!s:.80}: {error.strerror or error}.") from error
    if folder:
        raise InputError(f"checkpoint {found} is a folder; name a file in it, such as {found / 'fit.ckpt'}.")
    return found


def digest(tensors: Iterable[Tensor | None], texts: Iterable[Any] = ()) -> str:
    """SHA-256 of tensors, their shapes and dtypes, and of plain values."""
    result = hashlib.sha256()
    for tensor in tensors:
        if tensor is None:
            result.update(b"none")
            continue
        result.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        flat = tensor.detach().cpu().clone(memory_format=torch.contiguous_format).reshape(-1)
        result.update(flat.view(torch.uint8).numpy().data)
    for text in texts:
        result.update(repr(text).encode())
    return result.hexdigest()


def _clear(path: Path) -> None:
    """Remove what a process that was killed was writing: one file has one writer."""
    for part in path.parent.iterdir():
        if part.name.startswith(f".{path.name}.") and part.name.endswith(".tmp"):
            part.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    """The fields of a file, its first ones checked."""
    left = "It was left as it is; choose another checkpoint."
    try:
        fields = read_torch_file(path)
    except InputError as error:
        raise InputError(f"checkpoint: {error} {left}") from error
    if not isinstance(fields, Mapping) or fields.get("format") != FORMAT:
        raise InputError(f"{path} is there already, and is no checkpoint of a training. {left}")
    if fields.get("version") != VERSION:
        raise InputError(
            f"{path} is a checkpoint of version {fields.get('version')!r}, this release reads {VERSION}. "
            f"{left}"
        )
    call, state = fields.get("call"), fields.get("state")
    if not isinstance(call, dict) or set(call) != {"settings", "rows", "weights"}:
        raise InputError(f"{path} is damaged or was changed: its call is not readable. {left}")
    whole = isinstance(state, dict) and isinstance(state.get("stage"), int)
    if not isinstance(call["settings"], dict) or not whole:
        raise InputError(f"{path} is damaged or was changed: its state is not readable. {left}")
    return dict(fields)
