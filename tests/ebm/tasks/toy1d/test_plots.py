"""Pictures are drawn from what was trained, and say what failed."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ebm.exceptions import InputError, MissingPackageError, UnknownNameError
from ebm.tasks.toy1d import figures
from ebm.tasks.toy1d.first_paper import FirstPaper, _load, _path, _save, train_first_paper
from ebm.tasks.toy1d.plan import Plan, Request, make_plan
from ebm.tasks.toy1d.plots import learnt_probabilities, pick_run, save_pictures
from ebm.tasks.toy1d.rows import RowKey, make_rows
from ebm.tasks.toy1d.store import Store
from ebm.tasks.toy1d.study import Resources, run_study
from ebm.tasks.toy1d.sweep import draw_sweep, save_sweep

from .conftest import made_up, tiny_job

pytest.importorskip("matplotlib")
ONE = Resources(threads=1)


def is_picture(path: Path) -> bool:
    return path.read_bytes()[:8] in (b"\x89PNG\r\n\x1a\n", b"%PDF-1.4") and path.stat().st_size > 5000


def tiny_plan(*methods: str) -> Plan:
    return {RowKey(name, "", 4): {d: tiny_job(name, d) for d in (1, 2)} for name in methods}


def test_figures_s1_to_s6_are_written(store: Store) -> None:
    plan = tiny_plan("nce", "ml-is", "dsm")
    jobs = [job for row in plan.values() for job in row.values()]
    results = run_study(jobs, store, ONE).results
    files = save_pictures(plan, results, store, ONE)
    assert sorted(file.name for file in files if file.suffix == ".png") == [
        "figure_s1_data_set_1.png",
        "figure_s2_data_set_2.png",
        "figure_s3_data_set_1_learnt.png",
        "figure_s4_data_set_1_learnt.png",
        "figure_s5_data_set_2_learnt.png",
        "figure_s6_data_set_2_learnt.png",
    ]
    assert all(is_picture(file) for file in files)
    assert len(files) == 12


def test_deleted_weights_are_trained_again_and_give_the_same_density(store: Store) -> None:
    job = tiny_job()
    run_study([job], store, ONE)
    before = learnt_probabilities(job, 1, store, ONE, size=32)
    store.weights_path(job).unlink()
    assert torch.equal(learnt_probabilities(job, 1, store, ONE, size=32), before)
    torch.testing.assert_close(before.sum(1), torch.ones(32, dtype=torch.float64))


def test_the_best_or_the_median_run_is_picked() -> None:
    result = made_up(tiny_job(runs=5), (0.3, math.nan, 0.1, 0.2, math.inf))
    assert (pick_run(result, "best"), pick_run(result, "median")) == (2, 0)
    with pytest.raises(UnknownNameError, match="did you mean 'median'"):
        pick_run(result, "medium")


def test_a_density_image_shows_densities_not_cell_masses() -> None:
    figure = figures.new_figure(2, 2)
    uniform = torch.full((7, 61), 1 / 61, dtype=torch.float64)
    image = figures.draw_density(figure.subplots(), uniform, "uniform")
    assert image.get_array().max() == pytest.approx(60 / 61 / 6)  # of a range of length 6
    assert image.get_array().shape == (61, 7)


def sweep_rows(
    kl: dict[tuple[str, int], tuple[float, ...]], released: tuple[float, ...] | None = None
) -> list:
    plan = make_plan(Request(methods=["nce", "ml-is"]), sweep=(1, 16))
    results = {
        job: made_up(job, kl[key.name, key.samples or 0], released if key.name == "ml-is" else None)
        for key, jobs in plan.items()
        for job in jobs.values()
    }
    return make_rows(plan, results)


def test_the_sweep_marks_what_failed(tmp_path: Path) -> None:
    finite, failed = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6), (math.inf,) * 6
    kl = {("nce", 1): finite, ("nce", 16): finite, ("ml-is", 1): failed, ("ml-is", 16): finite}
    figure = draw_sweep(sweep_rows(kl, released=failed))
    axes = figure.axes[0]
    crosses = [line for line in axes.lines if line.get_marker() == "x"]
    hollow = [line for line in axes.lines if line.get_markerfacecolor() == "white"]
    assert [float(line.get_xdata()[0]) for line in crosses] == [1.0]
    assert [float(line.get_xdata()[0]) for line in hollow] == [16.0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    solid = next(line for line in axes.lines if line.get_linestyle() == "-" and len(line.get_xdata()) == 2)
    assert list(solid.get_ydata()) == pytest.approx([0.3, 0.3])
    assert [ax.get_title() for ax in figure.axes] == ["data set 1", "data set 2", "average"]
    files = save_sweep(sweep_rows(kl), tmp_path)
    assert [file.name for file in files] == ["sweep.png", "sweep.pdf"]
    assert all(is_picture(file) for file in files)


def test_what_has_no_result_leaves_a_gap_in_the_sweep() -> None:
    kl = {(name, count): (0.1, 0.2) for name in ("nce", "ml-is") for count in (1, 16)}
    rows = sweep_rows(kl)
    rows[0] = replace(rows[0], results={2: rows[0].results[2]})  # NCE with M = 1 lacks data set 1
    best = [line for line in draw_sweep(rows).axes[1].lines if line.get_linestyle() == "-"]
    assert [math.isnan(value) for value in best[0].get_ydata()] == [False, False]
    first = [line for line in draw_sweep(rows).axes[0].lines if line.get_linestyle() == "-"]
    assert [math.isnan(value) for value in first[0].get_ydata()] == [True, False]


def test_equal_figures_give_equal_files(tmp_path: Path) -> None:
    kl = {(name, count): (0.1, 0.2) for name in ("nce", "ml-is") for count in (1, 16)}
    first, second = (save_sweep(sweep_rows(kl), tmp_path / name) for name in "ab")
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'ebmtrack\[eval\]'"):
        figures.require_matplotlib()


def test_the_first_papers_networks_are_trained_kept_and_read_back(store: Store) -> None:
    config = FirstPaper(num_samples=16, epochs=1, runs=1, batch_size=500)
    models = train_first_paper(config)
    _save(store, config, models)
    read = _load(store, config)
    assert read is not None
    assert list(read) == ["gaussian", "energy"]
    x, y = torch.zeros(2, 1), torch.ones(2, 1)
    assert torch.equal(read["energy"](x, y), models["energy"](x, y))
    assert _load(store, replace(config, epochs=2)) is None
    _path(store, config).write_bytes(b"nothing")
    with pytest.raises(InputError, match="Delete it"):
        _load(store, config)
