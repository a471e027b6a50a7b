"""Table 1 for people: the published row beside ours, as text and as Markdown, with what explains it."""

import math
from collections.abc import Sequence

from ebm.tasks.toy1d.published import PUBLISHED, Published
from ebm.tasks.toy1d.rows import RELEASED, Row
from ebm.tasks.toy1d.store import JobResult

__all__ = ["aligned", "bands", "markdown_table", "notes", "number", "piped", "published_beside", "text_table"]


def text_table(rows: Sequence[Row]) -> str:
    """Averages, data sets one by one, notes and the comparison with the paper, as aligned text."""
    parts = [aligned(_main_table(rows)), aligned(_detail_table(rows)), "\n".join(notes(rows))]
    return "\n\n".join([*parts, "\n".join(bands(rows))]).rstrip()


def markdown_table(rows: Sequence[Row]) -> str:
    """The same as Markdown."""
    parts = [piped(_main_table(rows)), piped(_detail_table(rows))]
    lists = [[f"- {line}" for line in block] for block in (notes(rows), bands(rows))]
    return "\n\n".join([*parts, *("\n".join(block) for block in lists if block)])


def number(value: float | None, digits: int = 3) -> str:
    """A cell; a dash where there is nothing."""
    if value is None:
        return "-"
    return f"{value:.{digits}f}" if math.isfinite(value) else str(value)


def _cost(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}" if value < 10 else f"{value:.1f}"


def published_beside(row: Row, rows: Sequence[Row]) -> Published | None:
    """The paper's numbers that belong beside a row; where a method has several M, beside M = 1024 alone."""
    several = sum(other.key.label == row.key.label for other in rows) > 1
    if not row.key.is_published() or (several and row.key.samples != 1024):
        return None
    return PUBLISHED.get(row.key.name)


def _main_table(rows: Sequence[Row]) -> list[list[str]]:
    """Averages over the data sets beside the paper's."""
    data_sets = sorted({d for row in rows for d in row.wanted})
    head = ["method", "M", "best of", "published", "ours", *(f"set {d}" for d in data_sets)]
    lines = [[*head, "mean", "median", "failed", "floor", "s published", "s ours"]]
    for row in rows:
        paper = published_beside(row, rows)
        summaries = [row.summary(d) for d in data_sets]
        known = [s for s in summaries if s is not None]
        lines.append(
            [
                row.key.label,
                "-" if row.key.samples is None else str(row.key.samples),
                f"{known[0].best_of} of {known[0].runs}" if known else "-",
                number(paper.kl if paper else None),
                number(row.best()),
                *(number(s.best if s else None) for s in summaries),
                number(row.average(lambda result: result.summary().mean)),
                number(row.average(lambda result: result.summary().median)),
                str(sum(s.failures for s in known)) if known else "-",
                number(row.average(lambda result: result.floor)),
                _cost(paper.cost if paper else None),
                _cost(row.average(JobResult.cost)),
            ]
        )
    return lines


def _detail_table(rows: Sequence[Row]) -> list[list[str]]:
    """Every data set by itself."""
    lines = [["method", "M", "set", "best", "mean", "median", "failed", "failed, released", "floor"]]
    for row in rows:
        for data_set, result in row.results.items():
            summary = result.summary()
            values = (summary.best, summary.mean, summary.median)
            failures = (summary.failures, result.released_failures())
            lines.append(
                [
                    row.key.label,
                    "-" if row.key.samples is None else str(row.key.samples),
                    str(data_set),
                    *map(number, values),
                    *map(str, failures),
                    number(result.floor, 4),
                ]
            )
    return lines


def notes(rows: Sequence[Row]) -> list[str]:
    """What a reader must know to read the numbers."""
    results = [result for row in rows for result in row.results.values()]
    if not results:
        return ["No result yet."]
    runs = sorted({len(result.kl) for result in results})
    few = [count for count in runs if count < 5]
    devices = sorted({result.record["device_name"] for result in results})
    seeds = sorted({result.training["data_seed"] for result in results})
    lines = [
        "KL(true || learnt) in nats. 'ours': mean of the best 5 runs, averaged over the data sets; "
        "NaN sorts last.",
        "mean: of the finite runs; median: of all; failed: runs that are NaN or infinite; "
        "'released': in the authors' float32 arithmetic.",
        *[f"{RELEASED}: one set of offsets and one nu for a mini-batch, as the authors' code has it."]
        * any(row.key.variant == RELEASED for row in rows),
        "floor: what the objective's optimum reaches with unlimited data, samples and capacity.",
        "M: noise samples a label, the label extra. s: seconds an epoch and model (ours: of one CPU core, or "
        f"of the GPU); measured on {', '.join(devices)}.",
        f"Seeds 0 to {', '.join(str(count - 1) for count in runs)}; training sets drawn with seed "
        f"{', '.join(map(str, seeds))}; {_settings(results)}.",
    ]
    if few:
        lines.insert(1, f"With {' and '.join(map(str, few))} runs all of them are averaged, not the best 5.")
    return lines


def _settings(results: Sequence[JobResult]) -> str:
    epochs = sorted({result.training["epochs"] for result in results})
    modes = sorted({t["beta_mode"] for result in results if "beta_mode" in (t := result.training["method"])})
    words = f"{' and '.join(map(str, epochs))} epochs"
    return words + (f"; beta_mode of NCE+: {' and '.join(modes)}" if modes else "")


def bands(rows: Sequence[Row]) -> list[str]:
    """For rows by the published recipe: do they lie where a repetition should?"""
    lines = []
    for row in rows:
        paper, best = PUBLISHED.get(row.key.name), row.best()
        if not row.follows_recipe() or paper is None or best is None:
            continue
        line = f"{row.key.label}: {best:.3f}, {best / paper.kl - 1:+.0%} against the published {paper.kl:.3f}"
        if paper.band is not None:
            low, high = paper.band
            inside = "inside" if low <= best <= high else "OUTSIDE"
            line += f"; {inside} the expected {low:g} to {high:g}"
        lines.append(line)
    return lines


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells as columns, a rule below the first line; the first column to the left."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    texts = []
    for line in lines:
        cells = [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:]))]
        texts.append("  ".join(cells))
    return "\n".join([texts[0], "-" * len(texts[0]), *texts[1:]])


def piped(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells as a table of Markdown."""
    rule = ["---", *["---:"] * (len(lines[0]) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (lines[0], rule, *lines[1:]))
