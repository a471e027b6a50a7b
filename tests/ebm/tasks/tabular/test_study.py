"""The comparison runs, goes on where it ended, and says what it found."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ebm.exceptions import InputError, NumericalError, UnknownNameError
from ebm.fitting import FitConfig
from ebm.tasks.tabular import command, study
from ebm.tasks.tabular.methods import METHODS, run_method
from ebm.tasks.tabular.predictions import score
from ebm.tasks.tabular.problems import PROBLEMS, Problem, load_problem
from ebm.tasks.tabular.report import csv_of_results, markdown, text
from ebm.tasks.tabular.study import Plan, read_results, run_study

SMALL = FitConfig(epochs=2, hidden=(8,))


def bimodal(seed: int) -> Problem:
    """y = +1 or -1 whatever x, with a little noise."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(600, 1, generator=generator, dtype=torch.float64)
    side = (torch.rand(600, generator=generator) < 0.5).double() * 2 - 1
    y = side + 0.1 * torch.randn(600, generator=generator, dtype=torch.float64)
    return Problem(
        name="bimodal", x_train=x[:400], y_train=y[:400], x_test=x[400:], y_test=y[400:], true_nll=None
    )


@pytest.fixture
def bimodal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    study._problem.cache_clear()
    monkeypatch.setattr("ebm.tasks.tabular.study.PROBLEMS", {"bimodal": bimodal})
    monkeypatch.setattr("ebm.tasks.tabular.study.load_problem", lambda name, seed: bimodal(seed))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_predicts(name: str) -> None:
    problem = bimodal(0)
    found = score(run_method(name, problem, SMALL), problem.y_test)
    assert (found.nll is None) == (name == "quantile")
    assert 0 < found.crps < 1
    assert found.coverage_50 <= found.coverage_90 <= found.coverage_95
    assert found.epochs == 2


def test_two_modes_cost_a_gaussian_what_they_must() -> None:
    problem = bimodal(0)
    config = FitConfig(epochs=20)
    energy, gaussian = (
        score(run_method(name, problem, config), problem.y_test).nll for name in ("nce", "gaussian")
    )
    assert energy is not None
    assert gaussian is not None
    assert gaussian == pytest.approx(1.42, abs=0.1)  # entropy of a Gaussian of variance 1.01
    assert energy < gaussian - 0.8  # truth: log 2 + entropy of a Gaussian of std 0.1, about -0.19


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'mdn-4'"):
        run_method("mdn", bimodal(0), SMALL)


@pytest.mark.parametrize("name", ["toy-1", "toy-2"])
def test_toy_problems_know_their_truth(name: str) -> None:
    one, again, other = load_problem(name, 0), load_problem(name, 0), load_problem(name, 1)
    assert torch.equal(one.x_test, again.x_test)
    assert not torch.equal(one.y_train, other.y_train)
    assert not torch.equal(one.y_train, one.y_test)
    assert one.true_nll == pytest.approx({"toy-1": -0.33, "toy-2": -1.5}[name], abs=0.1)


def test_diabetes_is_split_without_overlap() -> None:
    pytest.importorskip("sklearn")
    problem = load_problem("diabetes", 3)
    assert (problem.x_train.shape, problem.x_test.shape) == ((354, 10), (88, 10))
    both = torch.cat((problem.x_train, problem.x_test))
    assert len(both.unique(dim=0)) == 442


@pytest.mark.usefixtures("bimodal_only")
def test_a_study_goes_on_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(methods=("gaussian", "nce"), splits={"bimodal": 2}, config=SMALL)
    seen: list[Any] = []
    results = run_study(plan, tmp_path, lambda *step: seen.append(step))
    assert [(r.cell.method, r.cell.seed) for r in results] == [
        ("gaussian", 0),
        ("nce", 0),
        ("gaussian", 1),
        ("nce", 1),
    ]
    assert len(seen) == 8
    monkeypatch.setattr("ebm.tasks.tabular.study.run_method", None)  # nothing may be run again
    assert run_study(plan, tmp_path) == results
    assert read_results(tmp_path) == results


@pytest.mark.usefixtures("bimodal_only")
def test_other_settings_are_run_anew(tmp_path: Path) -> None:
    plans = [Plan(methods=("gaussian",), splits={"bimodal": 1}, config=FitConfig(epochs=e)) for e in (1, 2)]
    found = [run_study(plan, tmp_path)[0] for plan in plans]
    assert [r.scores.epochs for r in found if r.scores is not None] == [1, 2]
    assert len(read_results(tmp_path)) == 2


@pytest.mark.usefixtures("bimodal_only")
def test_a_failed_training_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kw: Any) -> None:
        raise NumericalError("the loss is nan")

    monkeypatch.setattr("ebm.tasks.tabular.study.run_method", fail)
    results = run_study(Plan(methods=("nce",), splits={"bimodal": 1}, config=SMALL), tmp_path)
    assert results[0].scores is None
    assert text(results).splitlines()[2].split()[-1] == "1"
    assert "the loss is nan" in csv_of_results(results)


@pytest.mark.usefixtures("bimodal_only")
def test_the_report_gives_means_and_spreads(tmp_path: Path) -> None:
    results = run_study(Plan(methods=("gaussian", "quantile"), splits={"bimodal": 2}, config=SMALL), tmp_path)
    rows = list(csv.DictReader(io.StringIO(csv_of_results(results))))
    assert len(rows) == 4
    values = [float(row["nll"]) for row in rows if row["method"] == "gaussian"]
    assert f"{sum(values) / 2:.3f} ± {abs(values[0] - values[1]) / 2**0.5:.3f}" in text(results)
    assert "| quantile | - |" in markdown(results)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        read_results(tmp_path)


def test_the_command_writes_what_it_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--problems", "toy-1", "--methods", "gaussian", "--splits", "1", "--epochs", "1"]
    assert command.main([*arguments, "--out", str(tmp_path), "--format", "markdown"]) == 0
    printed = capsys.readouterr().out
    assert printed.strip() == (tmp_path / "table.md").read_text().strip()
    record = json.loads((tmp_path / "study.json").read_text())
    assert record["command"].startswith("ebmtrack regress --problems toy-1")
    assert record["config"]["epochs"] == 1
    assert set(record["versions"]) >= {"python", "torch", "numpy"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--methods", "gausian"], "did you mean 'gaussian'"),
        (["--problems", "boston"], "Unknown problem"),
        (["--splits", "0"], "splits must be an integer >= 1"),
        (["--epochs", "0"], "epochs must be an integer >= 1"),
        (["--device", "cuda:77"], "cuda:77"),
    ],
)
def test_what_cannot_be_run_is_named(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([*arguments, "--out", str(tmp_path)]) == 2
    assert words in capsys.readouterr().err


def test_the_defaults_are_known() -> None:
    assert set(command._DEFAULT_METHODS) | set(command._QUICK_METHODS) <= set(METHODS)
    assert set(Plan().splits) == set(PROBLEMS)
