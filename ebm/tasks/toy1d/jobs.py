"""What a study consists of: jobs, each one method on one data set with all its seeds."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ebm.checks import require_count
from ebm.exceptions import DomainError, InputError
from ebm.lookup import unknown_name
from ebm.tasks.toy1d.evaluation import EPSILON, GRID_SIZE
from ebm.tasks.toy1d.methods import ToyMethod, method
from ebm.tasks.toy1d.optimisation import PUBLISHED, Optimisation

__all__ = ["RECIPE", "Recipe", "ToyJob", "Variant", "make_job", "unique"]

_FORMAT = 1  # raised when the training changes so that old results no longer compare


@dataclass(frozen=True, kw_only=True)
class ToyJob:
    """One method on one data set: everything that its result depends on.

    Attributes:
        method: loss and its settings.
        data_set: 1 or 2.
        seeds: one initialisation, order of the data and noise each.
        data_seed: of the training set.
        train_size: N, training pairs.
        epochs: passes over them.
        batch_size: B.
        optimisation: first weights, optimiser, learning rate.
        grid_size: G of the evaluation.
        epsilon: added to the true density in the evaluation.
    """

    method: ToyMethod
    data_set: int
    seeds: tuple[int, ...]
    data_seed: int = 0
    train_size: int = 2000
    epochs: int = 75
    batch_size: int = 32
    optimisation: Optimisation = PUBLISHED
    grid_size: int = GRID_SIZE
    epsilon: float = EPSILON

    def training(self) -> dict[str, Any]:
        """What the weights depend on, as plain values."""
        return {
            "format": _FORMAT,
            "method": self.method.settings(),
            "data_set": self.data_set,
            "data_seed": self.data_seed,
            "train_size": self.train_size,
            "seeds": list(self.seeds),
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "learning_rate": self.optimisation.learning_rate,
            # What is as published is left unsaid, as in the files of earlier versions.
            **{key: value for key, value in _unusual(self.optimisation) if key != "learning_rate"},
        }

    def evaluation(self) -> dict[str, Any]:
        """What the divergences depend on in addition, as plain values."""
        return {"grid_size": self.grid_size, "epsilon": self.epsilon}

    @property
    def weights_name(self) -> str:
        """File name without suffix: readable, and different for every training."""
        samples = f"-m{self.method.num_samples}" if "num_samples" in self.method.settings() else ""
        return f"ds{self.data_set}-{self.method.name}{samples}-{_digest(self.training())}"

    @property
    def result_name(self) -> str:
        """File name without suffix; the published evaluation is left unsaid."""
        usual = self.evaluation() == {"grid_size": GRID_SIZE, "epsilon": EPSILON}
        return self.weights_name + ("" if usual else f"-eval-{_digest(self.evaluation())}")

    def describe(self) -> str:
        """A few words for progress lines and errors: what it is, and how it differs from the recipe."""
        settings = self.method.settings()
        usual = method(self.method.name, self.data_set).settings()
        differs = [f"{key} {settings[key]}" for key in settings if settings[key] != usual[key]]
        for key, value in (
            ("data_seed", 0),
            ("train_size", 2000),
            ("epsilon", EPSILON),
            ("grid_size", GRID_SIZE),
        ):
            if getattr(self, key) != value:
                differs.append(f"{key} {getattr(self, key):g}")
        differs += [f"{key} {value}" for key, value in _unusual(self.optimisation)]
        return f"{self.method.label} on data set {self.data_set}" + (
            f" ({', '.join(differs)})" if differs else ""
        )


def _unusual(optimisation: Optimisation) -> list[tuple[str, Any]]:
    """Where an optimisation differs from the published one."""
    usual = asdict(PUBLISHED)
    return [(key, value) for key, value in asdict(optimisation).items() if value != usual[key]]


def _digest(config: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:10]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How long and with how many runs and samples a study trains; the published recipe by default.

    Attributes:
        runs: initialisations, seeds 0 to `runs` - 1.
        samples: M; None leaves the method's own.
        epochs: passes over the data.
        data_seed: of the training sets.
        beta_mode: reading of NCE+'s beta.
    """

    runs: int = 20
    samples: int | None = None
    epochs: int = 75
    data_seed: int = 0
    beta_mode: str = "std"

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            DomainError: if a count is below 1.
        """
        for name, least in (("runs", 1), ("epochs", 1), ("data_seed", 0)):
            require_count(name, getattr(self, name), least)
        if self.samples is not None:
            require_count("samples", self.samples)


def _switch(word: str) -> bool:
    if word not in ("on", "off"):
        raise ValueError(word)
    return word == "on"


_OPTIMISATION = ("of the optimisation",)  # no loss has this name
# Keys of a variant: how the value is read, what it sets, and which losses it concerns (the job where empty).
_KEYS: dict[str, tuple[Callable[[str], Any], str, tuple[str, ...]]] = {
    "share": (_switch, "share_across_batch", ("ml-is", "kld-is", "nce", "nce+", "cnce")),
    "beta": (float, "beta", ("nce+",)),
    "beta-mode": (str, "beta_mode", ("nce+",)),
    "label-sigma": (float, "label_sigma", ("kld-is",)),
    "dsm-sigma": (float, "dsm_sigma", ("dsm",)),
    "alpha": (float, "langevin_alpha", ("ml-mcmc",)),
    "init": (str, "init", _OPTIMISATION),
    "optimiser": (str, "optimiser", _OPTIMISATION),
    "lr": (float, "learning_rate", _OPTIMISATION),
    "schedule": (str, "schedule", _OPTIMISATION),
    "data-seed": (int, "data_seed", ()),
    "train-size": (int, "train_size", ()),
    "epsilon": (float, "epsilon", ()),
    "grid": (int, "grid_size", ()),
}


@dataclass(frozen=True)
class Variant:
    """Settings that differ from the recipe, to test an explanation.

    Attributes:
        name: as given, e.g. ``"share=off,data-seed=1"``; empty for the recipe itself.
        changes: pairs of key and value.
    """

    name: str = ""
    changes: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Variant":
        """A variant from ``"key=value,key=value"``, or the recipe from ``"recipe"``.

        Raises:
            UnknownNameError: if there is no such key.
            InputError: if a value is missing or cannot be read.
        """
        if text.strip() in ("", "recipe"):
            return RECIPE
        changes = []
        for part in text.split(","):
            key, equals, word = (piece.strip() for piece in part.partition("="))
            if key not in _KEYS:
                raise unknown_name("variant setting", key, _KEYS, f"Settings: {', '.join(_KEYS)}.")
            try:
                changes.append((key, _KEYS[key][0](word) if equals and word else _missing()))
            except ValueError as error:
                raise InputError(
                    f"Variant {part.strip()!r}: {key} takes a value like {key}={_example(key)}."
                ) from error
        return cls(",".join(f"{key}={_word(value)}" for key, value in changes), tuple(changes))

    def of_method(self, loss: str) -> dict[str, Any]:
        """Changes of a `ToyMethod` with this loss."""
        return {_KEYS[key][1]: value for key, value in self.changes if loss in _KEYS[key][2]}

    def of_optimisation(self) -> dict[str, Any]:
        """Changes of an `Optimisation`."""
        return {_KEYS[key][1]: value for key, value in self.changes if _KEYS[key][2] == _OPTIMISATION}

    def of_job(self) -> dict[str, Any]:
        """Changes of a `ToyJob`."""
        return {_KEYS[key][1]: value for key, value in self.changes if not _KEYS[key][2]}


RECIPE = Variant()


def _missing() -> Any:
    raise ValueError("no value")


def _word(value: Any) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else f"{value}"


def _example(key: str) -> str:
    return {
        "share": "off",
        "beta-mode": "variance",
        "epsilon": "1e-12",
        "grid": "1024",
        "init": "xavier",
        "optimiser": "amsgrad",
        "lr": "0.002",
        "schedule": "cosine",
        "train-size": "1000",
    }.get(key, "1" if _KEYS[key][0] is int else "0.1")


def make_job(name: str, data_set: int, recipe: Recipe, variant: Variant = RECIPE) -> ToyJob:
    """The job of a method on a data set.

    Args:
        name: see `ebm.tasks.toy1d.methods.method`.
        data_set: 1 or 2.
        recipe: runs, samples, epochs, seed of the data.
        variant: what else to set.

    Raises:
        UnknownNameError: if there is no such method, beta mode, initialisation, optimiser or schedule.
        DomainError: if a setting is outside its domain.
    """
    base = method(name, data_set)
    changes: dict[str, Any] = {"num_samples": recipe.samples}
    if base.loss == "nce+":
        changes["beta_mode"] = recipe.beta_mode
    chosen = method(name, data_set, **(changes | variant.of_method(base.loss)))
    of_job = {"data_seed": recipe.data_seed} | variant.of_job()
    for key, least in (("data_seed", 0), ("train_size", 1), ("grid_size", 2)):
        require_count(key, of_job.get(key, least), least)
    if not 0 <= of_job.get("epsilon", EPSILON) < float("inf"):
        raise DomainError(f"epsilon must be finite and >= 0, got {of_job['epsilon']!r}.")
    seeds = tuple(range(recipe.runs))
    return ToyJob(
        method=chosen,
        data_set=data_set,
        seeds=seeds,
        epochs=recipe.epochs,
        optimisation=replace(PUBLISHED, **variant.of_optimisation()),
        **of_job,
    )


def unique(jobs: Sequence[ToyJob]) -> list[ToyJob]:
    """The jobs without repetitions, in order."""
    return list({job.result_name: job for job in jobs}.values())
