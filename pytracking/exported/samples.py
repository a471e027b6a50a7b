"""Inputs of the graphs: what a tracker would give them on a picture that is drawn by a formula."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from pytracking.exported.graphs import Graph
from pytracking.features.preprocessing import Image
from pytracking.libs.arrays import as_numpy
from pytracking.libs.draws import Draws
from pytracking.parameter.tracking_params import TrackingParams
from pytracking.tracker.common.geometry import TargetState
from pytracking.tracker.common.init_samples import first_frame_samples
from pytracking.tracker.common.refiner import jittered_boxes

__all__ = ["picture", "sample_inputs"]

Batch = tuple[Tensor, ...]
BOX = np.array([130.0, 90.0, 46.0, 60.0])  # of the target in the first picture, px


def picture(shift: int = 0) -> Image:
    """A card with stripes on a wavy background, moved by some px, uint8 ``[240, 320, 3]``."""
    y, x = np.mgrid[:240, :320].astype(np.float64)
    waves = [100 + 60 * np.sin(x / (7 + 3 * k)) * np.cos(y / (11 - 2 * k)) for k in range(3)]
    image = np.stack(waves, axis=2)
    left, top = int(BOX[0]) + shift, int(BOX[1])
    inside = (slice(top, top + int(BOX[3])), slice(left, left + int(BOX[2])))
    stripes = 127 * (1 + np.sin((x[inside] - left) / 3 + (y[inside] - top) / 5))
    image[inside] = np.stack((stripes, 255 - stripes, 0.5 * stripes), axis=2)
    return image.astype(np.uint8)


def sample_inputs(graphs: Mapping[str, Graph], params: TrackingParams) -> dict[str, tuple[Batch, Batch]]:
    """For every graph what it is traced with, and what else it is compared on: another number of rows."""
    rows = _Rows(graphs, params)
    return {
        name: (rows.inputs(graph, [0] if graph.single else [0, 1]), rows.inputs(graph, [1]))
        for name, graph in graphs.items()
    }


class _Rows:
    """Two rows of every input, of samples of the first picture."""

    def __init__(self, graphs: Mapping[str, Graph], params: TrackingParams) -> None:
        state = TargetState.from_box(BOX, params.crop_size, params.search_area_scale)
        augmentation = params.augmentation if params.use_augmentation else None
        draws = Draws().manual_seed(0)
        first = first_frame_samples(picture(), state, params, augmentation, draws)
        images = np.stack([first.images[0], first.images[-1]])
        boxes = first.boxes[[0, -1]]
        starts = np.stack([jittered_boxes(box, params, draws) for box in boxes])
        known = {"images": images, "boxes": boxes, "starts": starts, "weights": np.array([0.6, 0.4])}
        self._known = {name: torch.from_numpy(values).float() for name, values in known.items()}
        for name in ("backbone", "filter_first", "box_reference"):
            if name in graphs:
                found = graphs[name].module(*(self._known[n] for n in graphs[name].inputs))
                self._known |= zip(graphs[name].outputs, found if isinstance(found, tuple) else (found,))

    def inputs(self, graph: Graph, rows: list[int]) -> Batch:
        """Inputs of a graph, of some of the rows."""
        every = {n: self._known[n] if n in graph.fixed else self._known[n][rows] for n in graph.inputs}
        if "weights" in every:
            every["weights"] = every["weights"] / every["weights"].sum()
        return tuple(torch.from_numpy(as_numpy(value).copy()) for value in every.values())
