"""Peers of `ebm.fit`, each on the same rows with its package's usual settings; imported when asked for.

Where early stopping needs rows, it takes the share of the rows to fit that `ebm.fit` takes.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebm.fitting import FitConfig
from ebm.fitting.splits import split_rows
from ebm.tasks.compare.answers import DRAWS, LEVELS, Answers
from ebm.tasks.compare.answers import LEAST_MASS as LEAST
from ebm.tasks.compare.budget import Budget
from ebm.tasks.compare.tables import Split

__all__ = ["fit_boosted_quantiles", "fit_conformal_forest", "fit_ngboost", "fit_quantile_forest"]

Array = NDArray[np.float64]
Answer = Callable[[], Answers]
LEAF = 5  # fewest rows in a leaf of a forest, as in Meinshausen, JMLR 2006
PATIENCE = 50  # rounds of boosting without a better score on the rows held out
FOLDS = 5
_MIDDLE = LEVELS.index(0.5)


def _train_and_held(split: Split, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    train, held = split_rows(len(split.x_train), FitConfig().validation, seed)
    return train.numpy(), held.numpy()


def fit_ngboost(split: Split, seed: int, budget: Budget) -> Answer:
    """NGBoost with early stopping. Source: Duan et al., ICML 2020."""
    from ngboost import NGBRegressor
    from ngboost.distns import MultivariateNormal, Normal

    train, held = _train_and_held(split, seed)
    several = split.target_dim > 1
    # A multivariate start is only found for targets of like units.
    unit = split.unit if several else np.ones(1)
    y = split.targets() / (unit if several else 1.0)
    model = NGBRegressor(
        Dist=MultivariateNormal(split.target_dim) if several else Normal,
        n_estimators=budget.rounds,
        random_state=seed,
        verbose=False,
    )
    model.fit(
        split.x_train[train],
        y[train],
        X_val=split.x_train[held],
        Y_val=y[held],
        early_stopping_rounds=PATIENCE,
    )
    return partial(_ask_ngboost, model, split, unit, seed)


def _ask_ngboost(model: Any, split: Split, unit: Array, seed: int) -> Answers:
    from scipy.stats import norm

    law = model.pred_dist(split.x_test)
    y, levels = split.y_test / unit, norm.ppf(LEVELS)
    if split.target_dim == 1:
        mean, std = law.params["loc"][:, None], law.params["scale"][:, None]
        log_prob = norm.logpdf(y, mean, std)
        if split.step is not None:
            mass = norm.cdf(y + split.step / 2, mean, std) - norm.cdf(y - split.step / 2, mean, std)
            log_prob = np.log(mass.clip(LEAST))
        return Answers(
            log_prob=log_prob[:, 0], quantiles=mean[..., None] + std[..., None] * levels, draws=None
        )
    mean, cov = np.asarray(law.loc), np.asarray(law.cov)
    std = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
    factor = np.linalg.cholesky(cov)
    noise = np.random.default_rng(seed).standard_normal((len(y), DRAWS, split.target_dim))
    return Answers(
        log_prob=np.asarray(law.logpdf(y)) - np.log(unit).sum(),
        quantiles=(mean[..., None] + std[..., None] * levels) * unit[:, None],
        draws=(mean[:, None] + np.einsum("tij,tmj->tmi", factor, noise)) * unit,
    )


def fit_quantile_forest(split: Split, seed: int, budget: Budget) -> Answer:
    """A forest whose leaves keep their rows. Source: Meinshausen, JMLR 2006."""
    from quantile_forest import (
        RandomForestQuantileRegressor,
    )

    model = RandomForestQuantileRegressor(n_estimators=budget.trees, min_samples_leaf=LEAF, random_state=seed)
    model.fit(split.x_train, split.targets())
    return partial(_ask_quantile_forest, model, split, seed)


def _ask_quantile_forest(model: Any, split: Split, seed: int) -> Answers:
    found = np.asarray(model.predict(split.x_test, quantiles=list(LEVELS)))
    several = split.target_dim > 1
    draws = _draws_of_forest(model, split, seed) if several else None
    return Answers(log_prob=None, quantiles=found if several else found[:, None], draws=draws)


def _draws_of_forest(model: Any, split: Split, seed: int) -> Array:
    """A tree at random, then a row to fit from the leaf at random: all targets of one row together."""
    rng = np.random.default_rng(seed)
    home, asked = model.apply(split.x_train), model.apply(split.x_test)  # leaves, (rows, trees)
    trees = rng.integers(asked.shape[1], size=(len(asked), DRAWS))
    draws = np.empty((len(asked), DRAWS, split.target_dim))
    for tree in range(asked.shape[1]):
        order = np.argsort(home[:, tree], kind="stable")
        leaves = home[order, tree]
        row, draw = np.nonzero(trees == tree)
        first = np.searchsorted(leaves, asked[row, tree], side="left")
        last = np.searchsorted(leaves, asked[row, tree], side="right")
        picked = order[first + (rng.random(len(row)) * (last - first)).astype(int)]
        draws[row, draw] = split.y_train[picked]
    return draws


def fit_boosted_quantiles(split: Split, seed: int, budget: Budget) -> Answer:
    """LightGBM with the quantile loss, a model per level and target."""
    import lightgbm

    train, held = _train_and_held(split, seed)

    def model(level: float, target: Array) -> Any:
        booster = lightgbm.LGBMRegressor(
            objective="quantile",
            alpha=level,
            n_estimators=budget.rounds,
            learning_rate=0.05,
            random_state=seed,
            n_jobs=1,
            verbose=-1,
        )
        return booster.fit(
            split.x_train[train],
            target[train],
            eval_X=(split.x_train[held],),
            eval_y=(target[held],),
            callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
        )

    models = [[model(level, target) for level in LEVELS] for target in split.y_train.T]
    return lambda: _of_quantiles(
        np.stack([[m.predict(split.x_test) for m in row] for row in models]).transpose(2, 0, 1), seed
    )


def fit_conformal_forest(split: Split, seed: int, budget: Budget) -> Answer:
    """A forest made conformal by MAPIE's CV+. Source: Barber et al., Annals of Statistics 2021."""
    from mapie.regression import (
        CrossConformalRegressor,
    )
    from sklearn.ensemble import (
        RandomForestRegressor,
    )

    def model(target: Array) -> Any:
        forest = RandomForestRegressor(budget.trees, min_samples_leaf=LEAF, random_state=seed)
        # A level of coverage per pair of quantiles, the widest first; of few rows the outermost that MAPIE
        # takes, which refuses any that is not further from 0 and 1 than one row's share.
        least = 1.001 / len(target)
        coverage = [min(max(1 - 2 * level, least), 1 - least) for level in LEVELS[:_MIDDLE]]
        conformal = CrossConformalRegressor(
            forest, confidence_level=coverage, cv=FOLDS, method="plus", random_state=seed
        )
        return conformal.fit_conformalize(split.x_train, target)

    models = [model(target) for target in split.y_train.T]
    return lambda: _of_quantiles(np.stack([_ends(m, split.x_test) for m in models], 1), seed)


def _ends(model: Any, x: Array) -> Array:
    """Ends of nested intervals around the prediction, as quantiles ``(T, Q)``."""
    middle, intervals = model.predict_interval(x)  # (T,), (T, 2, levels)
    return np.concatenate([intervals[:, 0], middle[:, None], intervals[:, 1, ::-1]], 1)


def _of_quantiles(quantiles: Array, seed: int) -> Answers:
    """Answers of quantiles alone ``(T, D, Q)``; they say nothing of how targets hang together."""
    if quantiles.shape[1] == 1:
        return Answers(log_prob=None, quantiles=quantiles, draws=None)
    ordered = np.sort(quantiles, axis=-1)
    at = np.random.default_rng(seed).uniform(0, 1, (len(quantiles), DRAWS, quantiles.shape[1]))
    place = (at * (len(LEVELS) + 1) - 1).clip(0, len(LEVELS) - 1)  # levels are k / 40
    below = np.minimum(place.astype(int), len(LEVELS) - 2)
    part = (place - below).transpose(0, 2, 1)
    index = below.transpose(0, 2, 1)
    low, high = np.take_along_axis(ordered, index, 2), np.take_along_axis(ordered, index + 1, 2)
    return Answers(log_prob=None, quantiles=quantiles, draws=(low + part * (high - low)).transpose(0, 2, 1))
