"""Rows of a table: what was asked for, and the results that are there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ebm.tasks.toy1d.evaluation import RunSummary
from ebm.tasks.toy1d.jobs import ToyJob
from ebm.tasks.toy1d.methods import label_of
from ebm.tasks.toy1d.store import JobResult

__all__ = ["RELEASED", "Row", "RowKey", "make_rows"]

# The variant of NCE+ that the authors' code trains: one set of offsets and one nu for a whole mini-batch.
RELEASED = "share=on"


@dataclass(frozen=True)
class RowKey:
    """What makes a row of a table: a method, a variant of the recipe, M (None for SM)."""

    name: str
    variant: str
    samples: int | None

    @property
    def label(self) -> str:
        """Method and variant in words."""
        return label_of(self.name) + (f" [{self.variant}]" if self.variant else "")

    def is_published(self) -> bool:
        """Whether the paper or its code trains so, M, runs and epochs aside."""
        return self.variant in ("", RELEASED)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A method's results on the data sets.

    Attributes:
        key: method, variant, M.
        results: by data set, those that are there.
        wanted: the data sets that were asked for.
    """

    key: RowKey
    results: Mapping[int, JobResult]
    wanted: tuple[int, ...]

    def summary(self, data_set: int) -> RunSummary | None:
        """Of one data set, None where it has no result."""
        return self.results[data_set].summary() if data_set in self.results else None

    def average(self, value: Callable[[JobResult], float | None]) -> float | None:
        """Mean over the data sets asked for; None where one lacks it."""
        values = [value(self.results[d]) if d in self.results else None for d in self.wanted]
        known = [v for v in values if v is not None]
        return sum(known) / len(known) if known and len(known) == len(values) else None

    def best(self) -> float | None:
        """Mean of the best runs, averaged over the data sets."""
        return self.average(lambda result: result.summary().best)

    def follows_recipe(self) -> bool:
        """Whether it can be compared with the paper: 20 runs, 75 epochs, M = 1024, both data sets."""
        trainings = [result.training for result in self.results.values()]
        return (
            self.key.is_published()
            and set(self.results) == {1, 2}
            and self.key.samples in (None, 1024)
            and all(len(t["seeds"]) == 20 and t["epochs"] == 75 for t in trainings)
            and all(t["method"].get("beta_mode", "std") == "std" for t in trainings)
        )


def make_rows(plan: Mapping[RowKey, Mapping[int, ToyJob]], results: Mapping[ToyJob, JobResult]) -> list[Row]:
    """Rows from the jobs of each and the results there are; rows without any are kept, with dashes.

    Args:
        plan: for every row, its job on each data set.
        results: see `ebm.tasks.toy1d.study.StudyOutcome`.
    """
    return [
        Row(
            key=key,
            results={d: results[job] for d, job in jobs.items() if job in results},
            wanted=tuple(jobs),
        )
        for key, jobs in plan.items()
    ]
