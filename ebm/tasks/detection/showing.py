"""What a branch does to the boxes of one picture, step by step, and how sure it is of them, as numbers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebm.boxes import box_iou, rect_to_rel
from ebm.density import GridDensity
from ebm.density.corners import Corner, corner_density
from ebm.exceptions import InputError
from ebm.pictures.curves import Curves
from ebm.tasks.detection.branch import ConfidenceBranch, rects_of
from ebm.tasks.detection.data.records import DetectionImage, DetectionSet
from ebm.tasks.detection.data.training import load_sample
from ebm.tasks.detection.energy import PyramidEnergy
from ebm.tasks.detection.prediction import Found, ascended, suppressed, uncertainty_of, whole_of
from ebm.tasks.detection.protocol import Detector
from ebm.tasks.detection.recipes import BranchRecipe
from ebm.tasks.detection.sights import label_of, see

__all__ = ["Shown", "find_image", "look_at"]

Array = NDArray[np.float64]
REACH = 0.75  # of a box's relative coordinates, within which a corner is looked for
SIDES = ("left", "top", "right", "bottom")


@dataclass(frozen=True, eq=False)
class Shown:
    """The surest boxes of a picture along their ascents; boxes are x, y, w, h in px of the picture.

    Attributes:
        frame: uint8 RGB ``[H, W, 3]``, upright.
        image_id: of the picture.
        names: of the boxes' classes, R.
        scores: probabilities of these, ``[R]``.
        path: boxes after 0 to T steps, ``[T + 1, R, 4]``.
        energy: f of these, ``[T + 1, R]``.
        nearest: the annotated boxes of their classes that their starts overlap most, NaN where there is
            none, ``[R, 4]``.
        overlap: their IoU with these, ``[T + 1, R]``.
        truth: annotated boxes, crowds left out, ``[N, 4]``.
        ends: 95 % credible intervals of left, top, right and bottom at the end, px, ``[R, 4, 2]``; None
            where f is no log-density.
        effective: number of draws that carry these, ``[R]``.
        score_of: f of boxes ``(M, 4)``, px of the picture, in the class of the box of a number.
    """

    frame: NDArray[np.uint8]
    image_id: int | str
    names: tuple[str, ...]
    scores: Array
    path: Array
    energy: Array
    nearest: Array
    overlap: Array
    truth: Array
    ends: Array | None
    effective: Array | None
    score_of: Callable[[Tensor, int], Tensor]

    def label(self, box: int) -> str:
        """What a box is called: its number, counted from 1, its class and how sure the detector is of it."""
        return f"{box + 1} {self.names[box]} {self.scores[box]:.2f}"

    def corner(self, box: int, corner: Corner, points: int = 96) -> GridDensity:
        """Density of one corner of a refined box, the opposite one fixed; see `corner_density`."""
        found = torch.from_numpy(self.path[-1, box])
        centre = rect_to_rel(found, found[2:])

        def energy(boxes: Tensor) -> Tensor:
            within = ((rect_to_rel(boxes, found[2:]) - centre).abs() <= REACH).all(-1)
            scores = torch.full(boxes.shape[:-1], -torch.inf, dtype=torch.float64)
            scores[within] = self.score_of(boxes[within], box)
            return scores

        return corner_density(energy, found, corner, reach=REACH, points=points)

    def box_curves(self) -> Curves:
        """A line for each box: before and after, and the ends of its intervals."""
        columns: dict[str, Any] = {"box": np.arange(1.0, len(self.names) + 1), "score": self.scores}
        for name, boxes in (("before", self.path[0]), ("after", self.path[-1])):
            columns |= {f"{name}_{part}": boxes[:, k] for k, part in enumerate("xywh")}
        if self.ends is not None:
            for k, side in enumerate(SIDES):
                columns |= {f"{side}_low": self.ends[:, k, 0], f"{side}_high": self.ends[:, k, 1]}
        return Curves(columns, {"image": str(self.image_id)})

    def ascent_curves(self) -> Curves:
        """A line for each box and step: f, and the overlap with the annotated box."""
        steps, boxes = self.energy.shape
        step, box = np.mgrid[0:steps, 1 : boxes + 1].astype(np.float64)
        columns = {"step": step, "box": box, "f": self.energy, "overlap": self.overlap}
        columns |= {part: self.path[..., k] for k, part in enumerate("xywh")}
        return Curves({name: own.ravel() for name, own in columns.items()}, {"image": str(self.image_id)})


def find_image(data: DetectionSet, name: str | None) -> DetectionImage:
    """A picture by its id or the name of its file; the first where none is named.

    Raises:
        InputError: if there is none.
    """
    if not len(data):
        raise InputError("the set has no pictures.")
    if name is None:
        return data.images[0]
    for image in data.images:
        if name in (str(image.image_id), image.path.name):
            return image
    first = data.images[0]
    raise InputError(
        f"none of the {len(data)} pictures has the id or the file name {name!r}; the first is "
        f"{first.image_id!r}, {first.path.name}."
    )


@torch.no_grad()
def look_at(
    detector: Detector,
    branch: ConfidenceBranch,
    recipe: BranchRecipe,
    data: DetectionSet,
    image: DetectionImage,
    most: int = 5,
) -> Shown:
    """Detect in one picture and refine the surest boxes, keeping every step.

    Args:
        detector: frozen.
        branch: trained on its features.
        recipe: of the branch.
        data: the set, whose categories are looked for.
        image: one of it.
        most: boxes, at least 1.

    Raises:
        InputError: if the picture cannot be read, or nothing is found in it.
        UnknownNameError: if the detector does not know a category.
    """
    sample, label = load_sample(image, detector.resizing), label_of(detector, data)
    seen = see(detector, [sample.picture], label)
    model = PyramidEnergy(branch, seen.pyramid)
    found = suppressed(model, recipe, whole_of(seen.hypotheses), 1)
    if not len(found.image):
        raise InputError(f"the detector finds nothing in picture {image.image_id}, {image.path.name}.")
    found = found.chosen(found.scores.argsort(descending=True, stable=True)[:most])
    path, energy = _ascent(model, recipe, found)
    scale = sample.scale.to(path).repeat(2)
    boxes = rects_of(path / scale).double().cpu()
    ends, effective = _intervals(model, recipe, replace(found, boxes=path[-1]), scale)
    labels = label[found.column.cpu()]
    nearest = _nearest(boxes[0], labels.numpy(), image)
    return Shown(
        frame=load_sample(image).picture.mul(255).round().byte().permute(1, 2, 0).numpy(),
        image_id=image.image_id,
        names=tuple(data.names[k] for k in labels.tolist()),
        scores=found.scores.double().cpu().numpy(),
        path=boxes.numpy(),
        energy=energy.double().cpu().numpy(),
        nearest=nearest.numpy(),
        overlap=box_iou(boxes, nearest).where(nearest.isfinite().all(-1), torch.nan).numpy(),
        truth=_rects(image.boxes[~image.crowd]),
        ends=ends,
        effective=effective,
        score_of=_score_of(model, recipe, found, scale),
    )


def _intervals(
    model: PyramidEnergy, recipe: BranchRecipe, found: Found, scale: Tensor
) -> tuple[Array, Array] | tuple[None, None]:
    """Credible intervals ``[R, 4, 2]`` of the sides of refined boxes, and the draws behind them ``[R]``."""
    if recipe.method.iou_criterion is not None:  # an overlap is no log-density
        return None, None
    sure = uncertainty_of(model, found, scale[:2].expand(len(found.image), 2))
    return sure.interval.double().cpu().numpy(), sure.effective.double().cpu().numpy()


def _score_of(
    model: PyramidEnergy, recipe: BranchRecipe, found: Found, scale: Tensor
) -> Callable[[Tensor, int], Tensor]:
    """See `Shown.score_of`; `scale` leads from px of the picture to those of the batch."""

    @torch.no_grad()
    def score_of(rects: Tensor, box: int) -> Tensor:
        parts = [
            model.of_boxes(found.image[box].expand(len(rows)), found.column[box].expand(len(rows)))(rows)
            for rows in (rects.to(scale) * scale).split(recipe.rois_per_pass)
        ]
        return torch.cat(parts).double().cpu() if parts else rects.new_zeros(0)

    return score_of


def _ascent(model: PyramidEnergy, recipe: BranchRecipe, found: Found) -> tuple[Tensor, Tensor]:
    """Boxes xyxy after 0 to T steps and their f: ascents of every length, since they are deterministic."""
    boxes, scores = [], []
    score = model.of_boxes(found.image, found.column)
    for steps in range(recipe.refine.steps + 1):
        method = replace(recipe.method, refine=replace(recipe.refine, steps=steps))
        boxes.append(ascended(model, replace(recipe, method=method), found).boxes)
        scores.append(score(rects_of(boxes[-1])))
    return torch.stack(boxes), torch.stack(scores)


def _nearest(starts: Tensor, labels: NDArray[np.int64], image: DetectionImage) -> Tensor:
    result = torch.full_like(starts, torch.nan)
    for box, label in enumerate(labels):
        truth = torch.from_numpy(_rects(image.boxes[(image.labels == label) & ~image.crowd]))
        if len(truth):
            result[box] = truth[box_iou(starts[box], truth).argmax()]
    return result


def _rects(corners: NDArray[np.float32]) -> Array:
    return rects_of(torch.from_numpy(corners).double()).numpy()
