"""Detections of a frozen detector, refined by a branch."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ebm.boxes import rect_to_rel, rel_to_rect
from ebm.density.importance import ImportanceDensity
from ebm.exceptions import EffectiveSampleSizeWarning
from ebm.nms import guided_nms
from ebm.proposals import GaussianMixtureProposal
from ebm.tasks.detection.branch import ConfidenceBranch, corners_of, rects_of
from ebm.tasks.detection.energy import Problems, PyramidEnergy
from ebm.tasks.detection.near import MOST_BOXES, NearEnergy, fits_near
from ebm.tasks.detection.protocol import Hypotheses
from ebm.tasks.detection.pyramid import Pyramid
from ebm.tasks.detection.recipes import BranchRecipe

__all__ = [
    "Found",
    "Uncertainty",
    "ascended",
    "box_densities",
    "plain_detections",
    "refined",
    "suppressed",
    "uncertainty_of",
    "whole_of",
]

# Around a refined box densities are drawn: narrow enough for a sure box, wide enough for an unsure one.
DENSITY_SIGMAS = (0.025, 0.1)
DENSITY_SAMPLES = 256


@dataclass(frozen=True, eq=False)
class Found:
    """Detections of a batch of images.

    Attributes:
        image: which image each is in, ``(R,)`` int64.
        boxes: xyxy, px of the batch, ``(R, 4)``.
        scores: larger is surer, ``(R,)``.
        column: of the class, ``(R,)`` int64.
        energy: f of each box in its class, ``(R,)``; None without a branch.
    """

    image: Tensor
    boxes: Tensor
    scores: Tensor
    column: Tensor
    energy: Tensor | None = None

    def of_image(self, place: int) -> Tensor:
        """Rows of an image."""
        return (self.image == place).nonzero()[:, 0]

    def chosen(self, rows: Tensor) -> "Found":
        """Some of them."""
        energy = None if self.energy is None else self.energy[rows]
        return Found(self.image[rows], self.boxes[rows], self.scores[rows], self.column[rows], energy)


def plain_detections(
    hypotheses: list[Hypotheses], *, iou_threshold: float = 0.5, max_detections: int = 100
) -> Found:
    """What the detector itself finds: ordinary suppression within every class, the surest of each image.

    Args:
        hypotheses: of every image.
        iou_threshold: overlap above which the less sure box goes.
        max_detections: of an image.
    """
    from torchvision.ops import batched_nms

    kept = []
    for place, own in enumerate(hypotheses):
        rows = batched_nms(own.boxes, own.probability, own.column, iou_threshold)[:max_detections]
        best = own.chosen(rows)
        kept.append(Found(torch.full_like(best.column, place), best.boxes, best.probability, best.column))
    return _joined(kept)


@torch.no_grad()
def refined(
    branch: ConfidenceBranch, recipe: BranchRecipe, pyramid: Pyramid, hypotheses: list[Hypotheses]
) -> Found:
    """Detections of a batch whose boxes the branch has chosen and refined.

    Args:
        branch: trained on the detector's features.
        recipe: of the branch.
        pyramid: the features.
        hypotheses: of every image, before any suppression.

    Source: Gustafsson et al., ECCV 2020, supplement C.4.
    """
    model, whole = PyramidEnergy(branch, pyramid), whole_of(hypotheses)
    if recipe.prediction.order == "before":
        found = ascended(model, recipe, suppressed(model, recipe, whole, len(hypotheses)))
    else:
        found = suppressed(model, recipe, ascended(model, recipe, whole), len(hypotheses))
    if recipe.prediction.score == "energy" and len(found.image):
        # The density at the box itself, normalised around it.
        density, at = box_densities(model, found)
        found = replace(found, scores=density.log_prob(at))
    return found


def whole_of(hypotheses: list[Hypotheses]) -> Found:
    """The hypotheses of every image as one batch, before any suppression."""
    return _joined(
        [
            Found(torch.full_like(own.column, place), own.boxes, own.probability, own.column)
            for place, own in enumerate(hypotheses)
        ]
    )


def suppressed(model: PyramidEnergy, recipe: BranchRecipe, whole: Found, images: int) -> Found:
    """Guided suppression, image by image: f chooses the box of a cluster, probability its score."""
    if not len(whole.image):
        return replace(whole, energy=whole.scores)
    rects = rects_of(whole.boxes)
    energy = whole.energy
    if energy is None:
        parts = [whole.chosen(rows) for rows in _passes(whole, recipe)]
        energy = torch.cat([model.of_boxes(own.image, own.column)(rects_of(own.boxes)) for own in parts])
    rule, kept = recipe.prediction, []
    for place in range(images):
        rows = whole.of_image(place)
        best = guided_nms(
            rects[rows],
            energy[rows],
            whole.scores[rows],
            whole.column[rows],
            iou_threshold=rule.iou_threshold,
            max_detections=rule.max_detections,
        )
        own = whole.chosen(rows[best.index])
        kept.append(replace(own, scores=best.confidence, energy=energy[rows[best.index]]))
    return _joined(kept)


def ascended(model: PyramidEnergy, recipe: BranchRecipe, found: Found) -> Found:
    """The same detections, their boxes where the ascent of f ends."""
    if not len(found.image):
        return replace(found, energy=found.scores)
    parts = model.branch, model.pyramid
    ends, near = [], type(model) is PyramidEnergy and fits_near(*parts)
    for rows in _passes(found, recipe, MOST_BOXES if near else None):
        own = found.chosen(rows)
        rects = rects_of(own.boxes)
        of = own.image, own.column
        score = NearEnergy(*parts, *of) if near else model.of_boxes(*of)
        boxes, energy = recipe.refine.refine(score, rects, sizes=rects[:, 2:])
        ends.append(replace(own, boxes=corners_of(boxes), energy=energy))
    return _joined(ends)


def box_densities(
    model: PyramidEnergy, found: Found, *, samples: int = DENSITY_SAMPLES, seed: int = 0
) -> tuple[ImportanceDensity, Tensor]:
    """The density of every detection's box, in coordinates relative to the box, and the box itself in them.

    Args:
        model: the branch on the batch.
        found: detections.
        samples: boxes drawn around each.
        seed: of the draws.

    Returns:
        Densities of B = R boxes, D = 4, and the boxes ``(R, 4)``. Covariance and credible sets are in
        (centre x over width, centre y over height, log width, log height).
    """
    rects = rects_of(found.boxes)
    problems = Problems(found.image, found.column, rects[:, 2:])
    at = rect_to_rel(rects, problems.size)
    proposal = GaussianMixtureProposal(DENSITY_SIGMAS, target_dim=4)
    generator = torch.Generator(at.device).manual_seed(seed)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", EffectiveSampleSizeWarning)
        density = ImportanceDensity.of(model, problems, proposal, at, samples, generator)
    return density, at


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """How sure the branch is of boxes, in px of the pictures and in (x0, y0, x1, y1).

    Attributes:
        covariance: ``(R, 4, 4)``, px^2.
        interval: 95 % credible interval of every side, ``(R, 4, 2)``, px.
        log_density: at the box, nats, of its coordinates relative to itself, ``(R,)``.
        effective: number of draws that carry the density, ``(R,)``; few mean that it is narrower than what
            was drawn.
    """

    covariance: Tensor
    interval: Tensor
    log_density: Tensor
    effective: Tensor

    def rows(self) -> list[dict[str, Any]]:
        """A row of plain values for every box, for files of results."""
        plain = [
            self.covariance.double().cpu().numpy().round(4).tolist(),
            self.interval.double().cpu().numpy().round(3).tolist(),
            self.log_density.double().cpu().numpy().round(4).tolist(),
            self.effective.double().cpu().numpy().round(1).tolist(),
        ]
        names = ("covariance", "interval95", "log_density", "effective_samples")
        return [dict(zip(names, values)) for values in zip(*plain, strict=True)]


def uncertainty_of(
    model: PyramidEnergy,
    found: Found,
    scale: Tensor,
    *,
    level: float = 0.95,
    samples: int = DENSITY_SAMPLES,
) -> Uncertainty:
    """Covariance and credible intervals of the sides of detections.

    Args:
        model: the branch on the batch.
        found: detections.
        scale: px of the batch per px of the picture, x and y, of every detection, ``(R, 2)``.
        level: mass of the intervals.
        samples: boxes drawn around each.
    """
    density, at = box_densities(model, found, samples=samples)
    rects = rects_of(found.boxes)
    corners = corners_of(rel_to_rect(density.samples, rects[:, None, 2:])) / scale.repeat(1, 2)[:, None]
    weights = density.log_weights.exp()
    away = corners - (weights[..., None] * corners).sum(1, keepdim=True)
    covariance = torch.einsum("rm,rmi,rmj->rij", weights, away, away)
    values, order = corners.sort(dim=1)
    total = weights[..., None].expand_as(corners).gather(1, order).cumsum(1)
    tail = 0.5 * (1 - level)
    ends = [(total < share).sum(1, keepdim=True).clamp(max=total.shape[1] - 1) for share in (tail, 1 - tail)]
    interval = torch.cat([values.gather(1, end) for end in ends], 1).transpose(1, 2)
    return Uncertainty(covariance, interval, density.log_prob(at), density.effective_sample_size())


def _passes(found: Found, recipe: BranchRecipe, most: int | None = None) -> tuple[Tensor, ...]:
    """Rows to score at once, not more than `most`."""
    size = min(recipe.rois_per_pass, most or recipe.rois_per_pass)
    return torch.arange(len(found.image), device=found.image.device).split(size)


def _joined(parts: list[Found]) -> Found:
    rows: dict[str, Any] = {
        name: torch.cat([getattr(part, name) for part in parts])
        for name in ("image", "boxes", "scores", "column")
    }
    known = all(part.energy is not None for part in parts)
    return Found(**rows, energy=torch.cat([part.energy for part in parts]) if known else None)  # type: ignore[misc]
