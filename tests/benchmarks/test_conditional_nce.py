"""The study of small M: its solvers find what is known, its tables have a row for every method."""

import importlib
from typing import Any

import pytest
import torch

from ebm.proposals import GaussianMixtureProposal


@pytest.fixture
def study(beside_the_scripts: None) -> Any:
    return importlib.import_module("conditional_nce")


def test_one_sample_by_quadrature(study: Any) -> None:
    y = torch.linspace(-5, 5, 101, dtype=torch.float64)
    sd = {
        loss: study.table_minimiser(-0.5 * y.square(), y, GaussianMixtureProposal([1.0]), loss) @ y.square()
        for loss in ("nce", "cnce")
    }
    assert sd["cnce"].sqrt().item() == pytest.approx(1, abs=1e-3)
    assert sd["nce"].sqrt().item() == pytest.approx(0.814, abs=5e-3)


def test_a_loss_without_a_minimum_is_marked(study: Any) -> None:
    cells = study.gaussian_cells(1, 1, 500)
    assert [cell.split()[0] for cell in cells] == list(study.LOSSES)
    assert [cell.split()[1] == "-" for cell in cells] == [False, True, True, False]
    assert len(study.bimodal_cells(4, 500)) == len(study.LOSSES)


def test_fits_are_compared_with_the_truth(study: Any, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["fits", "--problems", "gaussian", "--samples", "4", "--seeds", "1", "--rows", "60"]
    study.main(arguments)
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines()]
    assert [row[3].strip() for row in rows[2:]] == list(study.METHODS)
    assert all(-0.5 < float(row[4].split()[0]) < 3 for row in rows[2:])


def test_the_comparison_gives_the_truth_itself_no_excess(study: Any) -> None:
    problem = study.PROBLEMS["bimodal"]
    generator = torch.Generator().manual_seed(0)
    e = problem.noise(20_000, torch.ones(20_000, 1), generator)
    assert (e < 0).double().mean().item() == pytest.approx(study.SHARE, abs=0.02)
    y = torch.linspace(-4, 4, 2001)[:, None]
    for factor in (1.0, 2.0):
        assert problem.log_prob(y, factor).exp().sum().item() * 0.004 == pytest.approx(1, abs=1e-3)
