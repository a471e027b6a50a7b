"""One training run: puts recipe, data, network and loop together."""

from collections import Counter
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from ebm.devices import resolve_device
from ebm.exceptions import InputError
from ebm.lookup import lookup
from ebm.sinks import SinkContext, check_requests, open_sinks
from ebm.threads import available_cores, core_limit, using_threads
from ltr.actors.refined_overlap import RefinedOverlap
from ltr.admin.environment import workspace
from ltr.data.decoders import choose_decoder
from ltr.data.replaced import describe_replaced
from ltr.train_settings.build import (
    BuiltNetwork,
    build_actor,
    build_config,
    build_network,
    build_optimiser,
    count_parameters,
)
from ltr.train_settings.data_source import choose_data, open_data
from ltr.train_settings.generating import generate_data
from ltr.train_settings.head import Run, head_lines
from ltr.train_settings.initial import initial_file, initial_label
from ltr.train_settings.overrides import RunOptions
from ltr.train_settings.places import require_places, run_output
from ltr.train_settings.recipe import TrainRecipe
from ltr.train_settings.resources import CpuPlan, plan_cpu, shared_memory_note
from ltr.train_settings.resume import Start, find_start, make_way
from ltr.train_settings.streams import build_streams
from ltr.trainers.division import Division, divide
from ltr.trainers.dry_run import dry_run
from ltr.trainers.launch import expected_world, launch, under_torchrun
from ltr.trainers.random_state import seed_everything
from ltr.trainers.sole_writer import check_space
from ltr.trainers.trainer import Trainer
from ltr.trainers.world import World

__all__ = ["train"]


def train(recipe: TrainRecipe, options: RunOptions) -> int:
    """Train a recipe to its last epoch, or until asked to stop.

    Args:
        recipe: what to train.
        options: how.

    Returns: the exit code: 0, or 130 or 143 after SIGINT or SIGTERM.

    Raises:
        EBMError: for bad input and for losses that are not finite.
    """
    world = expected_world(options.processes)
    device = _device(options, world)
    _check_sharing(recipe, options, device, world)
    check_requests(options.log)
    if options.compile is not None:
        lookup("compiler", options.compile, {name: name for name in torch.compiler.list_backends(())})
    # All batches have one shape, so the search for the fastest convolution pays.
    torch.backends.cudnn.benchmark = device.type == "cuda"
    return _train(recipe, options, device)


def _device(options: RunOptions, world: World) -> torch.device:
    """The device of this process: under torchrun each one of a machine has a GPU of its own.

    Raises:
        InputError: if there is no such device, or one GPU is meant for several processes.
    """
    device = resolve_device(options.device)
    if device.type == "cpu" or not under_torchrun() or world.size == 1:
        return device
    if device.type != "cuda" or (device.index is not None and world.local_size > 1):
        raise InputError(
            f"--device {options.device} cannot be shared by {world.local_size} processes; leave it out, so "
            "that each one takes the GPU of its number, or pass cpu."
        )
    return resolve_device(f"cuda:{world.local_rank}") if device.index is None else device


def _check_sharing(recipe: TrainRecipe, options: RunOptions, device: torch.device, world: World) -> None:
    """Refuse what cannot be shared before anything starts."""
    if options.processes > 1 and device.type != "cpu":
        raise InputError(
            f"--processes {options.processes} is for training on a CPU, and the device is {device}; "
            f"torchrun --nproc-per-node {options.processes} ltr/run_training.py ... uses several GPUs."
        )
    if recipe.sync_batch_norm and device.type != "cuda":
        raise InputError(
            f"sync_batch_norm needs GPUs, since torch offers it there alone, and the device is {device}; "
            "leave it false."
        )
    options.parts(divide(recipe.batch_size, world, recipe.groups).samples)


def _train(recipe: TrainRecipe, options: RunOptions, device: torch.device) -> int:
    decoder = choose_decoder(options.decoder)
    choice = choose_data(recipe, options.datasets, "tiny" if options.dry_run else options.scale)
    root = options.workspace if options.workspace is not None else workspace()
    require_places(root, recipe, options, choice)
    with run_output(root, recipe, options) as folder, launch(options.processes, options.arguments) as join:
        world = join(device)
        say = speaker(world)
        with world.in_turns():
            initial = initial_file(options.init_weights)
            start = find_start(options.start, folder, recipe, choice.label, say, initial_label(initial))
        _check_agreement(world, recipe, start)
        if _is_finished(start, recipe, say):
            return 0
        if choice.note:
            say(choice.note)
        seed_everything(recipe.seed)
        generate = partial(generate_data, root, choice, options.workers)
        with world.in_turns():  # weights may be downloaded, data generated
            network = build_network(
                recipe, options.backbone_weights, start.backbone if start else None, initial
            )
            data = open_data(choice, generate, options.validate)
        division = divide(recipe.batch_size, world, recipe.groups)
        run = Run(
            recipe=recipe,
            parts=options.parts(division.samples),
            division=division,
            choice=choice,
            data=data,
            network=network,
            folder=folder,
            plan=_plan(options, device, world, network),
            device=device,
            world=world,
            decoder=decoder,
        )
        with using_threads(run.plan.threads, opencv=1):  # images that are read here leave it the cores
            return _carry_out(run, options, start)


def _is_finished(start: Start | None, recipe: TrainRecipe, say: Callable[[str], None]) -> bool:
    """Whether no epoch is left, which is said."""
    if start is None or start.epoch < recipe.schedule.epochs:
        return False
    say(
        f"Training is finished: {start.epoch} of {recipe.schedule.epochs} epochs, {start.path}\n"
        "--epochs N trains further, --resume none starts anew."
    )
    return True


def _plan(options: RunOptions, device: torch.device, world: World, network: BuiltNetwork) -> CpuPlan:
    # torchrun sets OMP_NUM_THREADS=1 where nobody said anything, which is no wish.
    cores = available_cores() if under_torchrun() else core_limit()
    count = count_parameters(network.net)["all"]
    return plan_cpu(device.type != "cpu", cores, options.workers, options.threads, world.local_size, count)


def speaker(world: World) -> Callable[[str], None]:
    """Prints a line at once, also into a pipe; silent in all processes but the main one."""
    return partial(print, flush=True) if world.is_main else lambda text: None


def _check_agreement(world: World, recipe: TrainRecipe, start: Start | None) -> None:
    """Refuse processes that would train different things, e.g. on machines that see different files."""
    own = ("nothing" if start is None else f"{start.path.name}, epoch {start.epoch}", recipe.fingerprint())
    first, *others = world.gather(own)
    for rank, other in enumerate(others, 1):
        if other != first:
            raise InputError(
                f"Process {rank} would go on from {other[0]} (recipe {other[1]}), process 0 from {first[0]} "
                f"(recipe {first[1]}). All machines must see the same checkpoints: give a --workspace on a "
                "disk they share, and the same command."
            )


def _carry_out(run: Run, options: RunOptions, start: Start | None) -> int:
    """Train, or try a few steps."""
    say = speaker(run.world)
    trainer = _build_trainer(run, options)
    for name, text in head_lines(run, trainer.config).items():
        if name == "output" and options.dry_run:
            continue
        say(f"{name + ':':<9}{text}")
    for remark in run.recipe.remarks():
        say(remark)
    if note := shared_memory_note(_batch_bytes(run), run.plan.workers * run.world.local_size):
        say(note)
    if options.dry_run:
        for line in dry_run(trainer).lines():
            say(line)
        return 0
    if start is not None:
        trainer.load_state_dict(start.content)
        say(f"resuming {start.path}: {_progress_of(trainer)}")
        if not run.recipe.network.still_norms:
            _say_other_sharing(start, run.division, say)
    if run.world.is_main:
        check_space(run.folder.path, _checkpoint_bytes(trainer))
        make_way(run.folder, start, say)
    del start  # its tensors are as large as the network and the optimiser's state
    try:
        code = trainer.run()
    finally:
        trainer.sinks.close()
    replaced = sum(map(Counter, run.world.gather(dict(trainer.streams.replaced))), Counter[str]())
    if replaced:
        say(f"data: {describe_replaced(replaced)}")
    if code == 0:
        if trainer.limit.is_up:
            say("The time is up; a longer --max-time trains further.")
        say(f"Finished: {run.folder.epoch_file(trainer.position.epoch)}")
    return code


def _batch_bytes(run: Run) -> int:
    """Bytes of the images in this process's share of a batch."""
    sampling = run.recipe.sampling
    frames = sampling.train_frames + sampling.test_frames
    return run.division.own * run.division.samples * frames * 3 * run.recipe.geometry.crop_size**2


def _checkpoint_bytes(trainer: Trainer) -> int:
    """Bytes of a checkpoint: weights, averaged ones, Adam's two moments of those that are trained."""
    net = trainer.actor.net
    weights = sum(value.nbytes for value in net.state_dict().values())
    moments = sum(2 * p.nbytes for p in net.parameters() if p.requires_grad)
    return weights * (1 if trainer.step.average is None else 2) + moments


def _say_other_sharing(start: Start, division: Division, say: Callable[[str], None]) -> None:
    world = division.world
    before = int(start.content["resume"].get("processes", 1))
    if before != world.size and not division.fixed:
        say(
            f"the checkpoint was trained by {before} processes, now there are {world.size}: batch statistics "
            "are over a process's share, so this is no exact continuation"
        )


def _build_trainer(run: Run, options: RunOptions) -> Trainer:
    recipe = run.recipe
    extra = {
        "fingerprint": recipe.fingerprint(),
        "backbone": run.network.backbone,
        "data": run.choice.label,
        "initial": initial_label(initial_file(options.init_weights)),
    }
    config = build_config(recipe, run.parts, extra, options.max_time)
    net = _placed(run.network.net, run, options.compile)
    context = SinkContext(
        folder=run.folder.path,
        title=f"ltr/{recipe.module}/{recipe.name}",
        texts=head_lines(run, config),
    )
    say = speaker(run.world)
    actor = build_actor(recipe, net)
    if recipe.validation.refine:
        actor.refined = RefinedOverlap(starts=recipe.validation.refine)
    return Trainer(
        actor=actor,
        optimizer=build_optimiser(recipe, net, run.network.backbone),
        streams=build_streams(
            recipe, run.data, run.plan, run.device, run.world, run.decoder, options.tolerance
        ),
        folder=run.folder,
        config=config,
        device=run.device,
        world=run.world,
        sinks=open_sinks(options.log if run.world.is_main else [], context, say),
    )


def _placed(net: nn.Module, run: Run, compiler: str | None) -> nn.Module:
    """The network on its device, in the memory layout and with the options of the run."""
    net = net.to(run.device)
    if run.recipe.channels_last:
        net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if run.recipe.sync_batch_norm and run.world.size > 1:
        net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    if compiler is not None:
        # In place, so that names and state dict stay. The backbone alone: most of the time goes there, and a
        # compiler would need minutes for the unrolled optimiser.
        net.get_submodule("feature_extractor").compile(dynamic=False, backend=compiler)
    return net


def _progress_of(trainer: Trainer) -> str:
    position, config = trainer.position, trainer.config
    text = f"{position.epoch} of {config.schedule.epochs} epochs done"
    return text + (f" and {position.step} of {config.steps} steps" if position.step else "")
