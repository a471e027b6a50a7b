"""The kinds of files that we write and read again: each joins the contract of damaged files by being listed.

Every kind writes a small example into a folder and reads it back as values that `same` compares.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import ebm
from ltr.admin.checkpoint_io import network_fields, read_checkpoint, write_checkpoint
from ltr.admin.model_constructor import NetConstructor

__all__ = ["KINDS", "FileKind", "same"]


@dataclass(frozen=True)
class FileKind:
    """One kind of file.

    Attributes:
        name: of the kind.
        write: writes an example into an empty folder.
        read: what the example says; raises an error of ours that names a file if it is damaged.
        sealed: whether every one of its bytes is covered, so that damage is never overlooked.
    """

    name: str
    write: Callable[[Path], Any]
    read: Callable[[Path], Any]
    sealed: bool = True


def same(a: Any, b: Any) -> bool:
    """Whether two contents are equal to the last bit."""
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.dtype == b.dtype and same(a.numpy(), b.numpy())
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, NetConstructor) and isinstance(b, NetConstructor):
        return same(vars(a), vars(b))
    return bool(a == b)


def _write_fitted(folder: Path) -> None:
    x = np.random.default_rng(0).normal(size=(24, 2))
    ebm.fit(x, x[:, 0], progress=False, hidden=(4,), epochs=1).save(folder / "fitted.pt")


def _read_fitted(folder: Path) -> Any:
    read = ebm.load_fitted(folder / "fitted.pt")
    return (
        read.model.state_dict(),
        vars(read.scaling),
        read.config.plain(),
        read.loss_options,
        vars(read.history),
    )


def small_checkpoint() -> dict[str, Any]:
    """Fields of a checkpoint of a few numbers."""
    torch.manual_seed(0)
    net = nn.Linear(3, 2)
    net.constructor = NetConstructor("dimpnet_small", "ltr.models.tracking.dimpnet", (), {"optim_iter": 2})
    net.info = {"image_sample_size": 128}
    return {**network_fields(net), "epoch": 3, "optimizer": {"state": {0: {"step": torch.tensor(2.0)}}}}


def _read_checkpoint(folder: Path) -> Any:
    return read_checkpoint(folder / "Net_ep0003.pth.tar")


KINDS = (
    FileKind("fitted density", _write_fitted, _read_fitted),
    FileKind(
        "checkpoint",
        lambda folder: write_checkpoint(folder / "Net_ep0003.pth.tar", small_checkpoint()),
        _read_checkpoint,
    ),
    FileKind(
        "checkpoint of another program",
        lambda folder: torch.save(small_checkpoint(), folder / "Net_ep0003.pth.tar"),
        _read_checkpoint,
        sealed=False,  # the CRC-32 of its parts leave the padding between them out
    ),
)
