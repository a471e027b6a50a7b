"""Plots as TeX for pgfplots, through matplot2tikz."""

import re
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["tex_of"]

_SPECIAL = {char: f"\\{char}" for char in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"\ensuremath{\pm}",
}
_HEAD = r"""% Compiles alone; for a paper, take the tikzpicture and the lines on pgfplots.
\documentclass{article}
\usepackage{pgfplots}
\usepgfplotslibrary{groupplots}
\pgfplotsset{compat=1.17}
\pagestyle{empty}
\begin{document}
"""
_TAIL = "\n\\end{document}\n"


def tex_of(figure: "Figure") -> str | None:
    """A document that pdflatex compiles to the figure; None if matplot2tikz is not installed.

    matplot2tikz writes some texts as they are, so that labels such as ``first_box`` stop TeX, and escapes
    others. It gets a word for every text, and the words are replaced by the texts, all of them escaped.
    """
    try:
        from matplot2tikz import get_tikz_code
    except ImportError:
        return None
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

    words: dict[str, str] = {}
    with ExitStack() as stack:
        for artist in figure.findobj(lambda one: isinstance(one, (Text, Line2D))):
            setter, text = _text_of(artist)
            if text and not text.startswith("_child") and re.search(r"[^\d.\u2212-]", text):
                setter(words.setdefault(text, f"Text{len(words)}z"))
                stack.callback(setter, text)
        code = get_tikz_code(figure)
    # Text is larger in TeX than in the figure, so that the place which hides least there hides curves here.
    code = code.replace(
        "legend cell align={left},\n", "legend cell align={left},\nlegend pos=outer north east,\n"
    )
    for text, word in words.items():
        code = code.replace(word, _escaped(text))
    return _HEAD + re.sub(r"[ \t]+$", "", code.strip(), flags=re.MULTILINE) + _TAIL


def _text_of(artist: Any) -> tuple[Callable[[str], None], str]:
    """What sets an artist's text, and the text: of a line, its label."""
    if hasattr(artist, "set_text"):
        return artist.set_text, artist.get_text()
    return artist.set_label, str(artist.get_label())


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(char, char) for char in text)
