"""The command line of ``ebmtrack regress TABLE``; importing nothing heavy."""

import argparse
from typing import Any

from ebm.command import CommandParser, local_path
from ebm.exceptions import DomainError

__all__ = ["build_parser", "parse_support"]

_EXAMPLES = """\
examples:
  ebmtrack regress houses.csv --target price --drop id --support positive
  ebmtrack regress houses.csv --target price --date sold --impute      text, dates and gaps of inputs
  ebmtrack regress visits.csv --target score --groups patient          whole patients are fitted or tested
  ebmtrack regress shares.csv --target share --support 0:1 --level 0.5 0.8 0.95
  ebmtrack regress winds.csv --target direction --support degrees      an angle; circular:24 for hours
  ebmtrack regress load.parquet --target power --time-order            the last rows are the test
  ebmtrack regress poses.csv --target x --target y --density mdn-4+energy      two targets together
  ebmtrack regress houses.csv --target price --members 1 --epochs 30   quick
  ebmtrack regress --predict new.csv --model runs/table/houses/model.ebm

The first line of a table names its columns. Targets must be numbers, inputs
numbers, text of few values, or dates (--date); rows without a target are left out.
A fit writes report.html (open it in a browser), predictions.csv (of the test rows), model.ebm, summary.json.
"""
_SUPPORTS = ("positive", "integer", "count", "degrees", "radians")


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = CommandParser(
        prog="ebmtrack regress",
        usage="ebmtrack regress TABLE --target NAME [options]\n"
        "       ebmtrack regress --predict TABLE --model FILE [--out DIR]",
        description="Fit a density to a table, calibrate it, score it on rows of its own, and report.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    own = ".csv, .csv.gz or .parquet"
    parser.add_argument("table", nargs="?", type=local_path, metavar="TABLE", help=own)
    _add_columns(parser.add_argument_group("columns"))
    _add_parts(parser.add_argument_group("rows"))
    _add_fit(parser.add_argument_group("fit"))
    _add_run(parser.add_argument_group("run"))
    new = parser.add_argument_group("prediction")
    own = "rows to predict, with a fit of before"
    new.add_argument("--predict", type=local_path, metavar="TABLE", help=own)
    new.add_argument("--model", type=local_path, metavar="FILE", help="that fit, model.ebm")
    return parser


def parse_support(text: str) -> Any:
    """Where a target can lie, as `ebm.fit` takes it.

    Args:
        text: a name; borders such as ``0:1``, ``0:`` and ``:100``; or a circle, by its period, as
            ``circular:24`` for hours, or by where answers are to lie, as ``circular:-180:180``.

    Raises:
        DomainError: (a ValueError) if it is none of these.
    """
    if text in _SUPPORTS:
        return text
    if text == "any":
        return None
    name, colon, numbers = text.partition(":")
    if name == "circular":
        return ("circular", *_numbers_of_circle(text, numbers))
    low, colon, high = text.partition(":")
    try:
        borders = tuple(float(end) if end.strip() else None for end in (low, high))
    except ValueError:
        borders = (None, None)
    if not colon or borders == (None, None):
        raise DomainError(
            f"--support must be {', '.join(_SUPPORTS)}, circular:PERIOD such as circular:24, any, or borders "
            f"LOW:HIGH such as 0:1, 0: or :100; got {text!r}."
        )
    return borders


def _numbers_of_circle(text: str, numbers: str) -> list[float]:
    """Period, or both ends, behind ``circular:``."""
    try:
        found = [float(number) for number in numbers.split(":")]
    except ValueError:
        found = []
    if len(found) not in (1, 2):
        raise DomainError(
            "a circle is given by its period, as circular:24, or by where answers are to lie, as "
            f"circular:-180:180; got {text!r}."
        )
    return found


def _add_columns(group: Any) -> None:
    again: dict[str, Any] = {"action": "append", "metavar": "NAME"}
    group.add_argument("--target", **again, help="a column to predict; may be repeated")
    group.add_argument("--drop", **again, default=[], help="a column that is no input; may be repeated")
    group.add_argument("--date", **again, default=[], help="a column of dates as text; may be repeated")
    own = "rows with the same entry here belong together: all are fitted, or all calibrated, or all tested"
    group.add_argument("--groups", metavar="NAME", help=own)
    group.add_argument("--weights", metavar="NAME", help="how much each row counts in the fit, 0 or more")
    own = (
        "where a target can lie: positive, integer, count, borders such as 0:1, 0: or :100, or on a circle: "
        "degrees, radians, circular:24; one for all targets, or repeated for each (any: no border)"
    )
    group.add_argument("--support", action="append", metavar="WHERE", help=own)
    own = "fill gaps of inputs by medians, and learn from where they are"
    group.add_argument("--impute", action="store_true", help=own)
    own = "most different texts of a column (default: 64)"
    group.add_argument("--max-levels", type=int, metavar="N", help=own)
    own = "of a text (default: , ; tab or |, as in its first line)"
    group.add_argument("--separator", metavar="CHAR", help=own)


def _add_parts(group: Any) -> None:
    share: dict[str, Any] = {"type": float, "default": 0.2, "metavar": "SHARE"}
    group.add_argument("--test", **share, help="of the rows, to score (default: %(default)s)")
    own = "of the rows, to calibrate intervals with; 0 for none (default: %(default)s)"
    group.add_argument("--calibration", **share, help=own)
    own = "rows are in order of time: fit the first, test the last (default: at random)"
    group.add_argument("--time-order", action="store_true", help=own)


def _add_fit(group: Any) -> None:
    own = "of intervals; the first is looked at closely (default: 0.9)"
    group.add_argument("--level", type=float, nargs="+", default=[0.9], metavar="P", help=own)
    group.add_argument("--members", type=int, default=4, metavar="N", help="networks (default: %(default)s)")
    own = "energy, gaussian, laplace, mdn-4, mdn-4+energy, quantile ... (default: energy)"
    group.add_argument("--density", metavar="NAME", help=own)
    group.add_argument("--loss", metavar="NAME", help="of the energy (default: nce+)")
    group.add_argument("--epochs", type=int, metavar="N", help="most passes over the rows (default: 150)")
    group.add_argument("--hidden", type=int, nargs="+", metavar="N", help="layer sizes (default: 32 32)")
    group.add_argument("--seed", type=int, default=0, metavar="N", help="default: %(default)s")


def _add_run(group: Any) -> None:
    own = "default: runs/table/NAME, after the table; NAME-2, ... where it is there"
    group.add_argument("--out", type=local_path, metavar="DIR", help=own)
    own = "CPU threads (default: %(default)s)"
    group.add_argument("--threads", type=int, default=1, metavar="N", help=own)
    group.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N (default: %(default)s)")
