"""What a tracker saw in one frame: crop, score map, way of the refined boxes; for those who want to look."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pytracking.features.preprocessing import Pixels
    from pytracking.tracker.base import Flag
    from pytracking.tracker.common.geometry import CropView, ScoreGrid, TargetState
    from pytracking.tracker.common.localize import Localization
    from pytracking.tracker.common.memory import SampleMemory

__all__ = ["Glimpse", "Search"]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Glimpse:
    """One target in one frame, kept while a tracker is `watched`.

    Attributes:
        crop: what the network saw, uint8 RGB ``[h, w, 3]``.
        view: where the crop lies in the frame.
        scores: the classifier's map of that crop, float32 ``[m, n]``, as it scored, before any window.
        grid: how the map lies over the crop.
        found: the place taken, its score and flag.
        path: the boxes of the refinement at every step, x, y, w, h, frame px, float64 ``[T, S, 4]``: T - 1
            steps from S starts; T is 0 where nothing was refined.
        energies: f of these boxes, float64 ``[T, S]``; f where the last step ended is not evaluated by every
            rule, and NaN then.
        remembered: samples in the classifier's memory; None without a memory.
        learnt: whether the classifier may have learnt from this frame.
    """

    crop: NDArray[np.uint8]
    view: "CropView"
    scores: NDArray[np.float32]
    grid: "ScoreGrid"
    found: "Localization"
    path: Array
    energies: Array
    remembered: int | None
    learnt: bool

    @property
    def map_box(self) -> Array:
        """What the score map covers, from edge to edge: x, y, w, h ``[4]``, frame px."""
        rows, columns = self.scores.shape
        cell = self.grid.cell(self.view.crop_size) * self.view.scale  # (h, w), frame px
        first = self.view.center - np.asarray(self.grid.center) * cell  # centre of the first cell
        corner = first - cell / 2 + 0.5  # pixel i reaches from i - 1/2 to i + 1/2
        return np.array([corner[1], corner[0], columns * cell[1], rows * cell[0]])


@dataclass(frozen=True, kw_only=True, eq=False)
class Search:
    """What one frame has shown of one target.

    Attributes:
        found: where the classifier sees it.
        before: the target in the last frame.
        view: the crop of the winning search scale.
        frame: image (H, W), px.
        features: the classifier's, of that crop, ``[1, C, h, w]``.
        maps: the box branch's backbone maps of that crop, ``[1, C, h, w]`` each; none without box branch.
        crop: the crop, RGB in 0..255 ``[h, w, 3]``.
        scores: the classifier's map of it, ``[m, n]``.
        grid: how the map lies over it.
    """

    found: "Localization"
    before: "TargetState"
    view: "CropView"
    frame: tuple[int, int]
    features: Any
    maps: list[Any]
    crop: "Pixels"
    scores: NDArray[np.float32]
    grid: "ScoreGrid"

    def glimpse(
        self, path: tuple[Array, Array] | None, memory: "SampleMemory | None", flag: "Flag"
    ) -> Glimpse:
        """What is kept of it for those who look.

        Args:
            path: boxes and scores of the refinement, see `Glimpse`; None where nothing was refined.
            memory: the classifier's.
            flag: of the frame, after its confidence was heard, which may be less sure than `found` says.
        """
        boxes, energies = path if path is not None else (np.empty((0, 0, 4)), np.empty((0, 0)))
        return Glimpse(
            crop=np.clip(np.rint(self.crop), 0, 255).astype(np.uint8),
            view=self.view,
            scores=self.scores.astype(np.float32),
            grid=self.grid,
            found=self.found,
            path=boxes,
            energies=energies,
            remembered=None if memory is None else memory.weights.count,
            learnt=flag.may_train,
        )
