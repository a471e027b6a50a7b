"""Tables of the study: means over seeds, their spread, and differences within a seed."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from box_study.plan import LOSSES, SWEEP
from box_study.rows import Row

__all__ = [
    "SCORES",
    "Summary",
    "comparison_tables",
    "Score",
    "TITLES",
    "default_of",
    "paired",
    "short_value",
    "signed",
    "summarise",
    "sweep_table",
    "table",
]

TITLES = {
    "iou": "IoU (ATOM*)",
    "ml-is": "ML-IS",
    "kld-is": "KLD-IS",
    "nce": "NCE",
    "nce+": "NCE+",
    "cnce": "CNCE",
}


class Seeded(Protocol):
    """A row of a run."""

    @property
    def seed(self) -> int:
        """Of the run."""
        ...


R = TypeVar("R", bound=Seeded)
Score: TypeAlias = tuple[str, Callable[[R], float]]  # its title, and its value of a row
SCORES: dict[str, Score[Row]] = {
    "iou": ("mean IoU, percent", lambda row: 100 * row.iou),
    "auc": ("AUC, percent", lambda row: row.auc),
}
REFERENCE = "nce+"


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Mean of n numbers and their standard deviation, nan for a single one."""

    mean: float
    deviation: float
    count: int

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return self.deviation / self.count**0.5

    def __str__(self) -> str:
        spread = f" ± {self.deviation:.2f}" if self.count > 1 else ""
        return f"{self.mean:.2f}{spread}"


def summarise(values: Sequence[float]) -> Summary:
    """Mean and standard deviation (n - 1) of at least one number."""
    spread = statistics.stdev(values) if len(values) > 1 else float("nan")
    return Summary(mean=statistics.fmean(values), deviation=spread, count=len(values))


def paired(first: Sequence[R], second: Sequence[R], score: Score[R]) -> Summary | None:
    """Differences of a score, first minus second, between runs of a seed; None without a common seed."""
    value = score[1]
    others = {row.seed: value(row) for row in second}
    gaps = [value(row) - others[row.seed] for row in first if row.seed in others]
    return summarise(gaps) if gaps else None


def signed(gap: Summary | None) -> str:
    if gap is None:
        return "-"
    return f"{gap.mean:+.2f}" + (f" ± {gap.error:.2f}" if gap.count > 1 else "")


def table(head: Sequence[str], lines: Sequence[Sequence[str]], markdown: bool) -> str:
    if markdown:
        rule = ["---", *["---:"] * (len(head) - 1)]
        return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *lines))
    widths = [max(len(line[k]) for line in (head, *lines)) for k in range(len(head))]
    return "\n".join(
        "  ".join(text.ljust(width) if k == 0 else text.rjust(width) for k, (text, width) in enumerate(pairs))
        for pairs in (list(zip(line, widths)) for line in (head, *lines))
    )


def comparison_tables(rows: Sequence[Row], markdown: bool = False) -> str:
    """One table for each score: losses by labels, the difference that noise makes, and that to NCE+.

    Plus-minus is the standard deviation over seeds behind a mean, the standard error behind a difference.
    """
    noises = sorted({row.noise for row in rows})
    names = [name for name in LOSSES if any(row.loss == name for row in rows)]
    parts = []
    for score in SCORES.values():
        title, value = score
        head = [title]
        for noise in noises:
            head += [_label(noise), f"{TITLES[REFERENCE]} minus it"]
        head += [f"{_label(noise)} minus exact" for noise in noises if noise > 0]
        lines = []
        for name in names:
            of = {n: [r for r in rows if (r.loss, r.noise) == (name, n)] for n in noises}
            line = [TITLES[name]]
            for noise in noises:
                reference = [r for r in rows if (r.loss, r.noise) == (REFERENCE, noise)]
                gap = None if name == REFERENCE else paired(reference, of[noise], score)
                line += [str(summarise([value(r) for r in of[noise]])) if of[noise] else "-", signed(gap)]
            line += [signed(paired(of[noise], of[noises[0]], score)) for noise in noises if noise > 0]
            lines.append(line)
        parts.append(table(head, lines, markdown))
    return "\n\n".join(parts)


def _label(noise: float) -> str:
    return f"noise {noise:g}" if noise else "exact labels"


def default_of(field: str, recipe: object) -> str:
    """The recipe's own value of a dotted field, as text."""
    value = recipe
    for part in field.split("."):
        value = value[int(part)] if part.isdigit() else getattr(value, part)  # type: ignore[index]
    return str(value).replace(" ", "")


def short_value(text: str, between: str = ", ") -> str:
    """Two rows of equal sigmas as two numbers, a number without an exponent."""
    numbers = text.replace("(", "").replace(")", "").split(",")
    return between.join(f"{float(number):g}" for number in numbers[:: 2 if len(numbers) == 4 else 1])


def sweep_table(rows: Sequence[Row], recipe: object, markdown: bool = False) -> str:
    """Fields by values: both scores, and the difference to the recipe's own value within a seed."""
    own = [row for row in rows if not row.change]
    lines = []
    for field, values in SWEEP.items():
        for text in values:
            chosen = [r for r in rows if r.change == (f"{field}={text}" if text else "")]
            if not chosen:
                continue
            line = [field, short_value(text or default_of(field, recipe)) + ("" if text else " (recipe)")]
            for score in SCORES.values():
                line += [str(summarise([score[1](r) for r in chosen]))]
                line += [signed(paired(chosen, own, score)) if text else ""]
            lines.append(line)
    head = ["field", "value"]
    for title, _ in SCORES.values():
        head += [title, "minus recipe"]
    return table(head, lines, markdown)
