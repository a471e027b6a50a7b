"""Batches in index order: the same whatever the number of workers, and resumable at any index."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from ebm.exceptions import EBMError, InputError

__all__ = ["BatchLoader", "collate_frames", "make_loader"]

Batch = dict[str, Any]

# Python 3.14 would take a server that forks: a SIGTERM to the whole group ends it, and with it torch's trust
# in the workers.
_USUAL = "fork" if sys.platform == "linux" else None


@dataclass(frozen=True)
class _Failure:
    """A deliberate error of a worker, on its way to the main process.

    Left to itself, torch raises it there with the worker's whole traceback as its message.
    """

    kind: type[EBMError]
    message: str


class _Guarded(Dataset[Any]):
    """A dataset whose deliberate errors come out as values."""

    def __init__(self, dataset: Dataset[Any]) -> None:
        self.dataset = dataset

    def __getitem__(self, index: int) -> Any:
        try:
            return self.dataset[index]
        except EBMError as error:
            return _Failure(type(error), str(error))


class _IndexRange(Sampler[int]):
    """One process's share of consecutive batches; the start may be moved between two passes."""

    def __init__(self, start: int, batches: int, batch_size: int, rank: int, size: int) -> None:
        self.start, self.batches, self.batch_size = start, batches, batch_size
        self.local = batch_size // size
        self.offset = rank * self.local

    def __iter__(self) -> Iterator[int]:
        for batch in range(self.batches):
            first = self.start + batch * self.batch_size + self.offset
            yield from range(first, first + self.local)

    def __len__(self) -> int:
        return self.batches * self.local


def _stack(tensors: Sequence[Tensor]) -> Tensor:
    """Stack on dim 1, behind the frames; images that lie channels-last in memory stay so."""
    first = tensors[0]
    if first.ndim == 4 and not first.is_contiguous() and first.permute(0, 2, 3, 1).is_contiguous():
        return torch.stack([t.permute(0, 2, 3, 1) for t in tensors], dim=1).permute(0, 1, 4, 2, 3)
    return torch.stack(list(tensors), dim=1)


def collate_frames(samples: Sequence[Mapping[str, Any]]) -> Batch:
    """Samples as a batch: tensors ``[I, ...]`` become ``[I, batch, ...]``, anything else a list."""
    keys = samples[0].keys()
    return {
        key: _stack([sample[key] for sample in samples])
        if isinstance(samples[0][key], Tensor)
        else [sample[key] for sample in samples]
        for key in keys
    }


def _collate(samples: Sequence[Any]) -> Batch | _Failure:
    """`collate_frames`, or the first failure among the samples."""
    failures = [sample for sample in samples if isinstance(sample, _Failure)]
    return failures[0] if failures else collate_frames(samples)


def _obey(parent: int) -> None:
    """End this process at the first SIGTERM that `parent` sent."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)


def _start_worker(_: int) -> None:
    """One thread per worker, since the workers are the parallelism; stopping is the main process's business.

    A terminal, ``timeout`` and batch systems signal the whole group: a worker that dies of it would take the
    main process along before that has saved its state. SIGTERM must not simply be ignored, though: it is
    how the main process ends its workers when it leaves, and it waits for them without limit.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if (
        parent is not None and parent.pid is not None and hasattr(signal, "sigwaitinfo")
    ):  # not on macOS, Windows
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_obey, args=(parent.pid,), daemon=True).start()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


class BatchLoader:
    """Batches of consecutive samples. Each pass starts at `start_index`, which may be set between passes.

    Set it rather than making a new loader: the worker processes stay and keep their memory. They end with
    `close`, with an error, or with the loader itself.
    """

    def __init__(self, build: Callable[[], DataLoader[Any]], indices: _IndexRange) -> None:
        """Use `make_loader`."""
        self._build, self._indices = build, indices
        self._loader: DataLoader[Any] | None = None

    @property
    def start_index(self) -> int:
        """Index of the first sample of the next pass."""
        return self._indices.start

    @start_index.setter
    def start_index(self, value: int) -> None:
        self._indices.start = value

    def __len__(self) -> int:
        """Batches, or groups of them, per pass."""
        return len(self._loader or self._build())

    def __iter__(self) -> Iterator[Batch]:
        """The batches of a pass.

        Raises:
            EBMError: what a worker raised, with its own message.
        """
        self._loader = self._loader or self._build()
        batches = iter(self._loader)
        try:
            for batch in batches:
                if isinstance(batch, _Failure):
                    raise batch.kind(batch.message)
                yield batch
        except Exception:
            # Nothing may hold the workers any longer. The error's traceback would, and workers that only the
            # garbage collector finds take torch five seconds each to end.
            del batches
            self.close()
            raise

    def close(self) -> None:
        """End the worker processes. Another pass starts new ones."""
        self._loader = None


def make_loader(
    dataset: Dataset[Any],
    *,
    batch_size: int,
    start_index: int,
    num_samples: int,
    workers: int,
    device: torch.device | str,
    start_method: str | None = None,
    share: tuple[int, int] = (0, 1),
    groups: int = 1,
) -> BatchLoader:
    """A loader of samples ``start_index .. start_index + num_samples - 1``, in that order.

    Args:
        dataset: a map-style dataset whose samples depend on the index alone.
        batch_size: samples a batch; what does not fill the last batch is left out.
        start_index: the first sample.
        num_samples: samples per pass.
        workers: processes; 0: none, load in this one.
        device: where the batches go; for CUDA they are put in pinned memory.
        start_method: how processes start, ``"fork"``, ``"spawn"`` or ``"forkserver"``; None: fork on Linux,
            elsewhere the platform's way.
        share: (rank, size): of every batch, this process gets the part with number `rank` of `size` equal
            parts.
        groups: into how many this part is cut again, which come one after another.

    Raises:
        InputError: if the numbers do not give one batch, or a batch has not as many equal parts.
    """
    if batch_size < 1 or workers < 0 or start_index < 0 or num_samples < batch_size:
        raise InputError(
            f"{num_samples} samples from {start_index} on do not fill one batch of {batch_size} ({workers} "
            "workers). Ask for more samples or a smaller batch."
        )
    rank, size = share
    if batch_size % (size * groups):
        raise InputError(f"A batch of {batch_size} cannot be cut into {size * groups} equal parts.")
    indices = _IndexRange(start_index, num_samples // batch_size, batch_size, rank, size)
    build = partial(
        DataLoader,
        _Guarded(dataset),
        batch_size=batch_size // (size * groups),
        sampler=indices,
        num_workers=workers,
        collate_fn=_collate,
        drop_last=True,
        pin_memory=torch.device(device).type == "cuda",
        persistent_workers=workers > 0,
        worker_init_fn=_start_worker,
        multiprocessing_context=multiprocessing.get_context(start_method or _USUAL) if workers else None,
    )
    return BatchLoader(build, indices)
