"""Step lengths and learning rates chosen by AP: on curves of AP that are known."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from ebm.exceptions import InputError, NumericalError
from ebm.tasks.detection.branch import ConfidenceBranch
from ebm.tasks.detection.loading import Saved
from ebm.tasks.detection.recipes import BranchRecipe, find_recipe
from ebm.tasks.detection.tuning import best_trial, over_seeds, rates_of, require_finite, tuned_step, with_rate


def saved_as(name: str) -> tuple[Saved, BranchRecipe]:
    recipe = find_recipe(name, "light")
    assert isinstance(recipe, BranchRecipe)
    return Saved(ConfidenceBranch(2, 1, hidden=2, bins=1), recipe, ("", "cat"), (), ""), recipe


def peak_at(best: float) -> Callable[[Saved], float]:
    """AP by step length: highest at one, and lower the more doublings away; unrefined 0."""

    def score(saved: Saved) -> float:
        recipe = saved.recipe
        assert isinstance(recipe, BranchRecipe)
        step = recipe.refine.step_length
        if not recipe.refine.steps:
            return 0.0
        if isinstance(step, tuple):
            assert step[1] == pytest.approx(4 * step[0])
            step = step[0]
        return 50.0 - abs(math.log2(step / best))

    return score


@pytest.mark.parametrize(("name", "first"), [("nce+", 1e-4), ("iou-net", 0.0625)])
@pytest.mark.parametrize("doublings", [-5, -1, 0, 1, 4])
def test_the_best_step_is_found_on_both_sides_of_the_first(name: str, first: float, doublings: int) -> None:
    saved, recipe = saved_as(name)
    said: list[str] = []
    best = first * 2.0**doublings
    step, tried = tuned_step(saved, recipe, peak_at(best), said.append)
    assert step == best
    assert tried[step] == 50.0
    assert tried[0.0] == 0.0
    assert len(said) == len(tried) - 1  # none is tried twice
    assert max(tried) == 2 * max(best, first)


def test_the_search_ends_where_ap_never_falls() -> None:
    saved, recipe = saved_as("nce+")
    step, tried = tuned_step(saved, recipe, peak_at(1e9), lambda words: None)
    assert step == 1e-4 * 2**7
    assert len(tried) == 9


def trial(rate: float, ap: float | None, **more: Any) -> dict[str, Any]:
    return {"cell": {"method": "dsm"}, "rate": rate, "AP": ap, **more}


def test_the_best_rate_is_that_of_the_best_ap_and_failures_are_told() -> None:
    failed = trial(0.1, None, failed="the loss is inf")
    trials = [trial(0.001, 41.0), trial(3 * 0.003, 43.0), trial(0.02, 43.0), failed]
    assert best_trial(trials) is trials[1]
    assert rates_of(trials) == {"0.001": 41.0, "0.009": 43.0, "0.02": 43.0, "0.1": None}
    words = r"dsm failed at every .* \(0.1: the loss is inf\).*--rates-of dsm="
    with pytest.raises(NumericalError, match=words):
        best_trial([failed])


def test_trials_of_several_seeds_become_one() -> None:
    def trial(factor: float, ap: float | None, **tuning: float) -> dict[str, Any]:
        table = {name.replace("_", "."): value for name, value in tuning.items()}
        made = {"cell": {"method": "dsm", "factor": factor}, "rate": factor, "AP": ap}
        return made | ({"tuning": table, "step": 9.0} if table else {"failed": "diverged"})

    zero, half, two = ({name: value} for name, value in (("0", 50.0), ("0_5", 41.0), ("2", 43.0)))
    low = [trial(1, 43.0, **zero, **half, **two), trial(1, 46.0, **zero, **{"0_5": 46.0, "4": 47.0})]
    high = [trial(3, 60.0, **zero, **half), trial(3, None)]
    only = trial(9, 44.0, **zero, **half)
    joined = over_seeds([low[0], high[0], only, low[1], high[1]])
    assert [own["AP"] for own in joined] == [44.5, None, 44.0]
    assert joined[0]["tuning"] == {"0": 50.0, "0.5": 43.5}
    assert joined[0]["step"] == 0.5  # of those that both have tried; 0 is none
    assert joined[1]["failed"] == "diverged"
    assert joined[2] is only
    assert best_trial(joined)["cell"]["factor"] == 1


@pytest.mark.parametrize("name", ["nce+", "gaussian"])
def test_a_factor_multiplies_the_recipes_own_rate_and_nothing_else(name: str) -> None:
    recipe = find_recipe(name, "light")
    assert with_rate(recipe, 1.0).fingerprint() == recipe.fingerprint()
    changed = with_rate(recipe, 3.0)
    assert changed.optimisation.rate == 3 * recipe.optimisation.rate
    assert with_rate(changed, recipe.optimisation.rate / changed.optimisation.rate) == recipe
    for factor in (1e-323, 1e42, 1e308):
        with pytest.raises(InputError, match="choose a factor nearer to 1"):
            with_rate(recipe, factor)


def test_weights_that_are_not_finite_are_refused() -> None:
    saved, _ = saved_as("nce+")
    require_finite(saved)
    next(saved.net.parameters()).data.fill_(math.nan)
    with pytest.raises(NumericalError, match="is not finite: lower the learning rate"):
        require_finite(saved)
