"""Difficulties that the benchmarks' authors have marked: scores by attribute."""

import json
from functools import cache
from importlib.resources import files

import numpy as np

from pytracking.analysis.extract import Evaluation
from pytracking.analysis.tables import Table
from pytracking.evaluation.places import official_table

__all__ = ["attribute_scores", "attribute_table", "attributes_of"]

_TABLES = {  # tag of a dataset -> file, and what its names have before those of the dataset
    "otb": ("otb", ""),
    "otb50": ("otb", ""),
    "uav": ("uav", ""),
    "uav123_10fps": ("uav", "uav_"),
    "lasot": ("lasot", ""),
}


@cache
def _table(name: str) -> dict[str, dict[str, str]]:
    text = (files("pytracking.analysis.attribute_tables") / f"{name}.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = json.loads(text)
    return found


def attributes_of(dataset: str) -> dict[str, dict[str, str]]:
    """The table of a dataset; empty where there is none.

    Returns: ``names``, short -> long name; ``sequences``, name -> short names with blanks between.
    """
    if dataset not in _TABLES:
        return {}
    name, before = _TABLES[dataset]
    table, names = _table(name), official_table(dataset)
    sequences = {key.removeprefix(before): value for key, value in table["sequences"].items()}
    return {**table, "sequences": {key: value for key, value in sequences.items() if key in names}}


def attribute_scores(evaluation: Evaluation) -> dict[str, tuple[int, dict[str, float]]]:
    """AUC by attribute: short name -> how many of the sequences have it, and label -> AUC in percent.

    Attributes that no sequence has are left out; empty where the data set has no table.
    """
    table = attributes_of(evaluation.dataset)
    found = {}
    for short in table.get("names", {}):
        rows = [
            index
            for index, name in enumerate(evaluation.sequences)
            if short in table["sequences"].get(name, "").split()
        ]
        if rows:
            scores = {t.label: float(t.success[:, rows].mean()) * 100.0 for t in evaluation.ranked()}
            found[short] = (len(rows), scores)
    return found


def attribute_table(evaluation: Evaluation) -> Table | None:
    """One row an attribute: AUC of every tracker over its sequences; None without attributes."""
    scores = attribute_scores(evaluation)
    if not scores:
        return None
    names = attributes_of(evaluation.dataset)["names"]
    labels = [tracker.label for tracker in evaluation.ranked()]
    rows = tuple(
        (f"{names[short]} ({short})", str(count), *(f"{of[label]:.2f}" for label in labels))
        for short, (count, of) in scores.items()
    )
    whole = ("all", str(len(evaluation.sequences)))
    mean = tuple(f"{np.mean(t.success) * 100.0:.2f}" for t in evaluation.ranked())
    return Table(
        f"{evaluation.title}: AUC by attribute", ("Attribute", "Sequences", *labels), (*rows, whole + mean)
    )
