"""Everything an evaluation leaves in a folder: tables, plots and curves."""

from pathlib import Path

from ebm.exceptions import MissingPackageError
from pytracking.analysis.attribute_plots import save_attribute_plots
from pytracking.analysis.attributes import attribute_table
from pytracking.analysis.extract import Evaluation
from pytracking.analysis.plots import PLOTS, save_curves, save_plots
from pytracking.analysis.tables import format_table, per_sequence_table, score_table
from pytracking.evaluation.results import write_atomic

__all__ = ["save_report"]

_SUFFIXES = {"text": "txt", "markdown": "md", "latex": "tex", "csv": "csv"}


def save_report(
    evaluation: Evaluation, folder: Path, kinds: tuple[str, ...] = tuple(PLOTS)
) -> tuple[list[Path], str | None]:
    """Write the score table in four formats, the per-sequence table, the curves and the plots.

    Returns: the files in the order written, and why there are no plots where matplotlib is not installed.
    """
    written = []
    for style, suffix in _SUFFIXES.items():
        path = folder / f"scores.{suffix}"
        write_atomic(path, format_table(score_table(evaluation), style) + "\n")
        written.append(path)
    path = folder / "per_sequence.csv"
    write_atomic(path, format_table(per_sequence_table(evaluation), "csv") + "\n")
    written += [path, *save_curves(evaluation, folder), *_save_attributes(evaluation, folder)]
    try:
        return [
            *written,
            *save_plots(evaluation, folder, kinds),
            *save_attribute_plots(evaluation, folder),
        ], None
    except MissingPackageError as error:
        return written, str(error)


def _save_attributes(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write AUC by attribute in four formats, where the data set has attributes."""
    table = attribute_table(evaluation)
    if table is None:
        return []
    written = []
    for style, suffix in _SUFFIXES.items():
        path = folder / f"attributes.{suffix}"
        write_atomic(path, format_table(table, style) + "\n")
        written.append(path)
    return written
