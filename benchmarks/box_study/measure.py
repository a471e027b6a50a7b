"""How good a trained network's boxes are: overlap of refined boxes on held-out frames, AUC of its tracker."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from box_study.plan import Budget, Run, branch_recipe
from box_study.training import Workplace
from ebm.boxes import box_iou, rect_to_rel, rel_to_rect
from ebm.predict import refine_boxes
from ltr.actors.images import normalise_images
from ltr.admin.loading import write_checkpoint
from ltr.data.decoders import choose_decoder
from ltr.data.loader import collate_frames
from ltr.dataset.generated import ensure_generated
from ltr.dataset.generated.plans import adapted_plan
from ltr.train_settings.data_source import choose_data, open_data
from ltr.train_settings.streams import build_sampler
from pytracking.analysis.extract import evaluate
from pytracking.analysis.sources import FolderSource
from pytracking.evaluation.data import Sequence as Video
from pytracking.evaluation.datasets import open_dataset
from pytracking.evaluation.results import ResultFolder
from pytracking.evaluation.running import run_dataset
from pytracking.evaluation.spec import TrackerSpec
from pytracking.libs.box_energy import ImageEnergy
from pytracking.libs.box_head import fold_head
from pytracking.parameter.dimp.nce_plus_small import PARAMS
from pytracking.utils.loading import WeightsChoice

__all__ = [
    "STEP_LENGTHS",
    "Overlaps",
    "best_step_length",
    "draw_videos",
    "measure_overlap",
    "track",
]

STEP_LENGTHS = tuple(2e-4 * 2**k for k in range(10))
"""Tried for every network, since the scale of an energy is the loss's: 2e-4 to 0.1, relative box units."""

SPREAD = (0.15, 0.15, 0.25, 0.25)  # of the starts: centre / size, log size
HELDOUT_SEED = 1001  # no training or test set of the project has it
BATCH = 16


@dataclass(frozen=True, kw_only=True)
class Overlaps:
    """Overlaps with the true boxes, means over frames and starts.

    Attributes:
        start: of the starts.
        refined: of what refinement made of them.
        good: share of the refined boxes that overlap by more than 0.75.
    """

    start: float
    refined: float
    good: float


@dataclass(frozen=True, eq=False)
class _Frame:
    """A test frame as the box branch sees it."""

    energy: ImageEnergy
    label: Tensor  # [4] xywh, crop px
    starts: Tensor  # [S, 4]


@cache
def _batches(place: Workplace, which: int) -> list[dict[str, Any]]:
    """Pairs of a reference and two test frames, with exact labels: 0 to measure on, 1 to choose on."""
    budget = place.budget
    plan = adapted_plan(
        "train", budget.scale, videos=3 * budget.heldout, images=budget.heldout, seed=HELDOUT_SEED + which
    )
    recipe = branch_recipe(Run(loss="nce+", noise=0.0, seed=0), budget)
    choice = choose_data(recipe, ["generated"], budget.scale)
    roots = ensure_generated(place.folder, "train", scale=budget.scale, workers=1, progress=False, plan=plan)
    data = open_data(choice, lambda: roots, validate=False)
    recipe = replace(recipe, validation=replace(recipe.validation, samples=budget.pairs[which]))
    sampler = build_sampler(recipe, data.train, data.weights, training=False, decoder=choose_decoder("auto"))
    count = budget.pairs[which] // recipe.sampling.test_frames
    return [
        dict(collate_frames([sampler[i] for i in range(first, min(first + BATCH, count))]))
        for first in range(0, count, BATCH)
    ]


@torch.no_grad()
def _frames(net: Any, place: Workplace, which: int) -> list[_Frame]:
    """The frames with a network's features; the starts are the same for every network."""
    generator = torch.Generator().manual_seed(which)
    frames = []
    for batch in _batches(place, which):
        features = {}
        for part in ("train", "test"):
            images = normalise_images(batch[f"{part}_images"], batch[f"{part}_gain"], channels_last=True)
            backbone = net.extract_backbone_features(images.flatten(0, 1))
            features[part] = net.get_backbone_bbreg_feat(backbone)
        count = batch["train_anno"].shape[1]
        first = [f[:count] for f in features["train"]]
        modulation = net.bb_regressor.get_modulation(first, batch["train_anno"][0])
        maps = net.bb_regressor.get_iou_feat(features["test"])
        for row, label in enumerate(batch["test_anno"].flatten(0, 1)):
            head = fold_head(net.bb_regressor, [m[row % count : row % count + 1] for m in modulation])
            energy = ImageEnergy(head, [m[row : row + 1] for m in maps])
            frames.append(_Frame(energy, label, _starts(label, place.budget, generator)))
    return frames


def _starts(label: Tensor, budget: Budget, generator: torch.Generator) -> Tensor:
    """Perturbed boxes ``[S, 4]`` around a label ``[4]``, xywh px."""
    offsets = torch.randn(budget.starts, 4, generator=generator) * torch.tensor(SPREAD)
    return rel_to_rect(rect_to_rel(label, label[2:]) + offsets, label[2:])


def _refined(frames: Sequence[_Frame], step_length: float) -> Tensor:
    """Overlaps ``[N, S]`` after the refinement that the tracker does."""
    rows = []
    for frame in frames:
        boxes, _ = refine_boxes(
            frame.energy,
            frame.starts,
            space=PARAMS.box_refinement_space,
            steps=PARAMS.box_refinement_iter,
            step_length=step_length,
            decay=PARAMS.box_refinement_step_decay,
            validate=False,
        )
        # An ascent that ran away has no overlap with anything.
        rows.append(box_iou(boxes, frame.label[None]).nan_to_num(0.0))
    return torch.stack(rows)


def best_step_length(net: Any, place: Workplace) -> float:
    """The step length with the best mean overlap on the pairs that are there to choose on."""
    frames = _frames(net, place, which=1)
    means = {length: float(_refined(frames, length).mean()) for length in STEP_LENGTHS}
    return max(means, key=means.__getitem__)


def measure_overlap(net: Any, place: Workplace, step_length: float) -> Overlaps:
    """Overlaps on the pairs that nothing was chosen on."""
    frames = _frames(net, place, which=0)
    before = torch.stack([box_iou(frame.starts, frame.label[None]) for frame in frames])
    after = _refined(frames, step_length)
    return Overlaps(
        start=float(before.mean()), refined=float(after.mean()), good=float((after > 0.75).float().mean())
    )


@cache
def _videos(place: Workplace) -> list[Video]:
    root = ensure_generated(place.folder, "test", scale=place.budget.scale, workers=1, progress=False)["otb"]
    return open_dataset("generated", root)[: place.budget.sequences]


def draw_videos(place: Workplace) -> None:
    """Draw everything that is measured on, if it is not there yet."""
    for which in range(2):
        _batches(place, which)
    _videos(place)


def track(net: Any, name: str, place: Workplace, step_length: float) -> dict[str, float]:
    """Scores in percent of the DiMP tracker with this network on the test videos: AUC, OP50 and OP75.

    Raises:
        RuntimeError: if a video could not be tracked.
    """
    path = _save(net, place.folder / "networks" / f"{name}.pth.tar")
    spec = TrackerSpec(
        tracker="dimp",
        parameter="nce_plus_small",
        params=replace(PARAMS, box_refinement_step_length=step_length),
        weights=WeightsChoice(path=path, how="the study's"),
        device="cpu",
    )
    results = place.folder / "tracking_results"
    videos = _videos(place)
    report = run_dataset(videos, spec, results_root=results, progress=False)
    if report.failed:
        raise RuntimeError(f"tracking failed: {report.failed}")
    evaluation = evaluate(videos, [FolderSource(name, ResultFolder(spec.folder(results)))])
    return {score: evaluation.trackers[0].score(score).mean for score in ("auc", "op50", "op75")}


def _save(net: Any, path: Path) -> Path:
    fields = {"net_type": type(net).__name__, "net": net.state_dict(), "net_info": net.info, "epoch": 1}
    write_checkpoint(path, fields | {"constructor": net.constructor})
    return path
