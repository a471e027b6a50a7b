"""Plots as TeX for pgfplots, through matplot2tikz."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["tex_of"]

_SPECIAL = {char: f"\\{char}" for char in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"\ensuremath{\pm}",
}
_HEAD = r"""\documentclass{standalone}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage{pgfplots}
\usepgfplotslibrary{groupplots}
\pgfplotsset{compat=1.17}
\begin{document}
"""
_TAIL = "\n\\end{document}\n"


def tex_of(figure: "Figure") -> str | None:
    """A document that pdflatex compiles to the figure; None if matplot2tikz is not installed.

    matplot2tikz writes texts as they are, so that labels such as ``first_box`` stop TeX: every text of the
    figure is escaped before it is converted, and put back.
    """
    try:
        from matplot2tikz import get_tikz_code
    except ImportError:
        return None
    from matplotlib.text import Text

    lines = [line for axes in figure.axes for line in axes.lines]
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]
    before = [text.get_text() for text in texts], [str(line.get_label()) for line in lines]
    for text in texts:
        text.set_text(_escaped(text.get_text()))
    for line in lines:
        line.set_label(_escaped(str(line.get_label())))
    try:
        code = get_tikz_code(figure)
    finally:
        for text, was in zip(texts, before[0], strict=True):
            text.set_text(was)
        for line, was in zip(lines, before[1], strict=True):
            line.set_label(was)
    return _HEAD + re.sub(r"[ \t]+$", "", code.strip(), flags=re.MULTILINE) + _TAIL


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(char, char) for char in text)
