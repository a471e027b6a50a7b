"""Every method answers in the same form, and about right, for one target and for several."""

import importlib.util

import numpy as np
import pytest

from ebm.exceptions import UnknownNameError
from ebm.tasks.compare import methods, peers
from ebm.tasks.compare.answers import DRAWS, LEVELS, Answers, measure
from ebm.tasks.compare.budget import Budget
from ebm.tasks.compare.methods import METHODS, why_left_out
from ebm.tasks.compare.tables import Split

BUDGET = Budget(epochs=12, trees=30, rounds=100)


def line(targets: int, rows: int = 120) -> Split:
    """y = x + 0.3 e; of several targets the errors go together."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1.7, 1.7, (2 * rows, 1))
    errors = 0.8 * rng.standard_normal(x.shape) + 0.6 * rng.standard_normal((len(x), targets))
    y = (x + 0.3 * errors) * 10.0 ** np.arange(targets)
    return Split(
        table="line",
        x_train=x[:rows],
        y_train=y[:rows],
        x_test=x[rows:],
        y_test=y[rows:],
        step=None,
        true_nll=None,
    )


def runnable() -> list[str]:
    return [name for name in METHODS if why_left_out(name) is None]


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("name", METHODS)
def test_a_method_answers_for_a_line(name: str, targets: int) -> None:
    reason = why_left_out(name)
    if reason is not None:
        pytest.skip(reason)
    split = line(targets)
    METHODS[name].load()
    answers = METHODS[name].fit(split, 0, BUDGET)()
    assert answers.quantiles.shape == (120, targets, len(LEVELS))
    assert (answers.log_prob is not None) == METHODS[name].density
    assert (answers.draws is not None) == (targets > 1)
    scores = measure(answers, split, 1, 1)
    assert scores.crps < 0.3  # 0.56 is what the marginal scores, 0.17 the truth
    assert 0.6 < scores.coverage_90 <= 1
    if answers.draws is not None:
        assert answers.draws.shape == (120, DRAWS, targets)
        centres = answers.draws.mean(1)
        for d in range(targets):  # the same density by draws and by quantiles
            assert np.corrcoef(centres[:, d], answers.quantiles[:, d].mean(-1))[0, 1] > 0.95


def test_the_forest_draws_whole_rows_and_ngboost_correlated_ones() -> None:
    pytest.importorskip("quantile_forest")
    pytest.importorskip("ngboost")
    split = line(2)
    forest = peers.fit_quantile_forest(split, 0, BUDGET)().draws
    assert forest is not None
    rows = {tuple(row) for row in split.y_train}
    assert all(tuple(row) in rows for row in forest.reshape(-1, 2))
    boosted = peers.fit_ngboost(split, 0, BUDGET)().draws
    assert boosted is not None
    noise = boosted - boosted.mean(1, keepdims=True)
    assert np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1] > 0.4


def test_draws_of_quantiles_alone_are_those_of_their_marginals() -> None:
    quantiles = np.tile(np.array(LEVELS) * 4.0, (50, 2, 1))
    answers = peers._of_quantiles(quantiles, 0)
    assert answers.draws is not None
    assert answers.draws.mean() == pytest.approx(2.0, abs=0.05)
    assert answers.draws.min() >= 0.1 - 1e-9  # the lowest quantile, where what lies below is put
    assert np.quantile(answers.draws, 0.25) == pytest.approx(1.0, abs=0.05)


def test_few_rows_give_mapie_the_widest_interval_that_it_can_give() -> None:
    pytest.importorskip("mapie")
    answers = peers.fit_conformal_forest(line(1, rows=12), 0, BUDGET)()
    assert np.isfinite(answers.quantiles).all()


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert why_left_out("ngboost") == "ngboost is not installed: pip install 'ebmtrack[compare]'"
    assert "mapie" in (why_left_out("mapie") or "")
    assert why_left_out("ebm") is None
    monkeypatch.setattr(methods, "_fit_takes", lambda option: option != "members")
    assert why_left_out("ebm-4") == "this version of ebm.fit takes no 'members'"
    with pytest.raises(UnknownNameError, match="ngboost"):
        why_left_out("ngbost")


def test_members_are_asked_for_as_soon_as_fit_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def fit(x: np.ndarray, y: np.ndarray, **options: object) -> object:
        asked.update(options)
        return type("Fitted", (), {"density": None})

    monkeypatch.setattr(methods, "fit", fit)
    METHODS["ebm-4"].fit(line(1), 5, Budget())
    assert (asked["members"], asked["seed"]) == (4, 5)


def test_answers_of_our_own_depend_on_the_seed_alone() -> None:
    split = line(1, rows=40)

    def answers(seed: int) -> Answers:
        return METHODS["mdn-4"].fit(split, seed, Budget(epochs=2))()

    assert np.array_equal(answers(0).quantiles, answers(0).quantiles)
    assert not np.array_equal(answers(0).quantiles, answers(1).quantiles)


@pytest.mark.parametrize("name", ["ebm-forest", "ebm-corrected-4", "mdn-4-4"])
def test_what_stands_on_another_answers(name: str) -> None:
    answers = METHODS[name].fit(line(1, rows=60), 0, BUDGET)()
    assert np.isfinite(answers.quantiles).all()
    assert (np.diff(answers.quantiles, axis=-1) >= 0).all()
