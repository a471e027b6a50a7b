"""Several processes on one network: shares of a batch, averaged gradients, one decision."""

import multiprocessing
from multiprocessing.queues import Queue
from pathlib import Path

import pytest
import torch

from ebm.exceptions import EBMError, InputError
from ltr.trainers import world as module
from ltr.trainers.world import World, launch


def average_in(
    rank: int, size: int, store: Path, results: "Queue[tuple[int, list[float], float, bool]]"
) -> None:
    """What process `rank` sees after averaging."""
    import os

    os.environ |= {module.STORE: str(store), module.RANK: str(rank), module.SIZE: str(size)}
    with launch(size, []) as join:
        world = join()
    gradients = [torch.full((2, 3), float(rank)), torch.tensor([10.0 * rank])]
    average = world.average(gradients, {"Loss/total": torch.tensor(float(rank))}, stop=rank == 1)
    flat = torch.cat([gradient.flatten() for gradient in gradients]).tolist()
    results.put((rank, flat, float(average.stats["Loss/total"]), average.stop))


def test_gradients_and_statistics_are_means_and_one_request_stops_all(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results: Queue[tuple[int, list[float], float, bool]] = context.Queue()
    processes = [
        context.Process(target=average_in, args=(rank, 3, tmp_path / "store", results)) for rank in range(3)
    ]
    for process in processes:
        process.start()
    seen = [results.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    assert sorted(rank for rank, *_ in seen) == [0, 1, 2]
    for _, gradients, loss, stop in seen:
        assert gradients == pytest.approx([1.0] * 6 + [10.0])
        assert loss == pytest.approx(1.0)
        assert stop


def test_alone_nothing_is_changed() -> None:
    gradient = torch.tensor([3.0])
    average = World().average([gradient], {"Loss/total": torch.tensor(2.0)}, stop=False)
    assert gradient.item() == 3.0
    assert average.stats["Loss/total"].item() == 2.0
    assert not average.stop


def test_one_process_is_alone() -> None:
    with launch(1, []) as join:
        assert join() == World()


@pytest.mark.parametrize(("batch", "size"), [(10, 4), (4, 4)])
def test_an_uneven_share_or_a_single_sample_is_refused(batch: int, size: int) -> None:
    with pytest.raises(InputError, match="--processes"):
        World(size=size).share(batch)


def test_what_ended_another_process_is_said() -> None:
    starts = launch(2, ["dimp", "no_such_setting"])
    with pytest.raises(EBMError, match="(?s)Process 1 of the run ended with code 2.*Unknown"), starts as join:
        join()
