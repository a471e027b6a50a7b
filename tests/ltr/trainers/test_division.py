"""Groups of a batch: the same learned bits whatever the number of processes that share them."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ebm.exceptions import InputError
from ltr.trainers.config import Batch, Streams
from ltr.trainers.division import divide
from ltr.trainers.world import World
from tests.ltr.trainers.processes import run_processes
from tests.ltr.trainers.toy import ToyStream, toy_trainer

GROUPS = 4


def run_in(world: World, folder: Path) -> dict[str, Any]:
    """All that a run of two epochs leaves; its network draws (dropout) and has batch statistics."""
    division = divide(8, world, GROUPS)
    torch.set_num_threads(1)

    def groups(start: int, count: int) -> Iterator[Batch]:
        for first in range(start, start + count, 8):
            for number in range(division.own):
                place = first + division.first(number)
                whole = next(ToyStream()(place - place % 4, 4))
                yield {
                    name: whole[name][:, place % 4 :][:, : division.samples] for name in ("x", "test_anno")
                }

    streams = Streams(train=groups, validation=lambda: groups(10_000, 16))
    trainer = toy_trainer(
        folder / str(world.size),
        ToyStream(),
        epochs=2,
        ema=0.9,
        world=world,
        streams=streams,
        batch_size=8,
        groups=GROUPS,
    )
    assert trainer.run() == 0
    numbers = {name: value.numpy().copy() for name, value in trainer.actor.net.state_dict().items()}
    averages = trainer.step.average.state_dict().items()
    numbers |= {f"ema.{name}": value.numpy().copy() for name, value in averages}
    for loader in ("train", "val"):
        for number, row in enumerate(trainer.history.rows(loader)):
            numbers[f"{loader}{number}"] = np.array([row["Loss/total"], row.get("Grad/norm", 0.0)])
    return numbers


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process leaves."""
    return run_in(World(), tmp_path_factory.mktemp("alone"))


@pytest.mark.slow
def test_four_processes_leave_the_same_bits_as_one(alone: dict[str, Any], tmp_path: Path) -> None:
    """Two do as well, with the real network: see the test of interruptions."""
    seen = run_processes(partial(run_in, folder=tmp_path), 4, tmp_path)
    assert {"layers.0.running_var", "ema.layers.1.weight", "train1", "val1"} <= alone.keys()
    for name, value in alone.items():
        np.testing.assert_array_equal(seen[0][name], value, err_msg=name)
    for name, _ in toy_trainer(tmp_path / "names", ToyStream()).actor.net.named_parameters():
        assert all((one[name] == alone[name]).all() for one in seen)


def test_groups_have_statistics_and_random_numbers_of_their_own(
    alone: dict[str, Any], tmp_path: Path
) -> None:
    """Else equal bits would say little: the whole batch at once trains another network."""
    streams = Streams(train=lambda start, count: _wide(start, count))
    whole = toy_trainer(tmp_path, ToyStream(), epochs=2, ema=0.9, streams=streams, batch_size=8, groups=1)
    assert whole.run() == 0
    weight = whole.actor.net.state_dict()["layers.1.weight"].numpy()
    assert np.abs(weight - alone["layers.1.weight"]).max() > 1e-4


def _wide(start: int, count: int) -> Iterator[Batch]:
    for first in range(start, start + count, 8):
        x = torch.stack([ToyStream().sample(first + k) for k in range(8)])
        yield {"x": x[None], "test_anno": torch.zeros(1, 8, 4)}


@given(st.integers(2, 64), st.integers(1, 8), st.integers(1, 8))
def test_processes_share_all_samples_once_or_are_refused(batch: int, groups: int, size: int) -> None:
    try:
        divisions = [divide(batch, World(rank, size, rank, size), groups) for rank in range(size)]
    except InputError as error:
        assert "--processes" in str(error)  # noqa: PT017  what is asked is when it is raised
        assert divide(batch, World(), groups).groups % size
        return
    starts = [d.first(number) for d in divisions for number in range(d.own)]
    samples = [start + k for start in starts for k in range(divisions[0].samples)]
    assert samples == list(range(batch))
    assert divisions[0].groups == divide(batch, World(), groups).groups <= groups
    assert divisions[0].samples >= 2


@pytest.mark.parametrize(("batch", "size"), [(10, 4), (4, 4)])
def test_an_uneven_share_or_a_single_sample_is_refused(batch: int, size: int) -> None:
    with pytest.raises(InputError, match="--processes"):
        divide(batch, World(size=size), None)


def test_processes_that_do_not_fit_the_groups_are_told_which_do() -> None:
    with pytest.raises(InputError, match=r"use 1, 2, 4 .* --set groups=8"):
        divide(16, World(size=8), 4)
