"""The kinds of data that a visdom window can show, each drawn by one call of the client."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ebm.exceptions import ShapeError
from pytracking.evaluation.drawing import PALETTE, draw_box

__all__ = ["BLOCKS", "MULTI_WINDOW", "Draw", "windows_of"]

Draw = Callable[[Any, str, Any], None]
"""Draws data, of ``register``, in the window of this title with a client."""

LONGEST = 480  # px of a picture's longer side on the page
MULTI_WINDOW: Mapping[str, tuple[str, ...]] = MappingProxyType({"bbreg": ("Init Boxes", "Final Boxes")})


def windows_of(mode: str, title: str) -> tuple[str, ...]:
    """The windows that a block occupies, to be closed with it."""
    return MULTI_WINDOW.get(mode, (title,))


def as_array(data: Any) -> NDArray[Any]:
    """A tensor, wherever it lies, or what NumPy takes, as an array."""
    if isinstance(data, torch.Tensor):
        return data.detach().float().cpu().numpy()
    return np.asarray(data)


def _image(client: Any, title: str, data: Any) -> None:
    picture = as_array(data)
    if picture.ndim != 3 or picture.shape[0] not in (1, 3):
        raise ShapeError(
            f"expected an image (C, H, W) with 1 or 3 channels for {title!r}, got {picture.shape}."
        )
    client.image(picture, win=title, opts={"title": title})


def _heatmap(client: Any, title: str, data: Any) -> None:
    values = as_array(data).squeeze()
    if values.ndim != 2:
        raise ShapeError(f"expected one map (H, W) for {title!r}, got the shape {as_array(data).shape}.")
    client.heatmap(np.flip(values, 0), win=title, opts={"title": title})  # visdom's first row is the lowest


def _lineplot(client: Any, title: str, data: Any) -> None:
    y, x = data if isinstance(data, tuple) else (data, None)
    values = as_array(y).reshape(-1)
    places = np.arange(len(values)) if x is None else as_array(x).reshape(-1)
    if len(places) != len(values):
        raise ShapeError(f"expected as many x as y for {title!r}, got {len(places)} and {len(values)}.")
    client.line(values, places, win=title, opts={"title": title})


def _text(client: Any, title: str, data: Any) -> None:
    client.text(str(data), win=title, opts={"title": title})


def _info(client: Any, title: str, data: Mapping[str, Any]) -> None:
    rows = [f"<b>{escape(str(k).replace('_', ' '))}</b>: {_said(v)}" for k, v in data.items()]
    client.text("<br>".join(rows), win=title, opts={"title": title})


def _said(value: Any) -> str:
    if isinstance(value, torch.Tensor | np.ndarray | np.generic) and np.size(as_array(value)) == 1:
        value = value.item()
    return f"{value:.2f}" if isinstance(value, float) else escape(str(value))


def _tracking(client: Any, title: str, data: Sequence[Any]) -> None:
    """A frame, uint8 RGB ``[H, W, 3]``, and boxes x, y, w, h or masks ``[H, W]`` after it."""
    frame, marks = np.array(data[0], dtype=np.uint8), data[1:]
    height, width = frame.shape[:2]
    step = max(1, int(np.ceil(max(height, width) / LONGEST)))
    picture = np.ascontiguousarray(frame[::step, ::step])
    for place, mark in enumerate(marks):
        colour = PALETTE[place % len(PALETTE)]
        values = as_array(mark)
        if values.shape == (height, width):
            inside = values[::step, ::step] > 0
            picture[inside] = (0.5 * picture[inside] + 0.5 * np.array(colour)).astype(np.uint8)
        elif values.size == 4:
            draw_box(picture, values.reshape(4).astype(np.float64) / step, colour, width=1)
        else:
            raise ShapeError(
                f"expected a box of four numbers or a mask of the frame's size {(height, width)} for "
                f"{title!r}, got the shape {values.shape}."
            )
    client.image(picture.transpose(2, 0, 1), win=title, opts={"title": title})


def _box_regression(client: Any, title: str, data: Sequence[Any]) -> None:
    """A frame, boxes before and after ``[S, 4]`` x, y, w, h, and the scores ``[S]`` after."""
    frame, before, after, scores = data
    for name, boxes in zip(MULTI_WINDOW["bbreg"], (before, after)):
        picture = np.array(frame, dtype=np.uint8)
        for place, box in enumerate(as_array(boxes).reshape(-1, 4)):
            draw_box(picture, box.astype(np.float64), PALETTE[place % len(PALETTE)], width=1)
        best = "" if name == "Init Boxes" else f", highest f {float(np.max(as_array(scores))):.2f}"
        options = {"title": name, "caption": f"{title}: {len(as_array(boxes))} boxes{best}"}
        client.image(picture.transpose(2, 0, 1), win=name, opts=options)


BLOCKS: Mapping[str, Draw] = MappingProxyType(
    {
        "image": _image,
        "heatmap": _heatmap,
        "lineplot": _lineplot,
        "text": _text,
        "info_dict": _info,
        "Tracking": _tracking,
        "bbreg": _box_regression,
    }
)
