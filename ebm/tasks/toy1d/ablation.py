"""What remains between our figures and the published ones: the recipe with one thing changed at a time."""

from collections.abc import Callable, Sequence
from types import MappingProxyType

from ebm.tasks.toy1d.methods import label_of
from ebm.tasks.toy1d.plan import Counts
from ebm.tasks.toy1d.published import PUBLISHED
from ebm.tasks.toy1d.report import FORMATS, Forms
from ebm.tasks.toy1d.rows import Row
from ebm.tasks.toy1d.selection import expected_best, standard_error
from ebm.tasks.toy1d.store import JobResult
from ebm.tasks.toy1d.tables import aligned, number, piped

__all__ = [
    "ABLATION_FORMATS",
    "ABLATION_METHODS",
    "ABLATION_SAMPLES",
    "ABLATION_VARIANTS",
    "ablation_lines",
]

ABLATION_METHODS = ("kld-is", "ml-mcmc-256")
# Fewer than the recipe's, so that it can be run on a CPU; the recipe's row says what that alone changes.
ABLATION_SAMPLES = Counts(256, MappingProxyType({"ml-mcmc-256": 16}))
# What the paper and its code leave open (training set, first weights, Adam's versions, grid), and one thing
# in which they differ (sharing).
ABLATION_VARIANTS = (
    *("recipe", "share=off", "data-seed=1", "data-seed=2"),
    *("init=xavier", "init=orthogonal", "optimiser=amsgrad", "optimiser=rmsprop"),
    *("lr=0.0005", "lr=0.002", "schedule=cosine", "grid=1024", "epsilon=1e-12"),
)
_FEWER = (5, 10)


def ablation_lines(rows: Sequence[Row]) -> list[list[str]]:
    """Head and cells: the best runs' mean and its error, how it falls with the runs, what it leaves out."""
    head = ["method", "changed", "M", "published", "ours", "+-", "set 1", "set 2", "recipe"]
    lines = [[*head, *(f"best of {count}" for count in _FEWER), "runs", "mean", "median", "released"]]
    base = {row.key.name: row.best() for row in rows if not row.key.variant}
    for row in rows:
        best, recipe, paper = row.best(), base.get(row.key.name), PUBLISHED.get(row.key.name)
        apart = None if best is None or recipe is None else best - recipe
        summaries = [row.summary(data_set) for data_set in (1, 2)]
        runs = sorted({len(result.kl) for result in row.results.values()})
        lines.append(
            [
                label_of(row.key.name),
                row.key.variant or "nothing",
                "-" if row.key.samples is None else str(row.key.samples),
                number(paper.kl if paper else None),
                number(best),
                number(_error(row)),
                *(number(summary.best if summary else None) for summary in summaries),
                "-" if apart is None or not row.key.variant else f"{apart:+.3f}",
                *(number(row.average(_fewer(count))) for count in _FEWER),
                "/".join(map(str, runs)) or "-",
                number(row.average(lambda result: result.summary().mean)),
                number(row.average(lambda result: result.summary().median)),
                number(row.average(_released)),
            ]
        )
    return lines


def _fewer(count: int) -> Callable[[JobResult], float | None]:
    return lambda result: expected_best(result.kl, count) if len(result.kl) >= count else None


def _released(result: JobResult) -> float:
    return expected_best(result.kl_released, len(result.kl_released))


def _error(row: Row) -> float | None:
    """Of the average over the data sets, whose runs are independent."""
    square = row.average(lambda result: standard_error(result.kl) ** 2)
    return None if square is None else float((square / len(row.results)) ** 0.5)


_NOTES = (
    "ours: mean of the best 5 runs, averaged over the data sets, in nats; +-: its standard error over",
    "initialisations (bootstrap); recipe: its difference from the recipe's; best of N: what the best 5 of N",
    "of these runs give on average; released: ours in the authors' float32 arithmetic.",
)


def _text(rows: Sequence[Row]) -> str:
    return "\n".join([aligned(ablation_lines(rows)), "", *_NOTES])


def _markdown(rows: Sequence[Row]) -> str:
    return "\n".join([piped(ablation_lines(rows)), "", *_NOTES])


ABLATION_FORMATS: Forms = MappingProxyType({**FORMATS, "text": _text, "markdown": _markdown})
