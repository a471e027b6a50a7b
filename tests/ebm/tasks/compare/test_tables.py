"""Drawn tables follow the densities that they claim; shipped ones are read whole, split without overlap."""

import importlib.util

import numpy as np
import pytest
from scipy import stats

from ebm.exceptions import DomainError, UnknownNameError
from ebm.tasks.compare.drawn import DRAWN
from ebm.tasks.compare.shipped import SHIPPED
from ebm.tasks.compare.tables import TABLES, load_split, missing_package

ONE_TARGET = [name for name in DRAWN if not name.endswith("d") and name != "counts" or name == "bounded"]
# Rows and columns that the packages' documentation states, rows with a gap left out.
SHAPES = {
    "diabetes": (442, 10, 1),
    "linnerud": (20, 3, 3),
    "engel": (235, 1, 1),
    "randhie": (20190, 9, 1),
    "grunfeld": (220, 14, 1),
    "cars": (392, 9, 1),
    "seattle": (1461, 9, 2),
    "diamonds": (53940, 26, 1),
    "geyser": (299, 1, 1),
    "computers": (6259, 12, 1),
    "food-share": (23971, 6, 1),
}


@pytest.mark.parametrize("name", ONE_TARGET)
def test_draws_are_uniform_under_their_distribution_function(name: str) -> None:
    table = DRAWN[name]
    x, y = table.draw(np.random.default_rng(0), 200)
    # Fine where the narrowest density (0.05 wide) lies; a Beta density may rise at its ends.
    low, high = (1e-9, 1 - 1e-9) if name == "bounded" else (y.min() - 3, y.max() + 3)
    middle = np.linspace(low, high, 6001)
    if name == "bounded":
        middle = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, 6001)[1:-1])
    heights = np.stack([np.exp(table.log_prob(np.tile(row, (len(middle), 1)), middle[:, None])) for row in x])
    steps = np.diff(middle) * (heights[:, 1:] + heights[:, :-1]) / 2
    below = np.concatenate([np.zeros((len(x), 1)), steps.cumsum(1)], 1)
    assert below[:, -1] == pytest.approx(np.ones(len(x)), abs=0.02)
    ranks = [np.interp(value, middle, row) for value, row in zip(y[:, 0], below)]
    assert stats.kstest(ranks, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("name", ["gaussian-2d", "gaussian-4d", "bimodal-2d", "bimodal-4d"])
def test_densities_of_several_targets_have_mass_one(name: str) -> None:
    table, rng = DRAWN[name], np.random.default_rng(1)
    dim, wide = int(name[-2]), 0.7
    same = np.zeros((40_000, 4))  # where all targets lie around 0, or around 1 and -1
    centre = rng.choice([-1.0, 1.0], (len(same), 1))
    y = centre + wide * rng.standard_t(5, (len(same), dim))  # from a wider density, then weighted
    sides = [(stats.t.logpdf((y - side) / wide, 5) - np.log(wide)).sum(1) for side in (-1, 1)]
    log_q = np.logaddexp(*sides) - np.log(2)
    assert np.exp(table.log_prob(same, y) - log_q).mean() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("name", ["gaussian-2d", "gaussian-4d"])
def test_correlated_targets_score_the_entropy_of_their_errors(name: str) -> None:
    x, y = DRAWN[name].draw(np.random.default_rng(2), 20_000)
    dim = y.shape[1]
    covariance = 0.25 * (0.6 + 0.4 * np.eye(dim))
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * covariance)[1]
    assert -DRAWN[name].log_prob(x, y).mean() == pytest.approx(entropy, abs=0.03)


def test_counts_have_mass_one() -> None:
    x, y = DRAWN["counts"].draw(np.random.default_rng(0), 5)
    assert (y == y.round()).all()
    values = np.arange(200.0)[:, None]
    for row in x:
        total = np.exp(DRAWN["counts"].log_prob(np.tile(row, (200, 1)), values)).sum()
        assert total == pytest.approx(1)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_tables_are_read_whole(name: str) -> None:
    if importlib.util.find_spec(SHIPPED[name].package) is None:
        pytest.skip(f"{SHIPPED[name].package} is not installed")
    x, y = SHIPPED[name].load()
    assert (*x.shape, y.shape[1]) == SHAPES[name]
    assert len(y) == len(x)
    assert np.isfinite(x).all()
    assert np.isfinite(y).all()


def test_a_shipped_table_is_split_without_overlap_and_by_the_seed() -> None:
    pytest.importorskip("sklearn")
    split, again, other = (load_split("diabetes", seed) for seed in (0, 0, 1))
    assert (split.x_train.shape, split.x_test.shape) == ((354, 10), (88, 10))
    rows = {tuple(row) for row in np.concatenate([split.x_train, split.x_test])}
    assert len(rows) == 442
    assert np.array_equal(split.x_test, again.x_test)
    assert not np.array_equal(split.x_test, other.x_test)


def test_a_drawn_table_knows_its_density_and_takes_other_rows_to_test_on() -> None:
    split = load_split("branches", 3)
    assert split.true_nll == pytest.approx(-DRAWN["branches"].log_prob(split.x_test, split.y_test).mean())
    assert not set(map(tuple, split.x_train)) & set(map(tuple, split.x_test))
    assert len(load_split("branches", 3, rows=20).x_train) == 20


def test_every_table_says_where_it_is_from() -> None:
    assert len(TABLES) >= 16
    for table in TABLES.values():
        assert table.source
        assert table.licence
        assert table.kinds


def test_unknown_tables_and_seeds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match="branches"):
        load_split("branchs", 0)
    with pytest.raises(DomainError, match="-1"):
        load_split("branches", -1)
    assert missing_package("branches") is None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert missing_package("engel") == "statsmodels"
