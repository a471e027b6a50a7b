"""Tables that are drawn, each with its true log-density: what a perfect model would score is known."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

__all__ = ["DRAWN", "Drawn"]

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], tuple[Array, Array]]
LogProb = Callable[[Array, Array], Array]
_LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A table by formula.

    Attributes:
        about: what it is, in a line.
        kinds: see `ebm.tasks.compare.tables.Table`.
        draw: inputs ``(N, F)`` and targets ``(N, D)`` from a generator.
        log_prob: log-density of targets, or log-mass of counts, ``(N,)``.
        step: see `ebm.tasks.compare.tables.Split`.
    """

    about: str
    kinds: tuple[str, ...]
    draw: Draw
    log_prob: LogProb
    step: float | None = None


@dataclass(frozen=True)
class _Mixture:
    """Diagonal Gaussians, ``means`` and ``stds`` ``(N, K, D)``, with weights ``(N, K)``."""

    means: Array
    stds: Array
    weights: Array

    def draw(self, rng: np.random.Generator) -> Array:
        """One target a row, ``(N, D)``."""
        rows = np.arange(len(self.means))
        pick = (
            (rng.random(len(rows))[:, None] > self.weights.cumsum(1)).sum(1).clip(0, self.means.shape[1] - 1)
        )
        return np.asarray(
            self.means[rows, pick] + self.stds[rows, pick] * rng.standard_normal(self.means[:, 0].shape)
        )

    def log_prob(self, y: Array) -> Array:
        """Nats, ``(N,)``."""
        z = (y[:, None] - self.means) / self.stds
        terms = (-0.5 * (z**2 + _LOG_2PI) - np.log(self.stds)).sum(-1) + np.log(self.weights)
        return np.asarray(np.logaddexp.reduce(terms, axis=1))


def _drawn_mixture(
    about: str, kinds: tuple[str, ...], inputs: Callable[..., Array], law: Callable[[Array], _Mixture]
) -> Drawn:
    def draw(rng: np.random.Generator, rows: int) -> tuple[Array, Array]:
        x = inputs(rng, rows)
        return x, law(x).draw(rng)

    return Drawn(about=about, kinds=kinds, draw=draw, log_prob=lambda x, y: law(x).log_prob(y))


def _even(columns: int, low: float = -1.0, high: float = 1.0) -> Callable[..., Array]:
    return lambda rng, rows: rng.uniform(low, high, (rows, columns))


def _single(mean: Array, std: Array | float) -> _Mixture:
    """One Gaussian a row around a mean ``(N, D)``."""
    return _Mixture(mean[:, None], np.broadcast_to(std, mean.shape)[:, None], np.ones((len(mean), 1)))


def _branches(x: Array) -> _Mixture:
    """Two branches that cross where x is 0; the upper one is the likelier."""
    centre = np.sin(2 * x[:, 1])
    ends = np.stack([centre + 2 * x[:, 0], centre - 2 * x[:, 0]], 1)[..., None]
    return _Mixture(ends, np.full_like(ends, 0.15), np.tile([0.7, 0.3], (len(x), 1)))


def _ring(x: Array) -> _Mixture:
    """Both halves of a circle and, inside it, a third mode."""
    half = np.sqrt(1 - x[:, 0] ** 2)
    ends = np.stack([half, -half, 0.2 * x[:, 1]], 1)[..., None]
    return _Mixture(ends, np.full_like(ends, 0.08), np.tile([0.4, 0.4, 0.2], (len(x), 1)))


def _uneven(x: Array) -> _Mixture:
    return _single(np.sin(3 * x[:, :1]) + x[:, 1:2], 0.05 + 0.6 * np.abs(x[:, :1]))


def _weights(inputs: int, targets: int) -> Array:
    return np.random.default_rng(7).standard_normal((inputs, targets))


def _correlated(targets: int) -> Drawn:
    """y = W x + L e: Gaussian around a line, correlation 0.6 between any two targets."""
    factor = np.linalg.cholesky(0.25 * (0.6 + 0.4 * np.eye(targets)))
    log_det = np.log(np.diag(factor)).sum()

    def draw(rng: np.random.Generator, rows: int) -> tuple[Array, Array]:
        x = rng.standard_normal((rows, 4))
        return x, x @ _weights(4, targets) + rng.standard_normal((rows, targets)) @ factor.T

    def log_prob(x: Array, y: Array) -> Array:
        z = np.linalg.solve(factor, (y - x @ _weights(4, targets)).T)
        return np.asarray(-0.5 * (z**2 + _LOG_2PI).sum(0) - log_det)

    return Drawn(
        about=f"{targets} targets, linear with correlated Gaussian errors, 4 inputs",
        kinds=("several targets",),
        draw=draw,
        log_prob=log_prob,
    )


def _two_clouds(targets: int, x: Array) -> _Mixture:
    """All targets go up together or down together."""
    centre = x @ _weights(x.shape[1], targets) * 0.3
    shift = 1.0 + 0.5 * x[:, :1]
    means = np.stack([centre + shift, centre - shift], 1)
    return _Mixture(means, np.full_like(means, 0.35), np.tile([0.6, 0.4], (len(x), 1)))


def _steps(x: Array) -> _Mixture:
    """A tree of depth 4 on four of 24 columns; the other 20 say nothing."""
    high = x[:, :4] > np.array([0.0, 0.3, -0.3, 0.0])
    mean = np.where(high[:, 0], np.where(high[:, 1], 3.0, 1.0), np.where(high[:, 2], -1.0, -3.0))
    return _single((mean + np.where(high[:, 3], 0.8, -0.8))[:, None], 0.3)


def _one_hot(rng: np.random.Generator, rows: int) -> Array:
    """Two categories with 8 and 5 levels as zeros and ones, then one number."""
    parts = [np.eye(8)[rng.integers(8, size=rows)], np.eye(5)[rng.integers(5, size=rows)]]
    return np.concatenate([*parts, rng.uniform(-1, 1, (rows, 1))], 1)


def _categories(x: Array) -> _Mixture:
    levels = np.random.default_rng(11)
    base, slope = levels.normal(0, 1.5, 8), levels.normal(0, 1.0, 5)
    mean = x[:, :8] @ base + (x[:, 8:13] @ slope) * x[:, 13]
    return _single(mean[:, None], 0.2 + 0.3 * x[:, 8:9])


def _friedman(x: Array) -> _Mixture:
    """Friedman, Annals of Statistics 1991: ten columns, five of which matter."""
    mean = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    return _single(mean[:, None], 1.0)


def _heavy() -> Drawn:
    """Student's t with 2.5 degrees of freedom around a wave."""
    freedom, scale = 2.5, 0.3
    constant = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)
    constant -= 0.5 * math.log(freedom * math.pi) + math.log(scale)

    def centre(x: Array) -> Array:
        return np.asarray(np.sin(3 * x[:, :1]) + 0.5 * x[:, 1:2])

    def draw(rng: np.random.Generator, rows: int) -> tuple[Array, Array]:
        x = rng.uniform(-1, 1, (rows, 4))
        return x, centre(x) + scale * rng.standard_t(freedom, (rows, 1))

    def log_prob(x: Array, y: Array) -> Array:
        z = ((y - centre(x)) / scale)[:, 0]
        return np.asarray(constant - (freedom + 1) / 2 * np.log1p(z**2 / freedom))

    about = "errors of Student's t with 2.5 degrees of freedom, 4 inputs"
    return Drawn(about=about, kinds=("uneven noise",), draw=draw, log_prob=log_prob)


def _shares() -> Drawn:
    """A share in (0, 1): a Beta density that leans against one end or the other."""

    def law(x: Array) -> tuple[Array, Array]:
        centre = 1 / (1 + np.exp(-2.5 * x[:, 0]))
        spread = np.exp(1.5 + x[:, 1])
        return centre * spread + 0.3, (1 - centre) * spread + 0.3

    def draw(rng: np.random.Generator, rows: int) -> tuple[Array, Array]:
        x = rng.uniform(-1, 1, (rows, 3))
        return x, rng.beta(*law(x))[:, None].clip(1e-9, 1 - 1e-9)

    def log_prob(x: Array, y: Array) -> Array:
        a, b = law(x)
        constant = [math.lgamma(i + j) - math.lgamma(i) - math.lgamma(j) for i, j in zip(a, b)]
        return np.asarray(constant + (a - 1) * np.log(y[:, 0]) + (b - 1) * np.log1p(-y[:, 0]))

    return Drawn(
        about="a share in (0, 1), Beta, 3 inputs", kinds=("bounds or counts",), draw=draw, log_prob=log_prob
    )


def _counts() -> Drawn:
    """Poisson counts with a mean from 0.5 to about 20."""

    def mean(x: Array) -> Array:
        return np.asarray(np.exp(1.2 + 1.3 * x[:, 0] + 0.5 * x[:, 1]))

    def draw(rng: np.random.Generator, rows: int) -> tuple[Array, Array]:
        x = rng.uniform(-1, 1, (rows, 3))
        return x, rng.poisson(mean(x)).astype(float)[:, None]

    def log_prob(x: Array, y: Array) -> Array:
        factorial = np.array([math.lgamma(k + 1) for k in y[:, 0]])
        return np.asarray(y[:, 0] * np.log(mean(x)) - mean(x) - factorial)

    return Drawn(
        about="Poisson counts, 3 inputs",
        kinds=("bounds or counts",),
        draw=draw,
        log_prob=log_prob,
        step=1.0,
    )


def _clouds(targets: int) -> Drawn:
    return _drawn_mixture(
        f"{targets} targets that go up or down together, 4 inputs",
        ("several modes", "several targets"),
        lambda rng, rows: rng.standard_normal((rows, 4)),
        partial(_two_clouds, targets),
    )


DRAWN: Mapping[str, Drawn] = MappingProxyType(
    {
        "branches": _drawn_mixture(
            "two branches that cross, 3 inputs", ("several modes",), _even(3), _branches
        ),
        "ring": _drawn_mixture(
            "a circle and a third mode in it, 2 inputs", ("several modes",), _even(2), _ring
        ),
        "heteroscedastic": _drawn_mixture(
            "Gaussian noise of 0.05 to 0.65, 4 inputs", ("uneven noise",), _even(4), _uneven
        ),
        "heavy-tailed": _heavy(),
        "bounded": _shares(),
        "counts": _counts(),
        "gaussian-2d": _correlated(2),
        "gaussian-4d": _correlated(4),
        "bimodal-2d": _clouds(2),
        "bimodal-4d": _clouds(4),
        "tree-noise": _drawn_mixture(
            "eight steps on 4 columns and 20 columns of noise", ("steps and categories",), _even(24), _steps
        ),
        "one-hot": _drawn_mixture(
            "two categories with 8 and 5 levels, one number", ("steps and categories",), _one_hot, _categories
        ),
        "friedman1": _drawn_mixture(
            "10 inputs, five matter", ("smooth dependence",), _even(10, 0.0, 1.0), _friedman
        ),
    }
)
