"""Training and measurement of a box branch on features that are kept."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from box_study.cached import CachedFrames, cache_frames
from box_study.measure import STEP_LENGTHS, Overlaps
from box_study.real import SETTING, RealBudget, RealRow, RealRun, real_recipe
from ebm.boxes import box_iou
from ebm.predict import refine_boxes
from ltr.actors.refined_overlap import perturbed_boxes
from ltr.data.decoders import choose_decoder
from ltr.data.overlaps import OverlapProposals
from ltr.data.processing import DiMPProcessing
from ltr.data.proposals import BoxProposals
from ltr.train_settings.build import build_actor, build_network, build_optimiser
from ltr.train_settings.data_source import choose_data, open_data
from ltr.train_settings.generating import generate_data
from ltr.train_settings.recipe import TrainRecipe
from ltr.train_settings.streams import build_sampler, processing_config
from ltr.trainers.random_state import seed_everything
from ltr.trainers.schedule import Schedule, learning_rate_factor

__all__ = ["RealWorkplace", "execute_real", "train_branch"]

SCHEDULE = Schedule(kind="cosine", epochs=1, warmup=0.05)
FRAMES = 32  # samples whose boxes are refined at once
STEPS, DECAY = 10, 0.9  # of the refinement


@dataclass(frozen=True)
class RealWorkplace:
    """Where a study on real data lives.

    Attributes:
        folder: kept features and drawn videos.
        budget: see `RealBudget`.
        weights: file of the backbone's ImageNet weights; None to take those of the installed package.
        scale: of the drawn videos.
        say: prints a line.
    """

    folder: Path
    budget: RealBudget
    weights: Path | None
    scale: str
    say: Callable[[str], None]

    @cached_property
    def frames(self) -> dict[str, CachedFrames]:
        """Kept features: ``"train"``, and of held-out ``"photos"`` and ``"videos"``."""
        built = build_network(SETTING, self.weights)
        actor = build_actor(SETTING, built.net.eval())
        choice = choose_data(SETTING, scale=self.scale)
        data = open_data(choice, partial(generate_data, self.folder, choice, 1, False))
        held = {one.name: one for one in (data.validation, *data.more) if one is not None}
        budget, decoder = self.budget, choose_decoder("auto")
        samplers = {"train": build_sampler(SETTING, data.train, data.weights, True, decoder)}
        for name, reader in (("photos", "photos"), ("videos", "folder")):
            samplers[name] = build_sampler(SETTING, [held[reader]], None, False, decoder)
        counts = dict.fromkeys(samplers, budget.measured + budget.chosen) | {"train": budget.distinct}
        keep = partial(cache_frames, actor, say=self.say)
        return {
            name: keep(sampler.__getitem__, counts[name], self.folder / f"{name}_{counts[name]}")
            for name, sampler in samplers.items()
        }


def _proposals(recipe: TrainRecipe) -> BoxProposals | OverlapProposals:
    return DiMPProcessing(processing_config(recipe, training=True)).proposals


def train_branch(recipe: TrainRecipe, frames: CachedFrames, samples: int) -> tuple[Any, float]:
    """Train the recipe's box branch from its seed.

    Args:
        recipe: loss, optimiser, seed.
        frames: what to train on, in an order that depends on the seed alone.
        samples: of the training; more than there are come again, with other boxes.

    Returns: the network in evaluation mode, and its mean loss over the last fifth.
    """
    net: Any = build_network(recipe, resumed="imagenet").net  # the backbone's weights are not needed
    net.to(memory_format=torch.channels_last)
    actor: Any = build_actor(recipe, net).train()
    optimiser = build_optimiser(recipe, net, "imagenet")
    draw = _proposals(recipe)
    seed_everything(recipe.seed)
    generator = torch.Generator().manual_seed(recipe.seed)
    passes = -(-samples // len(frames))
    order = torch.cat([torch.randperm(len(frames), generator=generator) for _ in range(passes)])[:samples]
    batches = order.split(recipe.batch_size)
    losses: list[float] = []
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for number, rows in enumerate(batches):
        for group in optimiser.param_groups:
            group["lr"] = group["initial_lr"] * learning_rate_factor(SCHEDULE, number / len(batches))
        loss = _loss(actor, frames.batch(rows.tolist()), draw, generator)
        optimiser.zero_grad()
        loss.backward()
        if recipe.optimiser.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(parameters, recipe.optimiser.clip_norm)
        optimiser.step()
        losses.append(float(loss.detach()))
    last = losses[-max(len(losses) // 5, 1) :]
    return net.eval(), sum(last) / len(last)


def _loss(
    actor: Any, batch: dict[str, Any], draw: BoxProposals | OverlapProposals, generator: torch.Generator
) -> Tensor:
    labels = batch["test_anno"]
    drawn = draw(labels.flatten(0, 1), generator).fields()
    batch |= {name: value.unflatten(0, labels.shape[:2]) for name, value in drawn.items()}
    branch = actor.net.bb_regressor
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=actor.precision == "bf16"):
        scores = branch(batch["train"], batch["test"], batch["train_anno"], batch["test_proposals"])
    loss: Tensor = actor.box(scores, batch)[0]
    return loss


@torch.no_grad()
def refined_overlaps(
    net: Any, frames: CachedFrames, rows: Sequence[int], starts: int, step_lengths: Sequence[float]
) -> Tensor:
    """Overlaps with the labels, of the starts and of refined boxes, ``[1 + L, boxes]``.

    The starts depend on the rows alone; the rule is the trackers'.
    """
    found = []
    for part in torch.tensor(rows).split(FRAMES):
        batch = frames.batch(part.tolist())
        labels = batch["test_anno"].flatten(0, 1)
        boxes = perturbed_boxes(labels, starts, torch.Generator().manual_seed(int(part[0])))
        energy = _energy(net.bb_regressor, batch, boxes.shape)
        ascent = partial(refine_boxes, steps=STEPS, decay=DECAY, sizes=_sizes(boxes), validate=False)
        refined = [ascent(energy, boxes.flatten(0, 1), step_length=length)[0] for length in step_lengths]
        overlaps = [box_iou(one.reshape(boxes.shape), labels[:, None]) for one in (boxes, *refined)]
        # An ascent that ran away has no overlap with anything.
        found.append(torch.stack(overlaps).nan_to_num(0.0).flatten(1))
    return torch.cat(found, dim=1)


def _energy(branch: Any, batch: dict[str, Any], shape: torch.Size) -> Callable[[Tensor], Tensor]:
    """Scores ``[boxes]`` of boxes ``[boxes, 4]``, which have that shape frame by frame."""
    images = len(batch["test_anno"])
    modulation = [
        m.repeat(images, 1, 1, 1) for m in branch.get_modulation(batch["train"], batch["train_anno"][0])
    ]
    maps = branch.get_iou_feat(batch["test"])
    return lambda flat: branch.predict_iou(modulation, maps, flat.reshape(shape)).flatten()


def _sizes(boxes: Tensor) -> Tensor:
    """Of the first box of every frame, for all of them: what relative coordinates are measured by."""
    return boxes[:, :1, 2:].expand_as(boxes[..., 2:]).flatten(0, 1)


def execute_real(run: RealRun, place: RealWorkplace) -> RealRow:
    """Train, choose the step length, measure."""
    began, budget = time.process_time(), place.budget
    net, loss = train_branch(real_recipe(run), place.frames["train"], budget.samples)
    length = _best_length(net, place)
    scores = {name: _measured(net, place, name, length) for name in ("photos", "videos")}
    return RealRow(
        loss=run.loss,
        seed=run.seed,
        samples=budget.samples,
        step_length=length,
        start_photos=scores["photos"].start,
        photos=scores["photos"].refined,
        good_photos=scores["photos"].good,
        start_videos=scores["videos"].start,
        videos=scores["videos"].refined,
        good_videos=scores["videos"].good,
        training_loss=loss,
        seconds=time.process_time() - began,
    )


def _best_length(net: Any, place: RealWorkplace) -> float:
    """The step length with the best mean overlap on the frames that are there to choose on."""
    budget = place.budget
    rows = range(budget.measured, budget.measured + budget.chosen)
    means = torch.stack(
        [
            refined_overlaps(net, place.frames[name], rows, budget.starts, STEP_LENGTHS)[1:].mean(dim=1)
            for name in ("photos", "videos")
        ]
    ).mean(dim=0)
    return STEP_LENGTHS[int(means.argmax())]


def _measured(net: Any, place: RealWorkplace, name: str, length: float) -> Overlaps:
    budget = place.budget
    before, after = refined_overlaps(net, place.frames[name], range(budget.measured), budget.starts, [length])
    return Overlaps(
        start=float(before.mean()), refined=float(after.mean()), good=float((after > 0.75).float().mean())
    )
