"""One training run: puts recipe, data, network and loop together and says at the start what it will do."""

from collections.abc import Mapping
from pathlib import Path

import torch

from ltr.admin.devices import resolve_device
from ltr.admin.environment import workspace
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
from ltr.train_settings.resume import find_start
from ltr.train_settings.streams import build_streams
from ltr.trainers.checkpoints import CheckpointFolder
from ltr.trainers.config import TrainerConfig
from ltr.trainers.random_state import seed_everything
from ltr.trainers.trainer import Trainer

__all__ = ["train"]

NET_TYPE = "DiMPnet"


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
    plan = plan_cpu(device.type != "cpu", available_cores(), options.workers, options.threads)
    torch.set_num_threads(plan.threads)
    choice = choose_data(recipe, options.datasets)
    root = options.workspace if options.workspace is not None else workspace()
    folder = CheckpointFolder(_run_folder(root, recipe), NET_TYPE, options.keep)
    start = find_start(options.resume, folder, recipe, choice.label, say)
    if start is not None and start.epoch >= recipe.schedule.epochs:
        say(f"Training is finished: {start.epoch} of {recipe.schedule.epochs} epochs, {start.path}")
        say("--epochs N trains further, --resume none starts anew.")
        return 0
    if choice.note:
        say(choice.note)
    seed_everything(recipe.seed)
    network = build_network(recipe, options.backbone_weights, None if start is None else start.backbone)
    data = open_data(choice, lambda: _generate(root, options, plan), options.validate)
    trainer = _build_trainer(recipe, choice, data, network, folder, plan, device)
    _say_what_runs(recipe, choice, data, network, trainer, plan, device)
    if start is not None:
        trainer.load_state_dict(start.content)
        say(f"resuming {start.path}: {_progress_of(trainer, recipe)}")
    code = trainer.run()
    if code == 0:
        say(f"Finished: {folder.epoch_file(recipe.schedule.epochs)}")
    return code


def _run_folder(root: Path, recipe: TrainRecipe) -> Path:
    return root / "checkpoints" / "ltr" / recipe.module / recipe.name


def _generate(root: Path, options: RunOptions, plan: CpuPlan) -> Mapping[str, Path]:
    from ltr.dataset.generated import ensure_generated

    return ensure_generated(root, "train", scale=options.scale, workers=max(available_cores(), 1))


def _build_trainer(
    recipe: TrainRecipe,
    choice: DataChoice,
    data: OpenedData,
    network: BuiltNetwork,
    folder: CheckpointFolder,
    plan: CpuPlan,
    device: torch.device,
) -> Trainer:
    net = network.net.to(device)
    if recipe.channels_last:
        net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    extra = {"fingerprint": recipe.fingerprint(), "backbone": network.backbone, "data": choice.label}
    sampling = recipe.sampling
    config = TrainerConfig(
        schedule=recipe.schedule,
        batch_size=recipe.batch_size,
        samples_per_epoch=recipe.samples_per_epoch,
        frames_per_sample=sampling.train_frames + sampling.test_frames,
        clip_norm=recipe.optimiser.clip_norm,
        validate_every=recipe.validation.every,
        settings=recipe.plain(),
        extra=extra,
    )
    return Trainer(
        actor=build_actor(recipe, net),
        optimizer=build_optimiser(recipe, net, network.backbone),
        streams=build_streams(recipe, data, plan, device),
        folder=folder,
        config=config,
        device=device,
    )


def _progress_of(trainer: Trainer, recipe: TrainRecipe) -> str:
    position = trainer.position
    text = f"{position.epoch} of {recipe.schedule.epochs} epochs done"
    return text + (f" and {position.step} of {trainer.config.steps} steps" if position.step else "")


def _say_what_runs(
    recipe: TrainRecipe,
    choice: DataChoice,
    data: OpenedData,
    network: BuiltNetwork,
    trainer: Trainer,
    plan: CpuPlan,
    device: torch.device,
) -> None:
    """The head of the log: whatever decides what is learned and how fast."""
    count = count_parameters(network.net)
    frames = trainer.config.frames_per_sample
    sets = ", ".join(
        f"{dataset.name} {len(dataset)} sequences (weight {weight:g})"
        for dataset, weight in zip(data.train, data.weights)
    )
    held = f"; validation: {len(data.validation)} sequences" if data.validation is not None else ""
    kind = "generated: " if choice.generated else ""
    where = device.type if device.type == "cpu" else f"{device} ({torch.cuda.get_device_name(device)})"
    lines = {
        "recipe": f"{recipe.module}/{recipe.name}, box loss {recipe.box.method}, seed {recipe.seed}",
        "network": f"{recipe.network.constructor}, {count['all'] / 1e6:.2f} M parameters, "
        f"{count['trained'] / 1e6:.2f} M trained; {network.note}",
        "data": f"{kind}{sets}{held}",
        "batch": f"{recipe.batch_size} samples of {frames} frames; {trainer.config.steps} steps an epoch, "
        f"{recipe.schedule.epochs} epochs",
        "device": f"{where}, {recipe.precision}; {plan.threads} threads, {plan.workers} loader processes",
        "output": str(trainer.folder.path),
    }
    for name, text in lines.items():
        say(f"{name + ':':<9}{text}")
