"""The kinds of files that we write and read again: each joins the contract of damaged files by being listed.

Every kind writes a small example into a folder and reads it back as values that `same` compares.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ebm
from ebm.exceptions import InputError
from ebm.integrity.json_files import write_sealed_json
from ebm.tasks.tabular.study import RESULTS, Cell, Result, read_results
from ebm.tasks.toy1d.store import Store, Trained
from ltr.admin.checkpoint_io import network_fields, read_checkpoint, write_checkpoint
from ltr.admin.exported import write_export
from ltr.admin.model_constructor import NetConstructor
from ltr.data.image_loader import open_image
from ltr.dataset import LaSOT, PackedVideos
from ltr.dataset.base import generated_sequences
from ltr.dataset.generated.layouts import write_index
from ltr.dataset.opening import detect_kind
from ltr.dataset.packing import pack_dataset
from pytracking.evaluation.benchmarks import generated_index
from pytracking.evaluation.results import ResultFolder, SequenceResult
from tests.ebm.tasks.toy1d.conftest import made_up, tiny_job
from tests.ltr.layouts import write_lasot
from tests.pytracking.evaluation.tiny import otb_layout, write_otb

__all__ = ["KINDS", "FileKind", "same"]


@dataclass(frozen=True)
class FileKind:
    """One kind of file.

    Attributes:
        name: of the kind.
        write: writes an example into an empty folder.
        read: what the example says; raises an error of ours that names a file if it is damaged.
        files: pattern of those of the example's files that the contract is about.
        refused: share of flipped bits that must be noticed; the others are in bytes that nothing uses.
        rebuilt: a cache: instead of being refused it is made anew, with a word.
        noted: it has no checksum of ours, and that is said.
    """

    name: str
    write: Callable[[Path], Any]
    read: Callable[[Path], Any]
    files: str = "**/*"
    refused: float = 0.9
    rebuilt: bool = False
    noted: bool = False


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


def _read_named(name: str) -> Callable[[Path], Any]:
    return lambda folder: read_checkpoint(folder / name)


def _write_lasot(folder: Path) -> Path:
    return write_lasot(folder / "lasot", ("cat-1",), frames=3)


def _frames(dataset: Any) -> Any:
    # Copied: they are mapped from the file, which the contract writes into.
    annotations = [copy.deepcopy(vars(dataset.annotation(index))) for index in range(len(dataset))]
    return annotations, [open_image(dataset.frame_path(0, frame)).data for frame in range(3)]


def _read_indexed(folder: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EBMTRACK_CACHE", str(folder / "cache"))
        dataset = LaSOT(folder / "lasot", ("cat-1",))
        assert dataset.prepare() == {}
        return _frames(dataset)


def _write_indexed(folder: Path) -> None:
    _write_lasot(folder)
    _read_indexed(folder)


def _write_packed(folder: Path) -> None:
    pack_dataset(LaSOT(_write_lasot(folder), ("cat-1",)), folder / "packed", progress=False)


def _read_generated(folder: Path) -> Any:
    names = generated_sequences(folder)
    assert names == generated_index(folder)
    return names, detect_kind(folder)


def _write_toy(folder: Path) -> None:
    store, job, numbers = Store(folder), tiny_job(), np.random.default_rng(0)
    store.save_result(job, made_up(job, (0.5, float("inf"))))
    weights, losses = numbers.normal(size=(2, 30)).astype(np.float32), numbers.normal(size=(1, 2))
    store.save_trained(job, Trained(weights=weights, losses=losses, record={"device": "cpu"}))


def _read_toy(folder: Path) -> Any:
    result, trained = Store(folder).result(tiny_job()), Store(folder).trained(tiny_job())
    return vars(result), vars(trained)


def _write_study(folder: Path) -> None:
    cell = Cell(problem="toy-1", method="nce", seed=0, settings={"epochs": 2, "loss_options": {"beta": 0.1}})
    result = Result(cell=cell, scores=None, true_nll=1.25, messages=("diverged",))
    write_sealed_json(folder / RESULTS, {"format": 1, "results": [asdict(result)]})


def _sequence(folder: Path) -> Any:
    root = folder / "otb"
    return otb_layout(root if root.is_dir() else write_otb(root, {"Walking": 4})).read("Walking")


def _write_results(folder: Path) -> None:
    numbers = np.random.default_rng(0).uniform(1, 50, (4, 4))
    result = SequenceResult(boxes=numbers, times=numbers[0], scores=numbers[1] / 50, states=("ok",) * 4)
    ResultFolder(folder / "results").write(_sequence(folder), result)


def _read_results(folder: Path) -> Any:
    results = ResultFolder(folder / "results")
    boxes, times = results.boxes("Walking"), results.times("Walking")
    if not results.is_finished(_sequence(folder)):  # then the tracker runs on it again
        raise InputError("Walking.txt and what lies beside it are not complete.")
    return boxes, times


CHECKPOINT, EXPORT = "Net_ep0003.pth.tar", "Linear_ep0003.safetensors"
KINDS = (
    FileKind("fitted density", _write_fitted, _read_fitted),
    FileKind(
        "checkpoint",
        lambda folder: write_checkpoint(folder / CHECKPOINT, small_checkpoint()),
        _read_named(CHECKPOINT),
    ),
    FileKind(
        "checkpoint of another program",
        lambda folder: torch.save(small_checkpoint(), folder / CHECKPOINT),
        _read_named(CHECKPOINT),
        noted=True,
        refused=0.3,  # the CRC-32 of its parts leave out the padding between them
    ),
    FileKind(
        "export",
        lambda folder: write_export(folder, small_checkpoint(), CHECKPOINT),
        _read_named(EXPORT),
    ),
    FileKind(
        "packed data",
        _write_packed,
        lambda folder: _frames(PackedVideos(folder / "packed")),
        files="packed/*",
        refused=0.5,  # arrays begin at multiples of 64 bytes
    ),
    FileKind(
        "annotation index", _write_indexed, _read_indexed, files="cache/**/*.idx", refused=0.0, rebuilt=True
    ),
    FileKind(
        "generated set",
        lambda folder: write_index(folder, "lasot", [{"name": f"cat-{n}"} for n in range(5)]),
        _read_generated,
    ),
    FileKind("toy study", _write_toy, _read_toy),
    FileKind("study of tables", _write_study, read_results),
    FileKind("tracker result", _write_results, _read_results, files="results/*"),
)
