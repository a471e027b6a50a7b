"""Batches: one order for any number of workers, errors with their own message, workers that stay."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch
from torch.utils.data import Dataset, get_worker_info

from ebm.exceptions import DomainError, EBMError, InputError
from ltr.data.loader import BatchLoader, collate_frames, make_loader
from ltr.data.processing import DiMPProcessing, ProcessingConfig
from ltr.data.proposals import ProposalConfig
from ltr.data.sampler import DiMPSampler
from ltr.data.video import VideoDataset
from ltr.dataset import LaSOT, PackedVideos
from ltr.dataset.packing import pack_dataset
from tests.ltr.layouts import write_lasot


class Numbers(Dataset[dict[str, Any]]):
    """Sample k holds k; one of them may fail."""

    def __init__(self, bad: int = -1, error: type[Exception] = InputError) -> None:
        self.bad, self.error = bad, error

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index == self.bad:
            raise self.error(f"frame {index} is broken")
        worker = get_worker_info()
        return {
            "value": torch.tensor([index, -index]),
            "name": f"s{index}",
            "threads": torch.tensor([torch.get_num_threads(), cv2.getNumThreads()]),
            "worker": -1 if worker is None else worker.id,
            "seed": 0 if worker is None else worker.seed,
        }


def numbers(workers: int = 0, **changes: Any) -> BatchLoader:
    settings: dict[str, Any] = {"batch_size": 2, "start_index": 0, "num_samples": 6}
    dataset = changes.pop("dataset", Numbers())
    return make_loader(dataset, workers=workers, device="cpu", **(settings | changes))


def values(loader: BatchLoader) -> list[list[int]]:
    return [batch["value"][0].tolist() for batch in loader]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_order_is_index_order(workers: int) -> None:
    loader = numbers(workers, start_index=5, num_samples=7)
    assert len(loader) == 3
    assert values(loader) == [[5, 6], [7, 8], [9, 10]]


def test_batches_stack_behind_the_frames_and_words_are_listed() -> None:
    batch = next(iter(numbers()))
    assert batch["value"].tolist() == [[0, 1], [0, -1]]
    assert batch["name"] == ["s0", "s1"]


def test_images_keep_their_channels_last_memory() -> None:
    images = [torch.randint(0, 255, (2, 8, 8, 3), dtype=torch.uint8).permute(0, 3, 1, 2) for _ in range(5)]
    batch = collate_frames([{"images": image} for image in images])["images"]
    assert torch.equal(batch, torch.stack(images, dim=1))
    assert batch.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
    plain = collate_frames([{"images": image.contiguous()} for image in images])["images"]
    assert plain.is_contiguous()
    assert torch.equal(plain, batch)


def test_workers_stay_and_the_start_moves() -> None:
    loader = numbers(2)
    first = [batch["seed"] for batch in loader]
    loader.start_index = 100
    assert loader.start_index == 100
    seeds, found = [], []
    for batch in loader:
        seeds.append(batch["seed"])
        found.append(batch["value"][0].tolist())
    assert found == [[100, 101], [102, 103], [104, 105]]
    assert seeds == first  # a worker that had been started anew would have another seed


def test_a_pass_may_be_left_early() -> None:
    loader = numbers(2)
    for batch in loader:
        assert batch["value"][0].tolist() == [0, 1]
        break
    assert values(loader) == [[0, 1], [2, 3], [4, 5]]


def test_workers_use_one_thread() -> None:
    for batch in numbers(2):
        assert batch["threads"].tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("error", [InputError, DomainError])
def test_deliberate_errors_arrive_with_their_own_message(workers: int, error: type[EBMError]) -> None:
    loader = numbers(workers, dataset=Numbers(bad=3, error=error))
    batches = iter(loader)
    assert next(batches)["value"][0].tolist() == [0, 1]
    with pytest.raises(error) as caught:
        next(batches)
    assert type(caught.value) is error
    assert str(caught.value) == "frame 3 is broken"


def test_other_errors_are_not_hidden() -> None:
    with pytest.raises(KeyError, match="frame 3 is broken"):
        values(numbers(1, dataset=Numbers(bad=3, error=KeyError)))


@pytest.mark.parametrize(
    "changes", [{"num_samples": 1}, {"batch_size": 0}, {"start_index": -1}, {"workers": -1}]
)
def test_less_than_a_batch_is_an_error(changes: dict[str, int]) -> None:
    with pytest.raises(InputError, match="do not fill one batch"):
        numbers(**changes)


INTERRUPTED = """
import multiprocessing, signal, sys, time
import torch
from torch.utils.data import Dataset
from ltr.data.loader import make_loader

class Slow(Dataset):
    def __getitem__(self, index):
        time.sleep(0.05)
        return {"value": torch.tensor([index])}

if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    loader = make_loader(Slow(), batch_size=1, start_index=0, num_samples=10000, workers=2, device="cpu")
    batches = iter(loader)
    for _ in range(2):  # one of each worker: both have started
        next(batches)
    seen = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: seen.append(True))
    print("ready", flush=True)
    while not seen:  # however long a busy machine takes to send it
        next(batches)
    for _ in range(40):
        next(batches)
    sys.exit(42)
"""


@pytest.mark.parametrize("method", ["fork", "forkserver"])  # Linux's default before and from Python 3.14
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_to_the_group_are_left_to_the_main_process(
    number: signal.Signals, method: str, tmp_path: Path
) -> None:
    """A trainer that ends its step and writes a checkpoint needs its workers until then, not longer."""
    pipe = subprocess.PIPE
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTED)
    command = [sys.executable, str(script), method]
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    os.killpg(process.pid, number)  # as a terminal or a batch system does: to the workers, too
    try:
        _, errors = process.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert errors == b""
    assert process.returncode == 42


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_training_samples_do_not_depend_on_the_workers(tmp_path: Path, start_method: str) -> None:
    processing = DiMPProcessing(ProcessingConfig(output_sz=64, proposals=ProposalConfig(num_samples=4)))
    dataset = LaSOT(write_lasot(tmp_path), ("cat-1", "cat-2", "dog-7"))
    sampler = DiMPSampler([dataset], None, 6, 5, 2, 2, processing)
    settings: dict[str, Any] = {"batch_size": 2, "start_index": 3, "num_samples": 6, "device": "cpu"}
    alone = list(make_loader(sampler, workers=0, **settings))
    together = list(make_loader(sampler, workers=2, start_method=start_method, **settings))
    assert len(alone) == len(together) == 3
    for a, b in zip(alone, together, strict=True):
        assert a.keys() == b.keys()
        for key in a:
            assert torch.equal(a[key], b[key]) if isinstance(a[key], torch.Tensor) else a[key] == b[key]
    assert alone[0]["train_images"].shape == (2, 2, 3, 64, 64)


def test_processes_share_every_batch() -> None:
    whole = values(numbers(batch_size=4, num_samples=8))
    parts = [values(numbers(batch_size=4, num_samples=8, share=(rank, 2))) for rank in range(2)]
    assert [first + second for first, second in zip(*parts)] == whole


def test_a_batch_without_equal_parts_is_an_error() -> None:
    with pytest.raises(InputError, match="3 equal parts"):
        numbers(batch_size=4, num_samples=8, share=(0, 3))


def resident_kb(pid: int) -> int:
    """Memory of a process that it does not share with others, kB."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0])


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs /proc")
@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
def test_the_memory_of_a_worker_does_not_grow(tmp_path: Path, packed: bool) -> None:
    names = tuple(f"cat-{k}" for k in range(1, 9))
    dataset: VideoDataset = LaSOT(write_lasot(tmp_path / "l", names), names)
    if packed:
        pack_dataset(dataset, tmp_path / "p", progress=False)
        dataset = PackedVideos(tmp_path / "p")
    processing = DiMPProcessing(ProcessingConfig(output_sz=32, proposals=ProposalConfig(num_samples=2)))
    sampler = DiMPSampler([dataset], None, 1, 5, 1, 1, processing)
    loader = make_loader(
        sampler, batch_size=10, start_index=0, num_samples=1500, workers=1, device="cpu", start_method="fork"
    )
    sizes: list[int] = []
    for number, _ in enumerate(loader):
        if number % 10 == 0:
            sizes.append(
                max(resident_kb(child.pid) for child in multiprocessing.active_children() if child.pid)
            )
    loader.close()
    early, late = max(sizes[3:6]), max(sizes[-3:])
    assert late < early + 3000, sizes  # kB; 1000 samples of 6 kB would be twice that
