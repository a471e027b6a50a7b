"""One small fit of a target with two branches, and one of two targets, for all pictures."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

import ebm
from ebm.fitting import FittedEBM
from ebm.fitting.tables import NamedArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A calibrated fit, the same as fitted, and rows that neither saw."""

    fitted: FittedEBM
    plain: FittedEBM
    x: NamedArray
    y: Array


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (520, 2))
    branch = np.where(rng.random(520) < 0.6, 1.0, -1.0)
    y = branch * (1.2 + 0.5 * x[:, 0]) + 0.15 * rng.standard_normal(520)
    rows = [
        NamedArray(x[part], ("here", "noise")) for part in (slice(200), slice(200, 320), slice(320, None))
    ]
    fitted = ebm.fit(rows[0], y[:200], epochs=25, seed=0, progress=False)
    path = tmp_path_factory.mktemp("fit") / "fit.ebm"
    fitted.save(path)
    fitted.calibrate(rows[1], y[200:320])
    return Case(fitted, ebm.load_fitted(path), rows[2], y[320:])


@pytest.fixture(scope="session")
def two_targets() -> tuple[FittedEBM, Array, Array]:
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (150, 1))
    y = np.concatenate((x, -x), 1) + 0.3 * rng.standard_normal((150, 2))
    return ebm.fit(x[:110], y[:110], epochs=2, hidden=8, progress=False), x[110:], y[110:]
