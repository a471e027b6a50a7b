"""How figures look, and how they are made and saved without a display."""

import base64
import io
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ebm.extras import explain_missing
from ebm.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "INK",
    "OKABE_ITO",
    "data_address",
    "house_style",
    "new_figure",
    "plain_axes",
    "rendered",
    "require_matplotlib",
    "save_figure",
    "styled",
]

P = ParamSpec("P")
T = TypeVar("T")

# Okabe and Ito's colours, told apart by colour-blind readers too.
OKABE_ITO: Mapping[str, str] = MappingProxyType(
    {
        "blue": "#0072B2",
        "green": "#009E73",
        "vermilion": "#D55E00",
        "purple": "#CC79A7",
        "orange": "#E69F00",
        "black": "#000000",
    }
)
INK = "0.1"  # of text and lines that carry meaning
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "pdf.fonttype": 42,
}


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """`draw` within the house style."""

    @wraps(draw)
    def within(*args: P.args, **kwargs: P.kwargs) -> T:
        with house_style():
            return draw(*args, **kwargs)

    return within


def require_matplotlib() -> None:
    """Raise early, before hours of training.

    Raises:
        MissingPackageError: if matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise explain_missing("plots", "matplotlib") from error


def house_style() -> AbstractContextManager[None]:
    """Fonts and line widths, as a context that whatever draws belongs into.

    Raises:
        MissingPackageError: if matplotlib is not installed.
    """
    require_matplotlib()
    import matplotlib as mpl

    return mpl.rc_context(_STYLE)


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure, inches; no display and no global state are touched.

    Raises:
        MissingPackageError: if matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=200, layout="constrained")


def save_figure(figure: "Figure", folder: Path, name: str) -> list[Path]:
    """Write a figure as PNG and PDF; equal figures give equal files.

    Raises:
        InputError: if a file cannot be written.
    """
    written = []
    for suffix in ("png", "pdf"):
        written.append(folder / f"{name}.{suffix}")
        write_atomic(written[-1], rendered(figure, suffix))
    return written


def data_address(figure: "Figure") -> str:
    """A figure as a PNG within an address, for a page that needs no other file."""
    return f"data:image/png;base64,{base64.b64encode(rendered(figure, 'png')).decode()}"


def plain_axes(axes: "Axes") -> None:
    """Small ticks, no frame above and to the right, a light grid behind."""
    axes.grid(color="0.88", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def rendered(figure: "Figure", suffix: str) -> bytes:
    """A figure as the bytes of a png or pdf file; equal figures give equal bytes."""
    stream = io.BytesIO()
    with house_style():
        metadata = {"CreationDate": None} if suffix == "pdf" else None
        figure.savefig(stream, format=suffix, metadata=metadata)
    return stream.getvalue()
