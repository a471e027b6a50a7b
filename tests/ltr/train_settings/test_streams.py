"""Streams of batches: what each process of a run gets."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ltr.dataset import Got10k
from ltr.train_settings.data_source import OpenedData
from ltr.train_settings.recipe import find_recipe
from ltr.train_settings.resources import CpuPlan
from ltr.train_settings.streams import build_streams
from ltr.trainers.config import Streams
from ltr.trainers.world import World

RECIPE = find_recipe("dimp", "dimp_nce_plus_small")


def streams_of(root: Path, rank: int, size: int) -> Streams:
    data = Got10k(root, "all")
    opened = OpenedData(train=(data,), weights=(1.0,), validation=data)
    validation = replace(RECIPE.validation, samples=4)
    recipe = replace(RECIPE, batch_size=4, samples_per_epoch=4, validation=validation)
    plan = CpuPlan(workers=0, threads=1)
    return build_streams(recipe, opened, plan, torch.device("cpu"), World(rank, size, rank, size))


def groups(streams: Streams) -> list[list[dict[str, Any]]]:
    """Those of the first training and the first validation batch."""
    assert streams.validation is not None
    return [list(stream) for stream in (streams.train(0, 4), streams.validation())]


def test_processes_share_training_and_validation_batches(generated_tiny: Path) -> None:
    (folder,) = generated_tiny.glob("train-tiny-*")
    alone = groups(streams_of(folder / "got10k", 0, 1))
    shares = [groups(streams_of(folder / "got10k", rank, 2)) for rank in range(2)]
    for both, (first,), (second,) in zip(alone, *shares, strict=True):
        for one, other in zip(both, (first, second), strict=True):
            assert one["test_images"].shape[1] == 2
            for name in ("train_images", "test_images", "test_proposals"):
                assert torch.equal(one[name], other[name])
