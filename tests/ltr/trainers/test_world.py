"""Several processes on one network: shares of a batch, averaged gradients, one decision."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ltr.admin.loading import read_checkpoint
from ltr.trainers import world as module
from ltr.trainers.batches import forward_backward, split_batch
from ltr.trainers.config import Batch, Streams
from ltr.trainers.world import World
from tests.ltr.actors.batches import small_batch
from tests.ltr.trainers.processes import run_processes
from tests.ltr.trainers.small import small_actor
from tests.ltr.trainers.toy import ToyStream, toy_trainer

Seen = list[dict[str, Any]]


def joint_batch() -> dict[str, torch.Tensor]:
    """A batch of two sequences, one for each process."""
    return small_batch(8, torch.Generator().manual_seed(3))


def seen_in(world: World) -> dict[str, Any]:
    """What a process sees of everything that processes do together."""
    module.BUCKET = 4
    numbers = [torch.full((2, 3), float(world.rank)), torch.tensor([10.0 * world.rank])]
    average = world.average(numbers, {"Loss/total": torch.tensor(float(world.rank))}, stop=world.rank == 1)
    nothing = world.average([], {"Loss/total": torch.tensor(1.0)}, stop=False)
    module.BUCKET = 2**23
    mine = [torch.full((3,), float(world.rank)), torch.tensor(world.rank), torch.ones(2, 2) + world.rank]
    world.broadcast(mine)
    turns = Path(os.environ["TURNS"])
    with world.in_turns(), turns.open("a") as file:
        file.write(f"{world.rank}\n")
    return {
        "average": ([n.tolist() for n in numbers], float(average.stats["Loss/total"]), average.stop),
        "no gradients": (float(nothing.stats["Loss/total"]), nothing.stop),
        "broadcast": [t.tolist() for t in mine],
        "ranks": world.gather(world.rank),
        "turns": turns.read_text(),
        "step": step_in(world),
        "run": run_in(world),
        "folder": turns.parent,
    }


def step_in(world: World) -> list[Any]:
    """Loss and averaged gradients of a process's share of the joint batch, as arrays."""
    actor = small_actor()
    share = list(split_batch(joint_batch(), [1] * world.size))[world.rank]
    stats = forward_backward(actor, share, [1])
    gradients = [p.grad for p in actor.net.parameters() if p.grad is not None]
    average = world.average(gradients, stats, stop=False)
    return [t.numpy().copy() for t in (average.stats["Loss/total"], *gradients)]


def run_in(world: World) -> tuple[list[Any], list[float]]:
    """Weights and validation losses of a run of two epochs, of which each process computes a half."""
    stream, first = ToyStream(), 4 // world.size * world.rank

    def share(batches: Iterable[Batch]) -> Iterator[Batch]:
        for batch in batches:
            yield {"x": batch["x"][:, first : first + 2], "test_anno": batch["test_anno"][:, :2]}

    folder = Path(os.environ["TURNS"]).parent / "run"
    streams = Streams(
        train=lambda start, count: share(stream(start, count)),
        validation=lambda: share(ToyStream()(10_000, 8)),
    )
    trainer = toy_trainer(folder, stream, epochs=2, ema=0.9, world=world, streams=streams)
    assert trainer.run() == 0
    losses = [row["Loss/total"] for row in trainer.history.rows("val")]
    return [p.detach().numpy().copy() for p in trainer.actor.net.parameters()], losses


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What both of two processes saw."""
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TURNS", str(folder / "turns"))
        result: Seen = run_processes(seen_in, 2, folder)
    return result


def test_gradients_and_statistics_are_means_and_one_request_stops_all(seen: Seen) -> None:
    for one in seen:
        assert one["average"] == ([[[0.5] * 3] * 2, [5.0]], 0.5, True)
        assert one["no gradients"] == (1.0, False)


def test_the_main_process_decides_and_goes_first(seen: Seen) -> None:
    for one in seen:
        assert one["broadcast"] == [[0.0] * 3, 0, [[1.0, 1.0], [1.0, 1.0]]]
        assert one["ranks"] == [0, 1]
        assert one["turns"].splitlines()[0] == "0"


def test_two_processes_have_the_gradients_of_one_with_the_joint_batch(seen: Seen) -> None:
    """With batch normalisation in evaluation mode; in training mode a share has statistics of its own."""
    actor = small_actor()
    stats = forward_backward(actor, joint_batch(), [2])
    expected = [p.grad for p in actor.net.parameters() if p.grad is not None]
    largest = max(float(gradient.abs().max()) for gradient in expected)
    assert len(expected) > 50
    assert largest > 1e-3
    for one in seen:
        loss, *gradients = (torch.from_numpy(array) for array in one["step"])
        torch.testing.assert_close(loss, stats["Loss/total"], rtol=1e-5, atol=0.0)
        for own, joint in zip(gradients, expected, strict=True):
            torch.testing.assert_close(own, joint, rtol=1e-4, atol=1e-7 * largest)


def test_a_run_of_two_processes_validates_on_all_samples_with_the_weights_it_saves(seen: Seen) -> None:
    (weights, losses), (others, same) = seen[0]["run"], seen[1]["run"]
    assert len(losses) == 2
    assert losses == same
    for own, other in zip(weights, others, strict=True):
        assert (own == other).all()
    trainer = toy_trainer(seen[0]["folder"] / "alone", ToyStream())
    content = read_checkpoint(seen[0]["folder"] / "run" / "ToyNet_ep0002.pth.tar")
    trainer.actor.net.load_state_dict(content["net_ema"])
    trainer.actor.eval()
    with torch.no_grad():
        alone = [float(trainer.actor(batch)[0]) for batch in ToyStream()(10_000, 8)]
    assert losses[-1] == pytest.approx(sum(alone) / 2, rel=1e-5)
    assert len(content["resume"]["random_others"]) == 1


def test_alone_nothing_is_changed() -> None:
    gradient = torch.tensor([3.0])
    average = World().average([gradient], {"Loss/total": torch.tensor(2.0)}, stop=False)
    assert gradient.item() == 3.0
    assert average.stats["Loss/total"].item() == 2.0
    assert not average.stop
    assert World().gather("x") == ["x"]
