"""One training run: puts recipe, data, network and loop together."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch

from ebm.exceptions import InputError
from ltr.admin.devices import resolve_device
from ltr.admin.environment import workspace
from ltr.data.decoders import Decoder, choose_decoder
from ltr.train_settings.build import (
    BuiltNetwork,
    build_actor,
    build_network,
    build_optimiser,
    count_parameters,
)
from ltr.train_settings.data_source import DataChoice, OpenedData, choose_data, open_data
from ltr.train_settings.overrides import RunOptions
from ltr.train_settings.recipe import TrainRecipe
from ltr.train_settings.resources import CpuPlan, available_cores, plan_cpu
from ltr.train_settings.resume import Start, find_start
from ltr.train_settings.streams import build_streams
from ltr.trainers.checkpoints import CheckpointFolder
from ltr.trainers.config import TrainerConfig
from ltr.trainers.random_state import seed_everything
from ltr.trainers.trainer import Trainer
from ltr.trainers.world import World, launch

__all__ = ["train"]

NET_TYPE = "DiMPnet"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run is made of."""

    recipe: TrainRecipe
    parts: int | None
    choice: DataChoice
    data: OpenedData
    network: BuiltNetwork
    folder: CheckpointFolder
    plan: CpuPlan
    device: torch.device
    world: World
    decoder: Decoder


def say(text: str) -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


def train(recipe: TrainRecipe, options: RunOptions) -> int:
    """Train a recipe to its last epoch, or until asked to stop.

    Args:
        recipe: what to train.
        options: how.

    Returns: the exit code: 0, or 130 or 143 after SIGINT or SIGTERM.

    Raises:
        EBMError: for bad input and for losses that are not finite.
    """
    device = resolve_device(options.device)
    plan = plan_cpu(
        device.type != "cpu", available_cores(), options.workers, options.threads, options.processes
    )
    before = torch.get_num_threads()
    torch.set_num_threads(plan.threads)
    # All batches have one shape, so the search for the fastest convolution pays.
    torch.backends.cudnn.benchmark = device.type == "cuda"
    try:
        return _train(recipe, options, device, plan)
    finally:
        torch.set_num_threads(before)


def _train(recipe: TrainRecipe, options: RunOptions, device: torch.device, plan: CpuPlan) -> int:
    _check_processes(recipe, options, device)
    if plan.workers == 0:
        cv2.setNumThreads(0)  # images are read in this process, beside a network that needs the cores
    parts = options.parts(recipe.batch_size // options.processes)
    decoder = choose_decoder(options.decoder)
    choice = choose_data(recipe, options.datasets, options.scale)
    root = options.workspace if options.workspace is not None else workspace()
    folder = CheckpointFolder(_run_folder(root, recipe), NET_TYPE, options.keep)
    start = find_start(options.resume, folder, recipe, choice.label, say)
    if start is not None and start.epoch >= recipe.schedule.epochs:
        say(
            f"Training is finished: {start.epoch} of {recipe.schedule.epochs} epochs, {start.path}\n"
            "--epochs N trains further, --resume none starts anew."
        )
        return 0
    if choice.note:
        say(choice.note)
    seed_everything(recipe.seed)
    network = build_network(recipe, options.backbone_weights, None if start is None else start.backbone)
    data = open_data(choice, lambda: _generate(root, options), options.validate)
    with launch(options.processes, options.arguments) as join:
        run = Run(
            recipe=recipe,
            parts=parts,
            choice=choice,
            data=data,
            network=network,
            folder=folder,
            plan=plan,
            device=device,
            world=join(),
            decoder=decoder,
        )
        trainer = _build_trainer(run)
        _say_what_runs(run, trainer.config)
        if start is not None:
            trainer.load_state_dict(start.content)
            say(f"resuming {start.path}: {_progress_of(trainer)}")
            _say_other_sharing(start, run.world)
        del start  # its tensors are as large as the network and the optimiser's state
        code = trainer.run()
    if code == 0:
        say(f"Finished: {folder.epoch_file(recipe.schedule.epochs)}")
    return code


def _check_processes(recipe: TrainRecipe, options: RunOptions, device: torch.device) -> None:
    """Refuse what cannot be shared before anything starts."""
    if options.processes > 1 and device.type != "cpu":
        raise InputError(
            f"--processes {options.processes} is for training on a CPU, and the device is {device}."
        )
    World(size=options.processes).share(recipe.batch_size)


def _say_other_sharing(start: Start, world: World) -> None:
    before = int(start.content["resume"].get("processes", 1))
    if before != world.size:
        say(
            f"the checkpoint was trained by {before} processes, now there are {world.size}: batch statistics "
            "are over a process's share, so this is no exact continuation"
        )


def _run_folder(root: Path, recipe: TrainRecipe) -> Path:
    return root / "checkpoints" / "ltr" / recipe.module / recipe.name


def _generate(root: Path, options: RunOptions) -> Mapping[str, Path]:
    from ltr.dataset.generated import ensure_generated

    return ensure_generated(root, "train", scale=options.scale, workers=options.workers or 0)


def _build_trainer(run: Run) -> Trainer:
    recipe, sampling = run.recipe, run.recipe.sampling
    net = run.network.net.to(run.device)
    if recipe.channels_last:
        net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    config = TrainerConfig(
        schedule=recipe.schedule,
        batch_size=recipe.batch_size,
        samples_per_epoch=recipe.samples_per_epoch,
        frames_per_sample=sampling.train_frames + sampling.test_frames,
        clip_norm=recipe.optimiser.clip_norm,
        validate_every=recipe.validation.every,
        parts=run.parts,
        settings=recipe.plain(),
        extra={
            "fingerprint": recipe.fingerprint(),
            "backbone": run.network.backbone,
            "data": run.choice.label,
        },
    )
    return Trainer(
        actor=build_actor(recipe, net),
        optimizer=build_optimiser(recipe, net, run.network.backbone),
        streams=build_streams(recipe, run.data, run.plan, run.device, run.world, run.decoder),
        folder=run.folder,
        config=config,
        device=run.device,
        world=run.world,
    )


def _progress_of(trainer: Trainer) -> str:
    position, config = trainer.position, trainer.config
    text = f"{position.epoch} of {config.schedule.epochs} epochs done"
    return text + (f" and {position.step} of {config.steps} steps" if position.step else "")


def _say_what_runs(run: Run, config: TrainerConfig) -> None:
    """The head of the log: whatever decides what is learned and how fast."""
    recipe, data, plan = run.recipe, run.data, run.plan
    count = count_parameters(run.network.net)
    sets = ", ".join(
        f"{dataset.name} {len(dataset)} sequences (weight {weight:g})"
        for dataset, weight in zip(data.train, data.weights)
    )
    held = "none" if data.validation is None else f"{len(data.validation)} sequences of got10k"
    kind = f"generated ({run.choice.scale}): " if run.choice.generated else ""
    gpu = f" ({torch.cuda.get_device_name(run.device)})" if run.device.type == "cuda" else ""
    lines = {
        "recipe": f"{recipe.module}/{recipe.name}, box loss {recipe.box.method}, seed {recipe.seed}",
        "network": f"{recipe.network.constructor}, {count['all'] / 1e6:.2f} M parameters, "
        f"{count['trained'] / 1e6:.2f} M trained; {run.network.note}",
        "data": f"{kind}{sets}; validation: {held}",
        "images": f"decoded by {run.decoder.name}, {recipe.geometry.decode}",
        "batch": f"{recipe.batch_size} samples of {config.frames_per_sample} frames; {config.steps} steps an "
        f"epoch, {config.schedule.epochs} epochs",
        "device": f"{run.device}{gpu}, {recipe.precision}; {_sharing(run)}{plan.threads} "
        f"threads, {plan.workers} loader processes",
        "output": str(run.folder.path),
    }
    for name, text in lines.items():
        say(f"{name + ':':<9}{text}")


def _sharing(run: Run) -> str:
    size = run.world.size
    return "" if size == 1 else f"{size} processes of {run.world.share(run.recipe.batch_size)} samples, each "
