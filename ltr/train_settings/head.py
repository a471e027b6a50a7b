"""The head of a run's log: whatever decides what is learned and how fast."""

from dataclasses import dataclass

import torch

from ebm.threads import in_words
from ltr.data.decoders import Decoder
from ltr.train_settings.build import BuiltNetwork, count_parameters, parameter_groups
from ltr.train_settings.data_source import DataChoice, OpenedData
from ltr.train_settings.recipe import TrainRecipe
from ltr.train_settings.resources import CpuPlan
from ltr.trainers.checkpoints import CheckpointFolder
from ltr.trainers.config import TrainerConfig
from ltr.trainers.division import Division
from ltr.trainers.world import World

__all__ = ["Run", "head_lines"]


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run is made of."""

    recipe: TrainRecipe
    parts: int | None
    division: Division
    choice: DataChoice
    data: OpenedData
    network: BuiltNetwork
    folder: CheckpointFolder
    plan: CpuPlan
    device: torch.device
    world: World
    decoder: Decoder


def head_lines(run: Run, config: TrainerConfig) -> dict[str, str]:
    """Name -> text of the lines that a log begins with."""
    recipe, data, plan = run.recipe, run.data, run.plan
    count = count_parameters(run.network.net)
    sets = ", ".join(
        f"{dataset.name} {len(dataset)} sequences (weight {weight:g})"
        for dataset, weight in zip(data.train, data.weights)
    )
    held = [dataset for dataset in (data.validation, *data.more) if dataset is not None]
    validation = ", ".join(f"{len(dataset)} sequences of {dataset.name}" for dataset in held) or "none"
    kind = f"generated ({run.choice.scale}): " if run.choice.generated else ""
    gpu = f" ({torch.cuda.get_device_name(run.device)})" if run.device.type == "cuda" else ""
    return {
        "recipe": f"{recipe.module}/{recipe.name}, box loss {recipe.box.method}, seed {recipe.seed}",
        "network": f"{recipe.network.constructor}, {count['all'] / 1e6:.2f} M parameters, "
        f"{count['trained'] / 1e6:.2f} M trained; {run.network.note}",
        "data": f"{kind}{sets}; validation: {validation}",
        "images": f"decoded by {run.decoder.name}, {recipe.geometry.decode}",
        "batch": f"{_effective_batch(run)} of {config.frames_per_sample} frames; {config.steps} steps an "
        f"epoch, {config.schedule.epochs} epochs",
        "rates": _rates(run),
        "device": f"{run.device}{gpu}, {recipe.precision}; {_sharing(run)}"
        f"{in_words(plan.threads, 'thread')}, {in_words(plan.workers, 'loader process')}",
        "output": str(run.folder.path),
    }


def _rates(run: Run) -> str:
    """What the optimiser is told: learning rates and their course, clipping, averages."""
    recipe, schedule = run.recipe, run.recipe.schedule
    rates = [group.lr for group in parameter_groups(recipe, run.network.backbone)]
    spread = f"{min(rates):.2g}" + (f" to {max(rates):.2g}" if min(rates) < max(rates) else "")
    if schedule.kind == "step":
        course = f"x {schedule.gamma:g} every {schedule.step_epochs} epochs"
    else:
        course = f"a cosine down to x {schedule.final_factor:g}"
    warmup = f", warm-up of {schedule.warmup:g} epochs" if schedule.warmup else ""
    clip = recipe.optimiser.clip_norm
    clipping = "no clipping" if clip is None else f"gradient clipped at {clip:g}"
    averages = "" if recipe.ema is None else f"; weights averaged with decay {recipe.ema:g}"
    return f"Adam, {spread}, {course}{warmup}; {clipping}{averages}"


def _effective_batch(run: Run) -> str:
    """How many samples make a step, and over which of them batch statistics are taken, if any."""
    size, world, division = run.recipe.batch_size, run.world, run.division
    share, kind = division.samples, "groups" if division.fixed else "processes"
    factors = [f"{division.groups} {kind}"] if division.groups > 1 else []
    if run.parts is not None and run.parts > 1:
        factors.append(f"{run.parts} parts")
        share = -(-share // run.parts)
    if not factors:
        return f"{size} samples"
    if run.recipe.network.still_norms:
        return f"{size} samples ({' x '.join(factors)} x {share})"
    reach = "all processes" if run.recipe.sync_batch_norm and world.size > 1 else f"{share} samples"
    return f"{size} samples ({' x '.join(factors)} x {share}; batch statistics over {reach})"


def _sharing(run: Run) -> str:
    size, division = run.world.size, run.division
    return "" if size == 1 else f"{size} processes of {division.own * division.samples} samples, each "
