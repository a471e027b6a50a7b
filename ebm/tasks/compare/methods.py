"""The methods compared: `ebm.fit` as it comes and changed, a mixture network of ours, and peers."""

import importlib
import importlib.util
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

import numpy as np

from ebm.fitting import FitConfig, fit
from ebm.lookup import lookup
from ebm.tasks.compare import peers
from ebm.tasks.compare.answers import Answers, answer_by_density
from ebm.tasks.compare.budget import Budget
from ebm.tasks.compare.tables import Split
from ebm.tasks.tabular.methods import BASELINES, train_head

__all__ = ["METHODS", "Budget", "Method", "why_left_out"]

# Fits a split by a seed; what it returns answers for the test rows.
Fit = Callable[[Split, int, Budget], Callable[[], Answers]]


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method.

    Attributes:
        about: what it is, in a line.
        fit: see `Fit`.
        density: whether it has a density.
        package: the distribution on PyPI that it needs, or None.
        module: what is imported of it.
        needs: an argument of `ebm.fit` without which the method does not exist.
    """

    about: str
    fit: Fit
    density: bool = True
    package: str | None = None
    module: str | None = None
    needs: str | None = None

    def load(self) -> None:
        """Import what it needs, so that no fit pays for it.

        Raises:
            ImportError: if its package is broken.
        """
        if self.module is not None:
            importlib.import_module(self.module)
        else:
            _fit_once()

    def settings(self, budget: Budget) -> dict[str, Any]:
        """What a result depends on besides table and split, as plain values."""
        package = self.package or "ebmtrack"
        found = {"package": f"{package} {version(package)}", **budget.plain()}
        if self.package is None or self.needs is not None:
            defaults = FitConfig().plain()
            found["config"] = {key: defaults[key] for key in sorted(defaults) if key != "seed"}
        return found


def why_left_out(name: str) -> str | None:
    """Why a method cannot run here, in a line; None if it can.

    Raises:
        UnknownNameError: (a ValueError) for another name than those of `METHODS`.
    """
    method = lookup("method", name, METHODS)
    if method.module is not None and importlib.util.find_spec(method.module.split(".")[0]) is None:
        return f"{method.package} is not installed: pip install 'ebmtrack[compare]'"
    if method.needs is not None and not _fit_takes(method.needs):
        return f"this version of ebm.fit takes no {method.needs!r}"
    return None


@lru_cache(maxsize=1)
def _fit_once() -> None:
    """Torch imports much of itself at the first step of the first optimiser."""
    x = np.linspace(-1, 1, 8)[:, None]
    fit(x, x[:, 0], epochs=1, progress=False).predict(x)


def _fit_takes(option: str) -> bool:
    return option in FitConfig.__dataclass_fields__ or option in inspect.signature(fit).parameters


def _energy(split: Split, seed: int, budget: Budget, **options: Any) -> Callable[[], Answers]:
    fitted = fit(
        split.x_train, split.targets(), seed=seed, progress=False, **budget.network_options(), **options
    )
    return partial(answer_by_density, fitted.density, split, seed)


def _on_forest(split: Split, seed: int, budget: Budget) -> Callable[[], Answers]:
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(budget.trees, min_samples_leaf=3, random_state=seed)
    return _energy(split, seed, budget, base=forest)


def _mixture(split: Split, seed: int, budget: Budget) -> Callable[[], Answers]:
    config = FitConfig(seed=seed, **budget.network_options())
    fitted = train_head(BASELINES["mdn-4"], split.x_train, split.targets(), config)
    return partial(answer_by_density, fitted.density, split, seed)


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "ebm": Method(about="`ebm.fit` with its defaults", fit=_energy),
        "ebm-4": Method(
            about="`ebm.fit` with four members", fit=partial(_energy, members=4), needs="members"
        ),
        "ebm-forest": Method(
            about="`ebm.fit` on the errors of a random forest (five folds)",
            fit=_on_forest,
            package="scikit-learn",
            module="sklearn.ensemble",
            needs="base",
        ),
        "ebm-corrected-4": Method(
            about="four mixtures of four Gaussians, each corrected by an energy",
            fit=partial(_energy, members=4, model="mdn-4+energy"),
        ),
        "cnce": Method(about="`ebm.fit` with conditional NCE", fit=partial(_energy, loss="cnce")),
        "mdn-4": Method(
            about="a network of the same size and training with a mixture of four Gaussians", fit=_mixture
        ),
        "mdn-4-4": Method(
            about="four mixture networks, by `ebm.fit` as well",
            fit=partial(_energy, members=4, model="mdn-4"),
        ),
        "quantile": Method(
            about="a network of 23 quantiles by `ebm.fit`; NLL of the density through them",
            fit=partial(_energy, model="quantile"),
        ),
        "ngboost": Method(
            about="NGBoost: boosted Gaussian, of several targets with full covariance; stopped early on 15 %",
            fit=peers.fit_ngboost,
            package="ngboost",
            module="ngboost",
        ),
        "quantile-forest": Method(
            about="a quantile regression forest",
            fit=peers.fit_quantile_forest,
            density=False,
            package="quantile-forest",
            module="quantile_forest",
        ),
        "lightgbm": Method(
            about="LightGBM, boosted trees for each of 39 quantiles; stopped early on 15 %",
            fit=peers.fit_boosted_quantiles,
            density=False,
            package="lightgbm",
            module="lightgbm",
        ),
        "mapie": Method(
            about="MAPIE: a random forest, conformalised by cross-conformal prediction (CV+, 5 folds)",
            fit=peers.fit_conformal_forest,
            density=False,
            package="mapie",
            module="mapie.regression",
        ),
    }
)
