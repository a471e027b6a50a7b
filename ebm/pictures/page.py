"""One HTML page that needs no other file: text, tables, pictures and their numbers."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from ebm.pictures.curves import Curves
from ebm.pictures.style import data_address
from ebm.scores.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["folded", "page", "paragraph", "picture", "section", "table"]

_CSS = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 60rem; margin: 2rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid #ccc; padding-bottom: .2rem; }
p, ul { margin: .5rem 0; }
.verdict { border-left: 4px solid #0072B2; padding: .1rem 0 .1rem 1rem; }
.warning { border-left: 4px solid #D55E00; padding: .1rem 0 .1rem 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; white-space: normal; }
th { border-bottom: 1px solid #666; }
td.text { text-align: left; white-space: normal; overflow-wrap: anywhere; }
caption, figcaption { caption-side: bottom; text-align: left; color: #333; font-size: .9rem; }
caption { padding-top: .3rem; }
figure { margin: 1.2rem 0; }
figure img { max-width: 100%; height: auto; display: block; }
summary { cursor: pointer; }
a { color: #00507d; }
@media print { body { margin: 0; max-width: none; } figure, table { break-inside: avoid; } }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """The whole page.

    Args:
        title: plain text.
        parts: HTML, as the other functions here return it.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def section(title: str, parts: Sequence[str]) -> str:
    """A heading and what belongs under it; nothing where nothing does."""
    return "\n".join([f"<h2>{escape(title)}</h2>", *parts]) if parts else ""


def paragraph(text: str, kind: str = "") -> str:
    """Plain text, of kind "verdict" or "warning" with a line beside it."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def folded(title: str, parts: Sequence[str]) -> str:
    """What is shown when the title is clicked at."""
    return "\n".join([f"<details><summary>{escape(title)}</summary>", *parts, "</details>"])


def table(content: Table, *, text: bool = False) -> str:
    """A table; its cells hold numbers, or `text`."""
    kind = ' class="text"' if text else ""
    head = "".join(f"<th>{escape(name)}</th>" for name in content.head)
    rows = "\n".join(
        f"<tr><td>{escape(first)}</td>" + "".join(f"<td{kind}>{escape(cell)}</td>" for cell in rest) + "</tr>"
        for first, *rest in content.rows
    )
    caption = f"<caption>{escape(content.caption)}</caption>" if content.caption else ""
    head = f"<thead><tr>{head}</tr></thead>" if any(content.head) else ""
    return f'<div class="wide"><table>{caption}{head}<tbody>\n{rows}\n</tbody></table></div>'


def picture(name: str, caption: str, curves: Curves, axes: "Axes") -> str:
    """A picture within the page, and its numbers to be saved as a file.

    Args:
        name: of that file, without its ending.
        caption: what it shows, for those who cannot see it too.
        curves: its numbers.
        axes: the picture.
    """
    figure = axes.figure.figure
    width = round(96 * figure.get_figwidth())
    numbers = base64.b64encode(curves.csv_text().encode()).decode()
    return (
        f'<figure><img width="{width}" alt="{escape(caption)}" src="{data_address(figure)}">\n'
        f'<figcaption>{escape(caption)} <a download="{escape(name)}.csv" '
        f'href="data:text/csv;base64,{numbers}">Numbers as CSV</a>.</figcaption></figure>'
    )
