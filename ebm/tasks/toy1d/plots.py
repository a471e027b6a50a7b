"""Figures S1 to S6: true density, data, and what every method learnt."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ebm.lookup import unknown_name
from ebm.tasks.toy1d.data import LIMIT, ToyData, make_dataset
from ebm.tasks.toy1d.evaluation import true_density
from ebm.tasks.toy1d.figures import draw_densities, draw_row, save_figure
from ebm.tasks.toy1d.jobs import ToyJob
from ebm.tasks.toy1d.plan import SWEEP_METHODS, Plan
from ebm.tasks.toy1d.rows import RowKey
from ebm.tasks.toy1d.store import JobResult, Store
from ebm.tasks.toy1d.study import Resources, ensemble_of, run_job

__all__ = ["PICKS", "learnt_probabilities", "pick_run", "save_pictures"]

PICKS = ("best", "median")
PICTURE_SIZE = 768
# Figure of the truth, of the four methods by samples around the label, and of the others.
_NUMBERS: Mapping[int, tuple[int, int, int]] = {1: (1, 3, 4), 2: (2, 5, 6)}


def pick_run(result: JobResult, pick: str) -> int:
    """Index of the run to draw: that with the smallest divergence, or the upper median one; NaN is largest.

    Raises:
        UnknownNameError: if `pick` is neither ``"best"`` nor ``"median"``.
    """
    if pick not in PICKS:
        raise unknown_name("pick", pick, PICKS)
    order = sorted(range(len(result.kl)), key=lambda i: (result.kl[i] != result.kl[i], result.kl[i]))
    return order[0] if pick == "best" else order[len(order) // 2]


def learnt_probabilities(
    job: ToyJob, index: int, store: Store, resources: Resources, size: int = PICTURE_SIZE
) -> Tensor:
    """Cell probabilities ``(size, size)`` of a trained network over [-3, 3] x [-3, 3], rows add up to 1.

    Where the weights have been deleted they are trained again.
    """
    trained = store.trained(job)
    if trained is None:
        run_job(job, store, resources)
        trained = store.trained(job)
        assert trained is not None, "a finished job has weights"
    axis = torch.linspace(-LIMIT, LIMIT, size)
    return ensemble_of(job, trained).scores_of(index, axis, axis).double().softmax(1)


def save_pictures(
    plan: Plan, results: Mapping[ToyJob, JobResult], store: Store, resources: Resources, pick: str = "best"
) -> list[Path]:
    """Draw figures S1 to S6, those of the data sets and methods that there are.

    Args:
        plan: rows and their jobs.
        results: of finished jobs; the others are left out.
        store: where weights are, and where figures are written.
        resources: for jobs whose weights have been deleted.
        pick: the run to draw, ``"best"`` or ``"median"`` by divergence.

    Returns: the files.

    Raises:
        InputError: if matplotlib is not installed or a file cannot be written.
    """
    written = []
    data_sets = sorted({data_set for jobs in plan.values() for data_set in jobs})
    for data_set in data_sets:
        row_jobs = {key: jobs[data_set] for key, jobs in plan.items() if jobs[data_set] in results}
        if not row_jobs:
            continue
        first = next(iter(row_jobs.values()))
        data = make_dataset(data_set, first.train_size, first.data_seed)
        truth = true_density(data_set, PICTURE_SIZE).p
        numbers = _NUMBERS[data_set]
        panels: list[tuple[str, Tensor | ToyData]] = [
            (f"data set {data_set}: true density", truth),
            ("training data", data),
        ]
        written += save_figure(draw_row(panels), store.folder, f"figure_s{numbers[0]}_data_set_{data_set}")
        for number, group in zip(numbers[1:], _groups(row_jobs)):
            learnt = [_learnt(key, job, results[job], store, resources, pick) for key, job in group.items()]
            if learnt:
                name = f"figure_s{number}_data_set_{data_set}_learnt"
                written += save_figure(
                    draw_densities(truth, data, learnt, _note(group, pick)), store.folder, name
                )
    return written


def _groups(jobs: Mapping[RowKey, ToyJob]) -> tuple[dict[RowKey, ToyJob], dict[RowKey, ToyJob]]:
    samplers = {key: job for key, job in jobs.items() if key.name in SWEEP_METHODS}
    return samplers, {key: job for key, job in jobs.items() if key not in samplers}


def _note(jobs: Mapping[RowKey, ToyJob], pick: str) -> str:
    counts = sorted({len(job.seeds) for job in jobs.values()})
    which = "smallest" if pick == "best" else "median"
    return f"shown: of each method's {' or '.join(map(str, counts))} runs, the one with the {which} KL"


def _learnt(
    key: RowKey, job: ToyJob, result: JobResult, store: Store, resources: Resources, pick: str
) -> tuple[str, Tensor]:
    index = pick_run(result, pick)
    title = f"{key.label}   KL {result.kl[index]:.3f}"
    return title, learnt_probabilities(job, index, store, resources)
