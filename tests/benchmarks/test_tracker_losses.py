"""The study of box losses: its runs differ in what they should alone, its file resumes, its tables add up."""

import csv
import importlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ebm.boxes import box_iou, rect_to_rel
from ebm.exceptions import InputError
from ltr.train_settings.compare import flat_differences
from ltr.train_settings.recipe import find_recipe


@pytest.fixture
def plan(beside_the_scripts: None) -> Any:
    return importlib.import_module("box_study.plan")


@pytest.fixture
def rows(beside_the_scripts: None) -> Any:
    return importlib.import_module("box_study.rows")


@pytest.fixture
def report(beside_the_scripts: None) -> Any:
    return importlib.import_module("box_study.report")


def make_row(rows: Any, **changes: Any) -> Any:
    """A row of the standard budget."""
    values: dict[str, Any] = dict.fromkeys(rows.Row.__dataclass_fields__, 0.0)
    values |= {"loss": "nce", "seed": 0, "trained": "branch", "change": "", "samples": 5120}
    return rows.Row(**values | {"start_samples": 10240, **changes})


def test_losses_differ_in_their_box_recipe_alone(plan: Any) -> None:
    runs = list(plan.comparison(list(plan.LOSSES), [0.1], [3]))
    recipes = [plan.branch_recipe(run, plan.BUDGET) for run in runs]
    assert [run.loss for run in runs] == ["iou", "ml-is", "kld-is", "nce", "nce+", "cnce"]
    assert len({run.name for run in runs}) == 6
    for recipe in recipes:
        changed = flat_differences(recipes[-1].plain(), recipe.plain())
        assert {key.partition(".")[0] for key in changed} <= {"box", "name"}
        assert recipe.box.num_samples == 64
        assert (recipe.label_noise.centre, recipe.label_noise.size) == (0.1, 0.1)


def test_noise_and_seed_change_nothing_else(plan: Any) -> None:
    exact, noisy, other = (
        plan.branch_recipe(plan.Run(loss="nce", noise=noise, seed=seed), plan.BUDGET).plain()
        for noise, seed in ((0.0, 0), (0.1, 0), (0.0, 1))
    )
    assert set(flat_differences(exact, noisy)) == {"name", "label_noise.centre", "label_noise.size"}
    assert set(flat_differences(exact, other)) == {"name", "seed"}


def test_a_field_set_for_all_runs_makes_runs_of_their_own(plan: Any) -> None:
    rate = "optimiser.groups.0.lr=1e-3"
    (plain,), (changed,) = (list(plan.comparison(["iou"], [0.0], [0], text)) for text in ("", rate))
    assert plain.name != changed.name
    recipes = [plan.branch_recipe(run, plan.BUDGET).plain() for run in (plain, changed)]
    assert flat_differences(*recipes).keys() == {"name", "optimiser.groups.0.lr"}


def test_refinement_is_measured_with_the_trackers_own_rule(beside_the_scripts: None) -> None:
    measure = importlib.import_module("box_study.measure")
    label = torch.tensor([40.0, 30.0, 32.0, 24.0])
    starts = label + torch.tensor([[3.0, 0.0, 0.0, 0.0], [0.0, -2.0, 4.0, 2.0]])

    def bowl(boxes: torch.Tensor) -> torch.Tensor:
        return -(rect_to_rel(boxes, label[2:]) - rect_to_rel(label, label[2:])).square().sum(dim=-1)

    def cliff(boxes: torch.Tensor) -> torch.Tensor:
        return 1e9 * boxes[:, 0]

    frames = [measure._Frame(bowl, label, starts)]
    before = box_iou(starts, label[None])
    # A step of 0.25 halves the distance, and less with every step since the length decays.
    assert (measure._refined(frames, 0.25)[0] > 0.95).all()
    assert (before < measure._refined(frames, 0.01)[0]).all()
    assert (measure._refined([measure._Frame(cliff, label, starts)], 0.1) == 0).all()


def test_the_start_gives_no_gradient_to_the_box_branch(plan: Any) -> None:
    assert plan.start_recipe(0, plan.BUDGET).box.weight == 0


def test_the_sweep_changes_one_field_of_the_setting_at_a_time(plan: Any) -> None:
    runs = list(plan.sweep(0.0, [0, 1]))
    assert len(runs) == len(set(runs)) == 2 * (1 + 2 * len(plan.SWEEP))
    setting = find_recipe("dimp", "dimp_nce_plus_small").plain()
    own = {"name", "seed", "groups", "samples_per_epoch", "schedule.epochs", "schedule.warmup"}
    for run in runs:
        changed = set(flat_differences(setting, plan.whole_recipe(run, plan.BUDGET).plain())) - own
        field = run.change.partition("=")[0]
        assert all(key.startswith(field) for key in changed)
        assert bool(changed) == bool(field)


def test_a_file_of_results_is_taken_up_where_it_ended(plan: Any, rows: Any, tmp_path: Path) -> None:
    runs = list(plan.comparison(["nce", "nce+"], [0.0], [0, 1]))
    store = rows.Store(tmp_path / "new" / "r.csv", plan.BUDGET, rows.Row)
    assert store.missing(runs) == runs
    store.add(make_row(rows, loss="nce+", seed=1, iou=0.62345678))
    store.add(make_row(rows, loss="nce", seed=0))
    again = rows.Store(store.path, plan.BUDGET, rows.Row)
    assert again.missing(runs) == [runs[1], runs[2]]
    assert [(row.loss, row.seed) for row in again.select(runs)] == [("nce", 0), ("nce+", 1)]
    assert again.select(runs)[1].iou == pytest.approx(0.623457, abs=1e-9)


def test_results_of_another_budget_or_another_table_are_refused(plan: Any, rows: Any, tmp_path: Path) -> None:
    store = rows.Store(tmp_path / "r.csv", plan.BUDGET, rows.Row)
    store.add(make_row(rows))
    with pytest.raises(InputError, match="5120 samples after 10240, not of 64"):
        rows.Store(store.path, replace(plan.BUDGET, samples=64), rows.Row)
    store.path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="no table of this study"):
        rows.Store(store.path, plan.BUDGET, rows.Row)


def test_differences_are_taken_within_a_seed(rows: Any, report: Any) -> None:
    # Seeds differ by ten points, the losses within a seed by one and by three.
    plus = [make_row(rows, loss="nce+", seed=seed, auc=value) for seed, value in enumerate((41.0, 53.0))]
    plain = [make_row(rows, loss="nce", seed=seed, auc=value) for seed, value in enumerate((40.0, 50.0))]
    gap = report.paired(plus, plain, report.SCORES["auc"])
    assert (gap.mean, gap.count) == (2.0, 2)
    assert gap.error == pytest.approx(1.0)
    assert report.paired(plus[:1], plain[1:], report.SCORES["auc"]) is None
    text = report.comparison_tables(plus + plain, markdown=True)
    assert "| NCE | 45.00 ± 7.07 | +2.00 ± 1.00 |" in text
    assert "| NCE+ | 47.00 ± 8.49 | - |" in text


def test_the_sweep_is_compared_with_the_recipe(plan: Any, rows: Any, report: Any) -> None:
    changed = {"loss": "nce+", "trained": "whole", "change": "box.beta=0.3"}
    found = [make_row(rows, loss="nce+", trained="whole", iou=0.6), make_row(rows, **changed, iou=0.65)]
    table = report.sweep_table(found, plan.SMALL, markdown=True)
    assert "| box.beta | 0.3 | 65.00 | +5.00 |" in table
    assert "| box.beta | 0.1 (recipe) | 60.00 |  |" in table


@pytest.mark.parametrize(
    ("text", "short"),
    [("1.6e-2", "0.016"), ("((0.1,0.1),(1.0,1.0))", "0.1, 1"), ("64", "64")],
)
def test_values_are_written_in_short(report: Any, text: str, short: str) -> None:
    assert report.short_value(text) == short


def test_an_unknown_loss_is_refused(beside_the_scripts: None, capsys: pytest.CaptureFixture[str]) -> None:
    main = importlib.import_module("tracker_losses").main
    assert main(["compare", "--losses", "nce++"]) == 2
    assert "did you mean 'nce+'" in capsys.readouterr().err


@pytest.mark.slow
def test_a_quick_run_trains_tracks_and_resumes(
    beside_the_scripts: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    main = importlib.import_module("tracker_losses").main
    figure = tmp_path / "figure.png"
    arguments = ["compare", "--quick", "--losses", "nce+", "--labels", "0.1", "--seeds", "1"]
    arguments += ["--processes", "1", "--folder", str(tmp_path), "--figure", str(figure)]
    assert main(arguments) == 0
    with (tmp_path / "compare.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert 0.4 < float(row["iou_start"]) < 0.7
    assert 0 < float(row["iou"]) <= 1
    assert 0 <= float(row["auc"]) <= 100
    assert float(row["training_loss"]) > 0
    assert figure.stat().st_size > 1000
    first = capsys.readouterr().out
    assert "1 of 1 runs to do" in first
    assert main(arguments) == 0
    again = capsys.readouterr().out
    assert "0 of 1 runs to do" in again
    assert again.splitlines()[1:] == first.splitlines()[-len(again.splitlines()) + 1 :]


def test_a_row_names_its_run(plan: Any, rows: Any) -> None:
    run = plan.Run(loss="nce", noise=0.0, seed=0)
    row = asdict(make_row(rows))
    assert all(row[field] == value for field, value in asdict(run).items())
