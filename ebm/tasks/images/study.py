"""The paper's experiment: baselines, energies, and every baseline's predictions refined by every energy."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebm.fitting import FittedEBM
from ebm.images.fit import Featured
from ebm.scores import evaluate
from ebm.tasks.cells import Record
from ebm.tasks.images.methods import Data, Point, fit_baseline, fit_energy, prepare, refined
from ebm.tasks.images.task import Recipe, Task

__all__ = ["AROUND", "LEVELS", "Study", "rows_of", "scores_of", "training_rows"]

# Behind the name of a loss: noise and energy go around the circle.
AROUND = "/circle"
LEVELS = (0.5, 0.8, 0.9, 0.95)


@dataclass(frozen=True, eq=False)
class Study:
    """A task's pictures as features, and what is measured on them.

    Attributes:
        task: whose study it is.
        recipe: of all trainings.
        parts: "train", "validation" and "test".
    """

    task: Task
    recipe: Recipe
    parts: Mapping[str, Featured]

    @cache  # noqa: B019  a study lives as long as its command
    def data(self) -> Data:
        """Rows to train on and to choose on."""
        return prepare(training_rows(self.parts["train"], self.task), rows_of(self.parts["validation"]))

    def inputs(self, part: str) -> tuple[Tensor, Tensor]:
        """Standardised features ``(N, F)`` and raw targets ``(N, D)`` of a part."""
        x, y = rows_of(self.parts[part])
        return self.data().scaling.inputs(x, torch.device("cpu")), torch.as_tensor(y)

    def of_seed(self, seed: int, baselines: Sequence[str], energies: Sequence[str]) -> Record:
        """All methods with one seed, on the test pictures."""
        x, y = self.inputs("test")
        start = time.perf_counter()
        trained = {name: self.energy(name, seed) for name in energies}
        record: Record = {"energies": {}, "baselines": {}, "refined": {name: {} for name in energies}}
        for name, energy in trained.items():
            record["energies"][name] = scores_of(energy, self.parts["test"], self.task)
        for name in baselines:
            point = fit_baseline(name, self.task, self.recipe, self.data(), seed)
            guess = point.predict(x).double()
            record["baselines"][name] = errors(guess, y, self.task) | density_scores(point, x, y)
            for loss, energy in trained.items():
                record["refined"][loss][name] = errors(refined(energy, x, guess, self.task), y, self.task)
        return record | {"seconds": time.perf_counter() - start}

    def energy(self, name: str, seed: int) -> FittedEBM:
        """An energy by the name of its loss, with `AROUND` behind it one of angles."""
        loss = name.removesuffix(AROUND)
        period = self.task.period if name.endswith(AROUND) else None
        return fit_energy(loss, self.recipe, self.data(), seed, period=period)

    def of_sigmas(self, sigmas: Sequence[float], seed: int) -> Record:
        """Direct L2 refined by an ML-IS energy of these sigmas, on the validation pictures."""
        x, y = self.inputs("validation")
        recipe = replace(self.recipe, sigmas=tuple(sigmas))
        energy = fit_energy("ml-is", recipe, self.data(), seed)
        guess = fit_baseline("Direct-L2", self.task, self.recipe, self.data(), seed).predict(x).double()
        found = errors(refined(energy, x, guess, self.task), y, self.task)
        return {"MAE": found["MAE"], "base": errors(guess, y, self.task)["MAE"]}


def scores_of(fitted: FittedEBM, some: Featured, task: Task) -> dict[str, Any]:
    """Errors of a density's mean, its likelihood, CRPS and coverage, on pictures.

    Coverage is that of highest-density sets.
    """
    x, y = rows_of(some)
    whole, rows = fitted.once(), x.numpy()
    mean = torch.as_tensor(np.asarray(whole.predict(rows))).reshape(len(y), -1)
    targets = y[:, 0] if fitted.scaling.flat else y
    scores, ranks = whole.evaluate(rows, targets), whole.reliability(rows, targets, LEVELS)
    coverage = {str(level): float(share) for level, share in zip(LEVELS, ranks.observed)}
    return errors(mean, torch.as_tensor(y), task) | named_scores(scores) | {"coverage": coverage}


def rows_of(some: Featured) -> tuple[Tensor, NDArray[np.float64]]:
    """Features ``(N, F)`` and targets ``(N, D)`` of pictures."""
    return some.x, some.labelled.y


def training_rows(some: Featured, task: Task) -> tuple[Tensor, NDArray[np.float64]]:
    """The same to train on: mirrored views are pictures of their own where targets change with the sides."""
    x, y = rows_of(some)
    if some.encoder.recipe.symmetric or some.features.shape[1] == 1:
        return x, y
    mirrored = some.features[:, 1].double()
    return torch.cat((x, mirrored)), np.concatenate((y, y * np.array(task.mirrored)))


def errors(guess: Tensor, y: Tensor, task: Task) -> dict[str, Any]:
    """Mean absolute error, of every target and of all, and the share of errors up to `Task.close`."""
    off = (guess.double() - y.double()).abs()
    if task.period is not None:  # the shorter way around
        off = torch.remainder(off, task.period)
        off = torch.minimum(off, task.period - off)
    each = off.mean(0).tolist()
    return {
        "MAE": off.mean().item(),
        "each": dict(zip(task.targets, each)),
        "close": (off <= task.close).double().mean().item(),
    }


def density_scores(point: Point, x: Tensor, y: Tensor) -> dict[str, Any]:
    """Likelihood and CRPS of a baseline that has a density; of others nothing."""
    if not point.dense:
        return {}
    return named_scores(evaluate(point.density(x), y.float()))


def named_scores(scores: Any) -> dict[str, float]:
    """Those of the table."""
    found = {score.name: score.mean for score in scores.scores}
    crps = [value for name, value in found.items() if name.startswith("CRPS")]
    return {"NLL": found["log score"], "CRPS": sum(crps) / len(crps)}
