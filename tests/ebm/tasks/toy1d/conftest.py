"""A study small enough to be run many times."""

from dataclasses import replace
from pathlib import Path

import pytest

from ebm.tasks.toy1d.jobs import RECIPE, Recipe, ToyJob, Variant, make_job
from ebm.tasks.toy1d.store import JobResult, Store

TINY = Recipe(runs=2, samples=4, epochs=1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path / "study")


def tiny_job(name: str = "nce", data_set: int = 1, variant: Variant = RECIPE, **changes: int) -> ToyJob:
    """A job of a second's fraction: 64 training pairs, one epoch, a coarse grid."""
    job = make_job(name, data_set, replace(TINY, **changes), variant)
    return replace(job, train_size=64, grid_size=64)


def made_up(job: ToyJob, kl: tuple[float, ...], released: tuple[float, ...] | None = None) -> JobResult:
    """A result with given divergences, as if the job had been run."""
    versions = {"ebmtrack": "1", "python": "3", "torch": "2", "numpy": "2", "platform": "linux"}
    record = {"device": "cpu", "device_name": "x86_64", "threads": 1, "started": "2020-01-01T00:00:00+00:00"}
    seconds = {"train_wall_s": 2.0 * len(kl) * job.epochs, "train_cpu_s": 1.0 * len(kl) * job.epochs}
    return JobResult(
        training=job.training(),
        evaluation=job.evaluation(),
        kl=kl,
        kl_released=released or kl,
        final_loss=tuple(1.0 for _ in kl),
        floor=0.25,
        record=record | seconds | {"evaluate_wall_s": 1.0, "versions": versions},
    )
