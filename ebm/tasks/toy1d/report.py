"""A study's tables as files and for other programs: text, Markdown, CSV, JSON."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ebm.files import write_atomic
from ebm.lookup import lookup
from ebm.tasks.toy1d.methods import label_of
from ebm.tasks.toy1d.optimisation import PUBLISHED
from ebm.tasks.toy1d.rows import Row
from ebm.tasks.toy1d.store import JobResult, to_plain
from ebm.tasks.toy1d.tables import markdown_table, published_beside, text_table

__all__ = ["FORMATS", "Forms", "format_table", "records", "save_report"]

Forms = Mapping[str, Callable[[Sequence[Row]], str]]


def format_table(rows: Sequence[Row], form: str = "text", forms: Forms | None = None) -> str:
    """The table, ready to print.

    Args:
        rows: see `make_rows`.
        form: ``"text"``, ``"markdown"``, ``"csv"`` or ``"json"``.
        forms: how each is made; None takes those of table 1.

    Raises:
        UnknownNameError: if there is no such format.
    """
    return lookup("table format", form, forms or FORMATS)(rows)


def save_report(
    rows: Sequence[Row], folder: Path, name: str = "table", forms: Forms | None = None
) -> list[Path]:
    """Write the table in every format, and the divergence of every single run.

    Args:
        rows: see `ebm.tasks.toy1d.rows.make_rows`.
        folder: where to; made where it is absent.
        name: of the files, without suffix.
        forms: see `format_table`.

    Returns: the files.

    Raises:
        InputError: if one cannot be written.
    """
    suffixes = {"text": "txt", "markdown": "md", "csv": "csv", "json": "json"}
    written = []
    for form, suffix in suffixes.items():
        written.append(folder / f"{name}.{suffix}")
        write_atomic(written[-1], format_table(rows, form, forms) + "\n")
    written.append(folder / f"{name}_runs.csv")
    write_atomic(written[-1], _to_csv(_runs(rows)))
    return written


def _runs(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One record for every run."""
    return [
        {
            "method": label_of(row.key.name),
            "variant": row.key.variant,
            "samples": row.key.samples,
            "data_set": data_set,
            "seed": seed,
            "kl": kl,
            "kl_released": released,
            "final_loss": loss,
        }
        for row in rows
        for data_set, result in row.results.items()
        for seed, kl, released, loss in zip(
            result.training["seeds"], result.kl, result.kl_released, result.final_loss
        )
    ]


def records(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One flat record for every row and data set, and one for the average of each row."""
    made = []
    for row in rows:
        paper = published_beside(row, rows)
        head = {"method": label_of(row.key.name), "variant": row.key.variant, "samples": row.key.samples}
        tail = {"published_kl": paper.kl if paper else None, "published_cost": paper.cost if paper else None}
        for data_set, result in row.results.items():
            made.append(head | {"data_set": data_set} | _of_result(result) | dict.fromkeys(tail))
        averages = {
            key: row.average(lambda result, key=key: _of_result(result)[key])  # type: ignore[misc]
            for key in ("best", "mean", "median", "floor", "cost")
        }
        made.append(head | {"data_set": "average"} | averages | tail)
    return made


def _of_result(result: JobResult) -> dict[str, Any]:
    training, record = result.training, result.record
    return {
        **asdict(result.summary()),
        "failures_released": result.released_failures(),
        "floor": result.floor,
        "cost": round(result.cost(), 5),
        "seeds": f"{training['seeds'][0]}-{training['seeds'][-1]}",
        **{
            key: training[key] for key in ("data_seed", "train_size", "epochs", "batch_size", "learning_rate")
        },
        **{key: training.get(key, getattr(PUBLISHED, key)) for key in ("init", "optimiser", "schedule")},
        **{key: training["method"].get(key) for key in ("share_across_batch", "beta_mode")},
        **result.evaluation,
        **{key: record[key] for key in ("device", "device_name", "threads", "started")},
        **{key: record[key] for key in ("train_wall_s", "train_cpu_s")},
        **{key: record["versions"][key] for key in ("ebmtrack", "python", "torch", "numpy")},
    }


def _csv(rows: Sequence[Row]) -> str:
    return _to_csv(records(rows)).rstrip()


def _to_csv(made: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for record in made for name in record))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows([{key: _csv_value(value) for key, value in record.items()} for record in made])
    return stream.getvalue()


def _csv_value(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else value


def _json(rows: Sequence[Row]) -> str:
    value = [
        {**asdict(row.key), "results": {str(d): asdict(result) for d, result in row.results.items()}}
        for row in rows
    ]
    return json.dumps(to_plain(value), indent=1, allow_nan=False)


FORMATS: Forms = MappingProxyType(
    {"text": text_table, "markdown": markdown_table, "csv": _csv, "json": _json}
)
