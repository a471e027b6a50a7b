"""Jobs are run once, kept, evaluated anew without training, and survive what happens to others."""

import json
import math
import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ebm.exceptions import InputError, NumericalError
from ebm.tasks.toy1d import study, workers
from ebm.tasks.toy1d.data import make_dataset
from ebm.tasks.toy1d.engine import train_ensemble
from ebm.tasks.toy1d.evaluation import kl_divergence, true_density
from ebm.tasks.toy1d.jobs import ToyJob
from ebm.tasks.toy1d.progress import StudyProgress
from ebm.tasks.toy1d.store import Store
from ebm.tasks.toy1d.study import Resources, ensemble_of, run_job, run_study

from .conftest import made_up, tiny_job

ONE = Resources(threads=1)


def test_a_result_is_what_training_and_evaluation_by_hand_give(store: Store) -> None:
    job = tiny_job("nce", 2)
    result = run_study([job], store, ONE).results[job]
    data = make_dataset(2, 64)
    ensemble = train_ensemble(job.method, data.x, data.y, seeds=(0, 1), epochs=1, threads=1)
    truth = true_density(2, 64)
    for index, kl in enumerate(result.kl):
        assert kl == pytest.approx(kl_divergence(lambda x, y, i=index: ensemble.scores_of(i, x, y), truth))
    assert result.final_loss == pytest.approx(tuple(ensemble.losses.tolist()))
    assert result.cost() >= 0
    assert result.record["device"] == "cpu"
    assert result.record["versions"]["torch"] == torch.__version__


def test_a_result_is_read_back_as_it_was_written(store: Store) -> None:
    job = tiny_job()
    result = run_study([job], store, ONE).results[job]
    assert store.result(job) == result
    trained = store.trained(job)
    assert trained is not None
    assert trained.losses.shape == (1, 2)
    assert ensemble_of(job, trained).scores_of(1, torch.zeros(3), torch.zeros(2)).shape == (3, 2)
    strange = replace(made_up(job, (math.nan, math.inf)), kl_released=(-math.inf, 0.5))
    store.save_result(job, strange)
    assert "NaN" not in store.result_path(job).read_text()
    read = store.result(job)
    assert read is not None
    assert math.isnan(read.kl[0])
    assert read.kl[1:] + read.kl_released == (math.inf, -math.inf, 0.5)


def test_finished_jobs_are_not_run_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tiny_job("nce"), tiny_job("ml-is")
    before = run_study([first, first], store, ONE)
    trainings: list[str] = []

    def count(method: Any, *args: Any, **kwargs: Any) -> Any:
        trainings.append(f"{method.name} {kwargs['epochs']}x{len(args[0])}")
        return train_ensemble(method, *args, **kwargs)

    monkeypatch.setattr(study, "train_ensemble", count)
    after = run_study([first, second], store, ONE)
    assert after.results[first] == before.results[first]
    assert [entry for entry in trainings if entry.endswith("64")] == ["ml-is 1x64"]
    trainings.clear()
    coarse = replace(first, epsilon=1e-3)  # another evaluation of the same weights
    result = run_study([coarse], store, ONE).results[coarse]
    assert not trainings
    assert result.kl != before.results[first].kl
    assert result.record["train_cpu_s"] == before.results[first].record["train_cpu_s"]


def test_an_interrupted_study_keeps_what_is_finished(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [tiny_job("nce"), tiny_job("ml-is"), tiny_job("nce+")]
    original = study.train_ensemble

    def interrupt(method: Any, *args: Any, **kwargs: Any) -> Any:
        if method.name == "ml-is" and len(args[0]) > 2:
            raise KeyboardInterrupt
        return original(method, *args, **kwargs)

    monkeypatch.setattr(study, "train_ensemble", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_study(jobs, store, ONE)
    assert [store.result(job) is not None for job in jobs] == [True, False, False]
    assert not list(store.folder.rglob("*.tmp"))
    monkeypatch.setattr(study, "train_ensemble", original)
    assert len(run_study(jobs, store, ONE).results) == 3


def test_a_job_that_fails_is_named_and_the_others_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = tiny_job("nce"), tiny_job("ml-is")
    original = study.train_ensemble

    def fail(method: Any, *args: Any, **kwargs: Any) -> Any:
        if method.name == "ml-is":
            raise NumericalError("the loss is not finite")
        return original(method, *args, **kwargs)

    monkeypatch.setattr(study, "train_ensemble", fail)
    outcome = run_study([bad, good], store, ONE)
    assert list(outcome.results) == [good]
    assert outcome.failed == {bad: "NumericalError: the loss is not finite"}


def damage_json(path: Path) -> None:
    path.write_text(path.read_text()[:100])


def damage_entry(path: Path) -> None:
    value = json.loads(path.read_text())
    del value["kl"]
    path.write_text(json.dumps(value))


def damage_number(path: Path) -> None:
    value = json.loads(path.read_text())
    value["kl"] = ["a", "b"]
    path.write_text(json.dumps(value))


def damage_count(path: Path) -> None:
    value = json.loads(path.read_text())
    value["kl"] = value["kl"][:1]
    path.write_text(json.dumps(value))


def damage_configuration(path: Path) -> None:
    value = json.loads(path.read_text())
    value["training"]["epochs"] = 3
    path.write_text(json.dumps(value))


@pytest.mark.parametrize(
    "damage", [damage_json, damage_entry, damage_number, damage_count, damage_configuration]
)
def test_a_damaged_result_is_named_with_what_to_do(store: Store, damage: Any) -> None:
    job = tiny_job()
    store.save_result(job, made_up(job, (0.1, 0.2)))
    damage(store.result_path(job))
    with pytest.raises(InputError, match=rf"{store.result_path(job)}.*Delete it"):
        run_study([job], store, ONE)


def test_damaged_weights_are_named_with_what_to_do(store: Store) -> None:
    job = tiny_job()
    run_job(job, store, ONE)
    store.result_path(job).unlink()
    path = store.weights_path(job)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"Weights file .* Delete it"):
        store.trained(job)
    np.savez(path, weights=np.zeros((2, 591)), losses=np.zeros((1, 2)), record=np.zeros(3, np.uint8))
    with pytest.raises(InputError, match=r"Weights file .* Delete it"):
        store.trained(job)
    other = tiny_job("nce", 2)
    run_job(other, store, ONE)
    path.write_bytes(store.weights_path(other).read_bytes())
    with pytest.raises(InputError, match="another configuration"):
        store.trained(job)


def test_a_device_that_is_not_there_is_an_error(store: Store) -> None:
    with pytest.raises(InputError, match=r"Device 'cuda:99' was asked for, but torch sees"):
        run_study([tiny_job()], store, replace(ONE, device="cuda:99"))
    with pytest.raises(InputError, match="Unknown device 'gpu'"):
        run_study([tiny_job()], store, replace(ONE, device="gpu"))


def test_threads_are_shared_among_jobs() -> None:
    assert Resources(threads=3, jobs=2).threads_per_job() == 3
    assert Resources(jobs=10_000).threads_per_job() == 1


@pytest.mark.slow
def test_processes_give_the_same_results_and_report_what_failed(store: Store, tmp_path: Path) -> None:
    jobs = [tiny_job("nce"), tiny_job("ml-is"), tiny_job("nce", 2)]
    alone = run_study(jobs, store, ONE)
    other = Store(tmp_path / "other")
    other.weights_path(jobs[1]).mkdir(parents=True)  # a folder where the file should go
    together = run_study(jobs, other, Resources(jobs=2, threads=1))
    assert {job: result.kl for job, result in together.results.items()} == {
        job: alone.results[job].kl for job in (jobs[0], jobs[2])
    }
    assert list(together.failed) == [jobs[1]]
    assert "cannot be written" in together.failed[jobs[1]]


class FakeProcess:
    """A worker that is already gone."""

    exitcode = -9

    def join(self, timeout: float) -> None:
        """Nothing to wait for."""


def _never(*_: Any) -> Any:
    raise AssertionError("a made-up worker runs nothing")


def test_a_worker_that_dies_costs_its_job_alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [tiny_job("nce"), tiny_job("ml-is")]
    started = []

    def start(pool: Any) -> None:
        """The first worker dies at once; the second finishes what it is given."""
        here, there = multiprocessing.Pipe()
        pool._at[here] = (pool._waiting.pop(), FakeProcess())
        if started:
            there.send(("step", ("train", 1, 1, 0.5)))
            there.send(("done", made_up(jobs[1], (0.1, 0.2))))
            started.append(there)  # kept open, as a living worker does
        else:
            started.append(here)
            there.close()

    monkeypatch.setattr(workers._Pool, "_start", start)
    monkeypatch.setattr(workers._Pool, "__init__", lambda pool, jobs, *_: _begin(pool, jobs, start))
    failed: dict[ToyJob, str] = {}
    results = workers.run_in_processes(jobs, 2, _never, StudyProgress(quiet=True), failed)
    assert failed == {jobs[0]: "its process ended with exit code -9"}
    assert list(results) == [jobs[1]]


def _begin(pool: Any, jobs: list[ToyJob], start: Any) -> None:
    pool._waiting, pool._at = jobs[::-1], {}
    start(pool)
