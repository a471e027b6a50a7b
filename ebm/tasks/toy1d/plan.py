"""From what a user asks for to the jobs of every row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from ebm.exceptions import DomainError, InputError
from ebm.tasks.toy1d.jobs import RECIPE, Recipe, ToyJob, Variant, make_job
from ebm.tasks.toy1d.methods import DATA_SETS, METHODS, method
from ebm.tasks.toy1d.rows import RELEASED, RowKey

__all__ = [
    "QUICK",
    "SWEEP_METHODS",
    "SWEEP_SAMPLES",
    "TABLE_METHODS",
    "Counts",
    "Plan",
    "Request",
    "make_plan",
]

Plan = dict[RowKey, dict[int, ToyJob]]

# ML-MCMC-256 costs some 260 times what NCE costs; it is run when it is asked for.
TABLE_METHODS = tuple(name for name in METHODS if name != "ml-mcmc-256")
SWEEP_METHODS = ("ml-is", "kld-is", "nce", "nce+", "cnce")
SWEEP_SAMPLES = tuple(2**power for power in range(11))
# Rows of their own for what the authors' code does otherwise than the study.
_RELEASED: Mapping[str, Sequence[Variant]] = MappingProxyType({"nce+": (Variant.parse(RELEASED),)})
QUICK = Recipe(runs=2, samples=128, epochs=25)


@dataclass(frozen=True)
class Counts:
    """A number for all methods, and other numbers for some.

    Attributes:
        common: for all methods; None leaves it open.
        special: by method.
    """

    common: int | None = None
    special: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def parse(cls, text: str, option: str) -> "Counts":
        """Read ``"20"``, ``"20,ml-mcmc-256=4"`` or ``"ml-mcmc-256=4"``.

        Args:
            text: as given.
            option: its name, for the error.

        Raises:
            InputError: if it cannot be read.
            UnknownNameError: if a method is unknown.
            DomainError: if a number is below 1.
        """
        common, special = None, {}
        for part in text.split(","):
            name, _, word = part.rpartition("=")
            try:
                number = int(word)
            except ValueError as error:
                raise InputError(
                    f"{option} takes a number, and METHOD=NUMBER after a comma: 20,nce=5; got {text!r}."
                ) from error
            if number < 1:
                raise DomainError(f"{option} must be >= 1, got {number}.")
            if name:
                special[method(name.strip()).name] = number
            else:
                common = number
        return cls(common, MappingProxyType(special))

    def of(self, name: str) -> int | None:
        """The number for a method."""
        return self.special.get(name, self.common)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a user asks for; None leaves it to the recipe.

    Attributes:
        methods: names; ``"all"`` stands for all ten.
        data_sets: 1, 2 or both.
        runs: initialisations.
        samples: M.
        epochs: passes over the data.
        beta_mode: reading of NCE+'s beta.
        quick: few runs, samples and epochs where nothing else is said.
        variants: see `ebm.tasks.toy1d.jobs.Variant.parse`; none stands for the recipe,
            and for NCE+ for the released code's sharing of the noise in addition.
    """

    methods: Sequence[str]
    data_sets: Sequence[int] = DATA_SETS
    runs: Counts = Counts()
    samples: Counts = Counts()
    epochs: int | None = None
    beta_mode: str | None = None
    quick: bool = False
    variants: Sequence[str] = ()

    def names(self) -> list[str]:
        """The methods, checked, without repetitions.

        Raises:
            UnknownNameError: if there is no such method.
        """
        words = [word for given in self.methods for word in given.lower().split(",") if word]
        wanted = [name for word in words for name in (METHODS if word == "all" else (word,))]
        if not wanted:
            raise InputError(f"No method was named. Methods: {', '.join(METHODS)}.")
        return list(dict.fromkeys(method(name).name for name in wanted))

    def recipe(self, name: str) -> Recipe:
        """The recipe for a method."""
        base = QUICK if self.quick else Recipe()
        changes: dict[str, Any] = {"runs": self.runs.of(name), "samples": self.samples.of(name)}
        changes |= {"epochs": self.epochs, "beta_mode": self.beta_mode}
        return replace(base, **{key: value for key, value in changes.items() if value is not None})


def make_plan(request: Request, sweep: Sequence[int] | None = None) -> Plan:
    """The rows of a table and the job of each on every data set.

    Args:
        request: methods, data sets, recipe, variants.
        sweep: values of M, each a row; None takes the recipe's.

    Raises:
        UnknownNameError: if a method, variant setting or beta mode is unknown.
        DomainError: if a number is outside its domain.
    """
    data_sets = list(dict.fromkeys(request.data_sets))
    asked = [Variant.parse(text) for text in request.variants]
    plan: Plan = {}
    seen: set[tuple[str, ...]] = set()
    for name in request.names():
        recipe = request.recipe(name)
        for variant in asked or [RECIPE, *_RELEASED.get(name, ())]:
            for samples in sweep or (recipe.samples,):
                varied = replace(recipe, samples=samples)
                jobs = {data_set: make_job(name, data_set, varied, variant) for data_set in data_sets}
                identity = tuple(job.result_name for job in jobs.values())
                if identity not in seen:  # a variant that does not concern a method repeats its recipe
                    seen.add(identity)
                    plan[_key(jobs[data_sets[0]], variant)] = jobs
    return plan


def _key(job: ToyJob, variant: Variant) -> RowKey:
    samples = job.method.num_samples if "num_samples" in job.method.settings() else None
    return RowKey(job.method.name, variant.name, samples)
