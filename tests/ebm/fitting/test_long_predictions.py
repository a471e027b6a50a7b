"""Ctrl-C in a long answer hands over the rows that are done, in the type and shape of the whole."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import ebm
from ebm.exceptions import PredictionInterrupted
from ebm.fitting import answers
from ebm.fitting import fitted as fitted_module
from ebm.fitting.fitted import FittedEBM
from tests.ebm.fitting.long_fits import QUICK, fit, rows

X, Y = rows(1, 23)


@pytest.fixture(scope="module")
def density() -> FittedEBM:
    found = fit("one")
    found.calibrate(*rows(1, 30))
    return found


@pytest.fixture
def third_block(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Blocks of five rows; once called, the third one is interrupted."""
    for module in (answers, fitted_module):
        monkeypatch.setattr(module, "rows_at_a_time", lambda dim: 5)

    def start() -> None:
        whole, counted = FittedEBM._block, iter(range(100))

        def block(self: FittedEBM, part: torch.Tensor) -> Any:
            if next(counted) == 2:
                raise KeyboardInterrupt
            return whole(self, part)

        monkeypatch.setattr(FittedEBM, "_block", block)

    return start


QUESTIONS: dict[str, Callable[[FittedEBM], Any]] = {
    "predict": lambda f: f.predict(X),
    "mode": lambda f: f.predict(X, method="mode"),
    "tensor": lambda f: f.predict(torch.from_numpy(X)),
    "quantile": lambda f: f.quantile(X, [0.1, 0.5, 0.9]),
    "cdf": lambda f: f.cdf(X, Y),
    "crps": lambda f: f.crps(X, Y),
    "log_prob": lambda f: f.log_prob(X, Y),
    "log-mass": lambda f: f.log_prob(X, ebm.Censored(Y - 1, Y)),
    "sample": lambda f: f.sample(X, 4, seed=0),
    "interval": lambda f: f.predict_interval(X, 0.8),
    "intervals": lambda f: f.predict_interval(X, [0.5, 0.9]),
    "widened": lambda f: f.predict_interval(X, [0.5, 0.9], score="quantile"),
    "hulls": lambda f: f.predict_interval(X, [0.5, 0.9], kind="highest-density"),
    "set": lambda f: f.predict_set(X, 0.9),
    "contains": lambda f: f.contains(X, Y),
    "log-density": lambda f: f.contains(X, Y, score="log-density"),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_is_done_is_handed_over(name: str, density: FittedEBM, third_block: Callable[[], None]) -> None:
    whole = QUESTIONS[name](density)
    third_block()
    with pytest.raises(PredictionInterrupted, match=r"after 10 of 23 rows.*rows from 10 on") as stop:
        QUESTIONS[name](density)
    assert stop.value.done == 10
    found = stop.value.result
    assert type(found) is type(whole)
    assert len(found) == 10
    for a, b in zip(found, whole):
        np.testing.assert_array_equal(a, b)


def test_rows_from_there_on_give_the_rest(density: FittedEBM, third_block: Callable[[], None]) -> None:
    whole = density.predict(X)
    third_block()
    with pytest.raises(PredictionInterrupted) as stop:
        density.predict(X)
    rest = density.predict(X[stop.value.done :])
    np.testing.assert_allclose(np.concatenate((stop.value.result, rest)), whole, rtol=1e-6)


def test_a_figure_of_all_rows_is_that_of_the_rows_done(
    density: FittedEBM, third_block: Callable[[], None]
) -> None:
    expected = density.reliability(X[:10], Y[:10])
    third_block()
    with pytest.raises(PredictionInterrupted) as stop:
        density.reliability(X, Y)
    assert str(stop.value.result) == str(expected)


def test_in_the_first_block_there_is_nothing(density: FittedEBM, monkeypatch: pytest.MonkeyPatch) -> None:
    def block(self: FittedEBM, part: torch.Tensor) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(FittedEBM, "_block", block)
    with pytest.raises(KeyboardInterrupt) as stop:
        density.predict(X)
    assert not isinstance(stop.value, PredictionInterrupted)


def test_the_command_keeps_the_rows_that_are_done(
    tmp_path: Path, third_block: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    from ebm.tasks.tabular.command import main

    table = pd.DataFrame(X, columns=["a", "b"]).assign(y=Y)
    ebm.fit(table[["a", "b"]], table["y"], **QUICK).save(tmp_path / "model.ebm")
    table.to_csv(tmp_path / "t.csv", index=False)
    call = ["--predict", str(tmp_path / "t.csv"), "--model", str(tmp_path / "model.ebm"), "--out"]
    assert main([*call, str(tmp_path / "whole")]) == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FittedEBM, "_block", FittedEBM._block)
        third_block()
        assert main([*call, str(tmp_path / "part")]) == 130
        assert [path.name for path in (tmp_path / "part").iterdir()] == ["predictions.partial.csv"]
        assert "the first 10 of 23 rows are in" in capsys.readouterr().err
    whole = (tmp_path / "whole" / "predictions.csv").read_text().splitlines()
    partial = (tmp_path / "part" / "predictions.partial.csv").read_text().splitlines()
    assert partial == whole[:11]
