"""The tables of the comparison: what they are, where they come from, how they are split.

They are for reporting. No default of `ebm.fit` may be chosen by what comes out on them.
"""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ebm.exceptions import DomainError
from ebm.lookup import lookup
from ebm.tasks.compare.drawn import DRAWN, Drawn
from ebm.tasks.compare.shipped import SHIPPED, Shipped

__all__ = ["QUICK_TABLES", "TABLES", "Array", "Split", "Table", "load_split", "missing_package"]

Array = NDArray[np.float64]
TEST_SHARE = 0.2
TRAIN_ROWS, TEST_ROWS = 600, 400  # of a drawn table
# Rows are drawn apart for fitting and for testing: the seeds of the latter begin here.
TEST_SEED = 1_000_000
QUICK_TABLES = ("diabetes", "branches", "heteroscedastic", "gaussian-2d")


@dataclass(frozen=True, kw_only=True)
class Split:
    """Rows to fit and rows to test on.

    Attributes:
        table: its name.
        x_train: ``(N, F)`` float64.
        y_train: ``(N, D)``.
        x_test: ``(T, F)``.
        y_test: ``(T, D)``.
        step: distance of the values that a counted target takes; None where it is continuous.
        true_nll: mean negative log-likelihood of the test rows under what they were drawn from, nats; None
            where nobody knows it.
    """

    table: str
    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array
    step: float | None
    true_nll: float | None

    @property
    def target_dim(self) -> int:
        """D."""
        return int(self.y_train.shape[1])

    @property
    def unit(self) -> Array:
        """Standard deviation of each target over the rows to fit, ``(D,)``: the unit of all scores."""
        return np.asarray(self.y_train.std(0))

    def targets(self) -> Array:
        """Targets to fit, ``(N,)`` for one and ``(N, D)`` for several."""
        return self.y_train[:, 0] if self.target_dim == 1 else self.y_train


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table.

    Attributes:
        name: a key of `TABLES`.
        about: rows, inputs, target in a line.
        source: the package or formula it comes from.
        licence: of the data.
        kinds: what is hard about it: "several modes", "several targets", "steps and categories",
            "bounds or counts", "uneven noise" or "smooth dependence".
        package: the module that brings it; None where it is drawn.
        split: the rows of a seed.
    """

    name: str
    about: str
    source: str
    licence: str
    kinds: tuple[str, ...]
    package: str | None
    split: Callable[[int], Split]


def load_split(name: str, seed: int, rows: int | None = None) -> Split:
    """A split of a table.

    Args:
        name: a key of `TABLES`.
        seed: at least 0; tables of a package are split by it, others drawn.
        rows: most rows to fit and to test on; None is all.

    Raises:
        UnknownNameError: (a ValueError) for another name.
        MissingPackageError: if the package that brings the table is not installed.
        DomainError: if the seed is negative.
    """
    table = lookup("table", name, TABLES)
    if not 0 <= seed < TEST_SEED:
        raise DomainError(f"a split is numbered from 0 to {TEST_SEED - 1}, got {seed}.")
    split = table.split(seed)
    return Split(
        table=name,
        x_train=split.x_train[:rows],
        y_train=split.y_train[:rows],
        x_test=split.x_test[:rows],
        y_test=split.y_test[:rows],
        step=split.step,
        true_nll=split.true_nll if rows is None else None,
    )


def missing_package(name: str) -> str | None:
    """The module that a table needs and that is not installed; None where all is there."""
    package = lookup("table", name, TABLES).package
    return package if package is not None and importlib.util.find_spec(package) is None else None


def _split_shipped(name: str, table: Shipped, seed: int) -> Split:
    """A random fifth to test on, of the rows or of as many of them as are used."""
    x, y = table.load()
    order = np.random.default_rng(seed).permutation(len(y))[: table.most_rows]
    held = round(TEST_SHARE * len(order))
    train, test = order[held:], order[:held]
    return Split(
        table=name,
        x_train=x[train],
        y_train=y[train],
        x_test=x[test],
        y_test=y[test],
        step=table.step,
        true_nll=None,
    )


def _split_drawn(name: str, table: Drawn, seed: int) -> Split:
    x_train, y_train = table.draw(np.random.default_rng(seed), TRAIN_ROWS)
    x_test, y_test = table.draw(np.random.default_rng(TEST_SEED + seed), TEST_ROWS)
    return Split(
        table=name,
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        step=table.step,
        true_nll=float(-table.log_prob(x_test, y_test).mean()),
    )


def _tables() -> dict[str, Table]:
    tables = {
        name: Table(
            name=name,
            about=table.about,
            source=table.source,
            licence=table.licence,
            kinds=table.kinds,
            package=table.package,
            split=partial(_split_shipped, name, table),
        )
        for name, table in SHIPPED.items()
    }
    drawn = {
        name: Table(
            name=name,
            about=f"{table.about}; {TRAIN_ROWS} rows to fit, {TEST_ROWS} to test on",
            source="drawn, formula in `ebm.tasks.compare.drawn`",
            licence="Apache-2.0",
            kinds=table.kinds,
            package=None,
            split=partial(_split_drawn, name, table),
        )
        for name, table in DRAWN.items()
    }
    return tables | drawn


TABLES: Mapping[str, Table] = MappingProxyType(_tables())
