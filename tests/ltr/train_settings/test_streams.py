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


def batches(streams: Streams) -> list[dict[str, Any]]:
    assert streams.validation is not None
    return [dict(next(iter(stream))) for stream in (streams.train(0, 4), streams.validation())]


def test_processes_share_training_and_validation_batches(generated_tiny: Path) -> None:
    (folder,) = generated_tiny.glob("train-tiny-*")
    alone = batches(streams_of(folder / "got10k", 0, 1))
    shares = [batches(streams_of(folder / "got10k", rank, 2)) for rank in range(2)]
    for whole, first, second in zip(alone, *shares, strict=True):
        assert whole["test_images"].shape[1] == 4
        assert first["test_images"].shape[1] == second["test_images"].shape[1] == 2
        for name in ("train_images", "test_images", "test_proposals"):
            assert torch.equal(torch.cat((first[name], second[name]), dim=1), whole[name])
