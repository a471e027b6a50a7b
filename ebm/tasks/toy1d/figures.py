"""The study's figures: data, densities, colours of the methods."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ebm.pictures.style import (
    OKABE_ITO,
    house_style,
    new_figure,
    plain_axes,
    require_matplotlib,
    save_figure,
    styled,
)
from ebm.tasks.toy1d.data import LIMIT, ToyData

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "draw_data",
    "draw_densities",
    "draw_density",
    "draw_row",
    "house_style",
    "new_figure",
    "plain_axes",
    "require_matplotlib",
    "save_figure",
    "styled",
]

COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "ml-is": OKABE_ITO["blue"],
        "kld-is": OKABE_ITO["green"],
        "nce": OKABE_ITO["vermilion"],
        "nce+": OKABE_ITO["purple"],
        "cnce": OKABE_ITO["orange"],
        "other": OKABE_ITO["black"],
    }
)
_BRIGHTEST = 6.0  # density at which the colours end; where data set 2 is sharpest it reaches 56


def draw_data(axes: "Axes", data: ToyData, title: str = "training data") -> None:
    """The training pairs as points."""
    axes.plot(
        data.x, data.y, ".", color="0.15", markersize=1.6, markeredgewidth=0, alpha=0.7, rasterized=True
    )
    _frame(axes, title)


def draw_density(axes: "Axes", probabilities: Tensor, title: str) -> Any:
    """A conditional density as an image, darker where it is larger.

    Args:
        axes: where to.
        probabilities: of the cells ``(X, Y)`` of a grid over [-3, 3] x [-3, 3], every row adding up to 1.
        title: above it.

    Returns: the image, for a colour bar.
    """
    from matplotlib.colors import PowerNorm

    density = probabilities * ((probabilities.shape[1] - 1) / (2 * LIMIT))
    image = axes.imshow(
        density.T.cpu().numpy(),
        origin="lower",
        extent=(-LIMIT, LIMIT, -LIMIT, LIMIT),
        aspect="auto",
        interpolation="bilinear",
        cmap=_colour_map(),
        norm=PowerNorm(0.5, vmin=0, vmax=_BRIGHTEST, clip=True),
    )
    _frame(axes, title)
    return image


@styled
def draw_densities(
    truth: Tensor, data: ToyData, learnt: Sequence[tuple[str, Tensor]], note: str = ""
) -> "Figure":
    """Truth above data on the left, what was learnt beside them, one colour scale.

    Args:
        truth: true probabilities ``(X, Y)``.
        data: training pairs.
        learnt: title and probabilities of each model.
        note: in small letters below.
    """
    columns = 1 + -(-len(learnt) // 2)
    figure = new_figure(1.0 + 1.85 * columns, 3.9)
    grid = figure.subplots(2, columns, sharex=True, sharey=True, squeeze=False)
    image = draw_density(grid[0, 0], truth, "true density")
    draw_data(grid[1, 0], data)
    places = [grid[row, column] for row in range(2) for column in range(1, columns)]
    for axes, (title, probabilities) in zip(places, learnt, strict=False):
        draw_density(axes, probabilities, title)
    for axes in places[len(learnt) :]:
        axes.set_axis_off()
    if note:
        figure.supxlabel(note, fontsize=7, color="0.35", x=0.99, ha="right")
    _label(figure, grid, image)
    return figure


@styled
def draw_row(panels: Sequence[tuple[str, Tensor | ToyData]]) -> "Figure":
    """Densities and data sets side by side."""
    figure = new_figure(1.0 + 2.3 * len(panels), 2.4)
    grid = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)
    image = None
    for axes, (title, content) in zip(grid[0], panels):
        if isinstance(content, ToyData):
            draw_data(axes, content, title)
        else:
            image = draw_density(axes, content, title)
    _label(figure, grid, image)
    return figure


def _label(figure: "Figure", grid: Any, image: Any) -> None:
    for axes in grid[-1]:
        axes.set_xlabel("x")
    for axes in grid[:, 0]:
        axes.set_ylabel("y", rotation=0)
    if image is not None:
        bar = figure.colorbar(image, ax=grid, extend="max", aspect=30, pad=0.015, ticks=[0, 0.5, 1, 2, 4, 6])
        bar.set_ticklabels(["0", "0.5", "1", "2", "4", "6"])
        bar.set_label("p(y | x)")
        bar.ax.tick_params(labelsize=8)
        bar.outline.set_linewidth(0.6)


def _frame(axes: "Axes", title: str) -> None:
    axes.set_title(title, pad=4)
    axes.set_xlim(-LIMIT, LIMIT)
    axes.set_ylim(-LIMIT, LIMIT)
    axes.set_xticks([-3, -1.5, 0, 1.5, 3], ["-3", "", "0", "", "3"])
    axes.set_yticks([-3, -1.5, 0, 1.5, 3], ["-3", "", "0", "", "3"])
    axes.tick_params(labelsize=8, length=2.5)


def _colour_map() -> Any:
    """White for nothing, without a step into the dark colours, which darken evenly."""
    import matplotlib as mpl
    from matplotlib.colors import ListedColormap

    place = torch.linspace(0, 1, 512, dtype=torch.float64)
    share = (place / 0.25).clamp(max=1)[:, None]
    dark = torch.tensor(mpl.colormaps["magma_r"](place.numpy()))[:, :3]
    return ListedColormap(((1 - share) + share * dark).numpy(), name="white_magma")
