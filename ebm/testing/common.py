"""What the contract tests share: plain words, guarded randomness, and statistics of draws."""

import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "check_randomness",
    "generator_on",
    "kolmogorov",
    "promise",
    "require_like",
    "require_mass",
    "untouched_randomness",
]

# Standard errors that a statistic may be off; by chance one in a million is.
SURE = 5.0
# sqrt(n) times Kolmogorov's statistic exceeds this by chance once in 3,000 cases.
KOLMOGOROV = 2.2
# Draws in a box below which nothing is said of it.
FEWEST = 50
# Ends of the boxes whose mass is compared, in quantiles of the draws.
BOXES = ((0.1, 0.9), (0.25, 0.75), (0.1, 0.5), (0.5, 0.9))


def promise(kept: bool | Tensor, broken: str) -> None:
    """Raise an AssertionError unless a promise is kept; unlike ``assert`` also under ``python -O``.

    Raises:
        AssertionError: with `broken`.
    """
    if not bool(kept):
        raise AssertionError(broken)


def generator_on(device: torch.device, seed: int) -> torch.Generator:
    """A fresh generator."""
    return torch.Generator(device).manual_seed(seed)


@contextmanager
def untouched_randomness(what: str) -> Iterator[None]:
    """See that the global randomness of torch, NumPy and Python stays where it is.

    Raises:
        AssertionError: if it does not.
    """
    before = _states()
    yield
    used = [one != other for one, other in zip(before, _states(), strict=True)]
    names = [name for name, moved in zip(("torch", "NumPy", "Python"), used, strict=True) if moved]
    promise(
        not names,
        f"{what} draws from the global randomness of {' and '.join(names)} although a generator is given: "
        "pass the generator on to every draw.",
    )


def _states() -> tuple[bytes, bytes, Any]:
    numpy_state: Any = np.random.get_state()  # noqa: NPY002
    where = str(numpy_state[2:]).encode()
    return torch.get_rng_state().numpy().tobytes(), numpy_state[1].tobytes() + where, random.getstate()


def check_randomness(
    what: str, run: Callable[[torch.Generator], Tensor], device: torch.device, *, is_random: bool = True
) -> None:
    """See that results are those of the generator, and of nothing else.

    Args:
        what: the subject of the sentences.
        run: the result given a generator.
        device: of the generator.
        is_random: whether anything is drawn at all.

    Raises:
        AssertionError: if that is not so.
    """
    with untouched_randomness(what):
        first = run(generator_on(device, 1))
    again, other = run(generator_on(device, 1)), run(generator_on(device, 2))
    promise(
        torch.equal(first, again),
        f"{what} gives two results with two generators of the same seed: "
        "draw from the generator alone, and keep no state between calls.",
    )
    if is_random:
        promise(
            not torch.equal(first, other),
            f"{what} gives the same result whatever the seed of the generator: it ignores the generator.",
        )
    else:
        promise(torch.equal(first, other), f"{what} is said to draw nothing, but depends on the generator.")


def require_like(
    what: str, value: Any, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> None:
    """See that a result is a tensor of that shape, dtype and device, and carries no graph.

    Raises:
        AssertionError: if it is not.
    """
    promise(isinstance(value, Tensor), f"{what} must be a tensor, got {type(value).__name__}.")
    promise(tuple(value.shape) == shape, f"{what} must have the shape {shape}, got {tuple(value.shape)}.")
    promise(value.dtype == dtype, f"{what} must be {dtype} where the input is, got {value.dtype}.")
    promise(
        value.device.type == device.type,
        f"{what} must stay on {device}, where the input is; got {value.device}.",
    )
    promise(not value.requires_grad, f"{what} must carry no graph: detach it, or compute it under no_grad.")


def kolmogorov(u: Tensor) -> tuple[float, float]:
    """Largest gap between the distribution of `u` ``(n,)`` and the uniform one, and what chance explains."""
    n, ordered = len(u), u.double().sort().values
    steps = torch.arange(n + 1, dtype=torch.float64, device=u.device) / n
    gap = torch.maximum((ordered - steps[:-1]).abs(), (steps[1:] - ordered).abs()).amax().item()
    return gap, KOLMOGOROV / math.sqrt(n)


def require_mass(
    what: str,
    draws: Tensor,
    log_prob: Callable[[Tensor], Tensor],
    tolerance: float,
    generator: torch.Generator,
) -> None:
    """See that draws follow a density that integrates to 1, in any number of dimensions.

    For uniform points of density u in a box and any weight h, the mean of h u over draws of q is the mean of
    h q over the points. With h = 1 / (q + c u) neither has a tail, wherever q is small or 0 (bridge
    sampling); where log q is off by a constant, the second is that factor times the first.

    Args:
        what: the subject of the sentence.
        draws: ``(n, D)``.
        log_prob: their log-density, ``(n, D) -> (n,)``.
        tolerance: share of the density that may be missing, beside chance.
        generator: for uniform points.

    Raises:
        AssertionError: if a box has another mass by the draws than by the density.

    Source: Meng and Wong, Statistica Sinica 1996.
    """
    log_q = log_prob(draws).double()
    for ends in BOXES:
        levels = torch.tensor(ends, dtype=draws.dtype, device=draws.device)
        low, high = torch.quantile(draws, levels, dim=0)
        inside = ((draws >= low) & (draws <= high)).all(-1)
        if int(inside.sum()) < FEWEST:
            continue
        u = torch.rand(draws.shape, dtype=draws.dtype, device=draws.device, generator=generator)
        log_volume = (high - low).double().log().sum()
        log_c = inside.double().mean().log() - log_volume
        at_points = (log_prob(low + (high - low) * u).double() - log_c).sigmoid()
        at_draws = torch.where(inside, (log_c - log_q).sigmoid() / inside.double().mean(), 0)
        (first, first_error), (second, second_error) = _mean_and_error(at_draws), _mean_and_error(at_points)
        error = math.hypot(first_error / first, second_error / max(second, 1e-300))
        promise(
            abs(second / first - 1) <= SURE * error + tolerance,
            f"{what}: its draws and its log_prob disagree, or log_prob does not integrate to 1: by the draws "
            f"densities are {second / first:.3g} times what they should be (give or take "
            f"{SURE * error + tolerance:.2g}); look for a missing constant, such as log sqrt(2 pi), or a log "
            "determinant.",
        )


def _mean_and_error(values: Tensor) -> tuple[float, float]:
    return values.mean().item(), values.std().item() / math.sqrt(len(values))
