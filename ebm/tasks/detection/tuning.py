"""Settings chosen on pictures that nothing is reported on: step length of refinement, learning rate."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch

from ebm.exceptions import InputError, NumericalError
from ebm.tasks.cells import Record
from ebm.tasks.detection.loading import Saved
from ebm.tasks.detection.recipes import SETTABLE, BranchRecipe, Recipe

__all__ = ["best_trial", "over_seeds", "rates_of", "require_finite", "tuned_step", "with_rate", "with_step"]

# AP in percent of a branch or head, used as its recipe says.
Score = Callable[[Saved], float]
# Where the search for a step length begins: of positions in relative space, and of IoU-Net's own space.
FIRST_STEP, FIRST_PLAIN_STEP = 1e-4, 0.0625
MOST_DOUBLINGS = 8
STEP_RATIO = 4.0
LARGEST = torch.finfo(torch.float32).max


def with_rate(recipe: Recipe, factor: float) -> Recipe:
    """The recipe with `factor` times its learning rate.

    Raises:
        InputError: if weights of single precision cannot be moved by it.
    """
    rate = recipe.optimisation.rate * factor
    if not 0 < rate * max(1.0, recipe.optimisation.bias_factor) <= LARGEST:
        raise InputError(
            f"the learning rate of {recipe.name} is {recipe.optimisation.rate:g}, and {factor:g} times it "
            f"{rate:g}: choose a factor nearer to 1."
        )
    return replace(recipe, optimisation=replace(recipe.optimisation, rate=rate))


def with_step(recipe: BranchRecipe, step: float) -> BranchRecipe:
    """The recipe with a step length: of positions and, four times it, of sizes; or one of both."""
    pair = isinstance(recipe.refine.step_length, tuple)
    refine = replace(recipe.refine, step_length=(step, STEP_RATIO * step) if pair else step)
    return replace(recipe, method=replace(recipe.method, refine=refine))


def tuned_step(
    saved: Saved, recipe: BranchRecipe, score: Score, say: Callable[[str], None]
) -> tuple[float, Mapping[float, float]]:
    """The step length of the best AP.

    Args:
        saved: a trained branch.
        recipe: of it.
        score: on pictures to tune on.
        say: told of every step that is tried.

    Returns:
        The step length, and the AP of each that was tried; 0 stands for no refinement.

    Raises:
        NumericalError: if a refinement leaves the finite numbers.

    Source: Gustafsson et al., BMVC 2020, appendix B: doubled while AP rises, position to size 1 to 4; halved
        where the first step is too long already.
    """
    pair = isinstance(recipe.refine.step_length, tuple)
    unrefined = SETTABLE.set_fields(recipe, ["method.refine.steps=0"])
    tried = {0.0: score(replace(saved, recipe=unrefined))}

    def of_step(step: float) -> float:
        if step not in tried:
            tried[step] = score(replace(saved, recipe=with_step(recipe, step)))
            say(f"  step {step:g}: AP {tried[step]:.2f} (unrefined {tried[0.0]:.2f})")
        return tried[step]

    start = FIRST_STEP if pair else FIRST_PLAIN_STEP
    for factor in (2.0, 0.5):  # longer while AP rises; if not even the second did, shorter
        _search(of_step, start, factor)
        if len(tried) > 3:
            break
    return max((known for known in tried if known > 0), key=tried.__getitem__), tried


def _search(of_step: Callable[[float], float], step: float, factor: float) -> None:
    """Try steps, each `factor` times the one before, until AP falls, or shorter ones change nothing."""
    before = -math.inf
    for _ in range(MOST_DOUBLINGS):
        found = of_step(step)
        if found < before or (factor < 1 and found == before):
            break
        before, step = found, factor * step


def require_finite(saved: Saved) -> None:
    """Refuse a training whose last step left the finite numbers.

    Raises:
        NumericalError: if a weight is not finite.
    """
    for name, value in saved.net.state_dict().items():
        if not value.isfinite().all():
            raise NumericalError(f"after the last iteration {name} is not finite: lower the learning rate.")


def over_seeds(trials: Sequence[Record]) -> list[Record]:
    """One trial for each factor on the rate, of those with several seeds.

    Its AP is their mean, and its step length the best by mean AP of those that all have tried. Where one
    seed has failed the factor has: the next may, too.

    Args:
        trials: of one method.
    """
    grouped: dict[float, list[Record]] = {}
    for trial in trials:
        grouped.setdefault(trial["cell"]["factor"], []).append(trial)
    return [_mean_of(own) for own in grouped.values()]


def _mean_of(trials: list[Record]) -> Record:
    failed = next((trial for trial in trials if trial["AP"] is None), None)
    if failed is not None or len(trials) == 1:
        return failed or trials[0]
    found = {**trials[0], "AP": statistics.fmean(trial["AP"] for trial in trials)}
    if "tuning" in found:
        tables: list[dict[str, float]] = [trial["tuning"] for trial in trials]
        shared = [step for step in tables[0] if all(step in table for table in tables)]
        means = {step: statistics.fmean(table[step] for table in tables) for step in shared}
        best = max((step for step in means if float(step) > 0), key=means.__getitem__)
        found |= {"tuning": means, "step": float(best)}
    return found


def best_trial(trials: Sequence[Record]) -> Record:
    """The trial of a learning rate that has the best AP on the tuning pictures; of equals the first.

    Args:
        trials: of one method; fields ``rate``, ``AP``, and ``failed``, why one has no AP.

    Raises:
        NumericalError: if all have failed.
    """
    known = [trial for trial in trials if trial["AP"] is not None]
    if not known:
        method = trials[0]["cell"]["method"]
        reasons = "; ".join(f"{trial['rate']:g}: {trial['failed']}" for trial in trials)
        raise NumericalError(
            f"{method} failed at every learning rate that was tried ({reasons}). Give other factors with "
            f"--rates or --rates-of {method}=FACTOR."
        )
    return max(known, key=lambda trial: float(trial["AP"]))


def rates_of(trials: Sequence[Record]) -> dict[str, float | None]:
    """The AP of every learning rate that was tried; None of one that failed."""
    return {f"{trial['rate']:.12g}": trial["AP"] for trial in trials}
