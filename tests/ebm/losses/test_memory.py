"""Losses and proposals allocate two tensors of the size of all candidates at most, by the benchmark."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from ebm.losses.modules import LOSSES

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "losses.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_losses", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def test_the_count_sees_what_is_allocated_and_nothing_else(benchmark: ModuleType) -> None:
    ledger = benchmark.Ledger()
    x = torch.zeros(10, 4)
    with ledger:
        y = x[:, :2].t().contiguous()  # views, then a copy
        y.add_(1).mul_(2)
        torch.add(y, y, out=torch.empty(2, 10))
        with ledger.aside():
            torch.zeros(1000)
    assert ledger.sizes == [80, 80]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("shape", [(8, 64, 4), (3, 100, 7)])
def test_two_tensors_of_all_candidates_at_most(
    benchmark: ModuleType, name: str, shape: tuple[int, int, int]
) -> None:
    batch, samples, dim = shape
    case = benchmark.Case(batch=batch, samples=samples, dim=dim, sigmas=(0.1, 0.8), noise=0.05, repeats=1)
    (size, count), (plain_size, plain_count) = benchmark.measure_memory(name, case, 3, torch.device("cpu"))
    assert count <= 2
    if name != "sm":  # it has no samples
        assert size < 0.6 * plain_size
        assert plain_count > 2


def test_the_benchmark_runs(benchmark: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = benchmark.Case(batch=2, samples=4, dim=1, sigmas=(0.1, 0.8), noise=0.05, repeats=1)
    benchmark.CASES["toy"] = tiny
    with pytest.warns(UserWarning, match="prefer CNCE"):
        benchmark.main(["--case", "toy", "--steps", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(LOSSES)
    assert all(float(line.split()[-1]) > 0 for line in lines[2:])
