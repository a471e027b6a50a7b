"""From a recipe to the objects that train: network, actor, optimiser."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

import torch
from torch import nn

from ebm.input_statistics import input_statistics
from ebm.lookup import lookup, unknown_name
from ltr.admin.loading import load_backbone_weights
from ltr.admin.model_constructor import known_constructors
from ltr.train_settings.initial import begin_with
from ltr.train_settings.losses import build_actor, check_fit
from ltr.train_settings.recipe import TrainRecipe
from ltr.train_settings.terms import OverlapRecipe
from ltr.trainers.config import TrainerConfig
from ltr.trainers.optimiser import ParameterGroup, build_adam

__all__ = [
    "BuiltNetwork",
    "build_actor",
    "build_config",
    "build_network",
    "build_optimiser",
    "network_arguments",
    "network_type",
]

IMAGENET, SCRATCH = "imagenet", "scratch"
DECIDED = ("backbone_pretrained", "frozen_backbone_layers")  # arguments that follow from other fields


@dataclass(frozen=True, kw_only=True)
class BuiltNetwork:
    """A network and how its backbone began.

    Attributes:
        net: the network, on the CPU.
        backbone: ``"imagenet"`` or ``"scratch"``; with the latter nothing is frozen.
        note: a line that says where the backbone's weights come from and what is frozen.
    """

    net: nn.Module
    backbone: str
    note: str


def build_network(
    recipe: TrainRecipe,
    weights: Path | None = None,
    resumed: str | None = None,
    initial: Path | None = None,
) -> BuiltNetwork:
    """Build the recipe's network and give its backbone its starting weights.

    Args:
        recipe: the network, its geometry, what it freezes.
        weights: file of ImageNet weights; None to take torchvision's.
        resumed: how the backbone of the checkpoint to be loaded began; its weights are in that file.
        initial: file of a whole network's weights to begin with, if nothing is resumed.

    Raises:
        DomainError: if the losses do not fit the network.
        UnknownNameError: if there is no such network, or it has no such argument or layer to freeze.
        InputError: if `weights` or `initial` is no such file. Without a file, missing weights are no error:
            the backbone is then trained from nothing, and the note says so.
    """
    constructor = lookup("network", recipe.network.constructor, _constructors())
    if resumed is not None:
        return _built(constructor, recipe, resumed, "backbone: weights from the checkpoint")
    if initial is not None:
        built = _built(constructor, recipe, IMAGENET, f"begins with {initial}")
        begin_with(built.net, initial)
        return built
    built = _begun(constructor, recipe, weights)
    if recipe.network.still_norms:
        note = f"{built.note}: mean 0 and variance 1 in new layers; --init-weights begins with trained ones"
        return replace(built, note=note)
    return built


def _begun(constructor: Any, recipe: TrainRecipe, weights: Path | None) -> BuiltNetwork:
    """A network whose backbone begins as the recipe says, and all else with random weights."""
    if not recipe.network.pretrained and weights is None:
        return _built(constructor, recipe, SCRATCH, "backbone: random weights, as the setting says")
    built = _built(constructor, recipe, IMAGENET, "")
    loaded = load_backbone_weights(built.net, weights)
    if loaded:
        return BuiltNetwork(
            net=built.net, backbone=IMAGENET, note=f"backbone: {loaded.message}; {built.note}"
        )
    return _built(constructor, recipe, SCRATCH, f"backbone: no ImageNet weights ({loaded.message})")


def network_type(recipe: TrainRecipe) -> str:
    """Class name of the recipe's network, which its checkpoints carry in their names; nothing is built.

    Raises:
        UnknownNameError: if there is no such constructor.
    """
    constructor = lookup("network", recipe.network.constructor, _constructors())
    return str(get_type_hints(constructor)["return"].__name__)


def network_arguments(name: str) -> dict[str, Any]:
    """Arguments of a constructor that a recipe may give, and their types.

    Raises:
        UnknownNameError: if there is no such constructor.
    """
    constructor = lookup("network", name, _constructors())
    hints = get_type_hints(inspect.unwrap(constructor))
    if "arguments" in hints:  # the fields of a dataclass
        hints = get_type_hints(hints["arguments"])
    return {key: hints[key] for key in inspect.signature(constructor).parameters if key not in DECIDED}


def _constructors() -> dict[str, Any]:
    return {name: constructor for (_, name), constructor in known_constructors().items()}


def _built(constructor: Any, recipe: TrainRecipe, backbone: str, source: str) -> BuiltNetwork:
    frozen = list(recipe.network.frozen) if backbone == IMAGENET else []
    # The same start for every way to get here: a second build must not go on in the random stream.
    torch.manual_seed(recipe.seed)
    # Recorded in checkpoints where the published constructor has the argument; ATOM's has not.
    known = inspect.signature(constructor).parameters
    for name in recipe.network.kwargs:
        if name not in known:
            raise unknown_name(f"argument of {recipe.network.constructor}", name, known)
    options = {"frozen_backbone_layers": frozen} if "frozen_backbone_layers" in known else {}
    net = constructor(**recipe.network.kwargs, backbone_pretrained=False, **options)
    layers = list(net.feature_extractor.parts())
    named = () if recipe.network.frozen == ("all",) else recipe.network.frozen
    for name in named:  # also where none is frozen for lack of weights
        if name not in layers:
            raise unknown_name("layer of the backbone to freeze", name, layers)
    net.feature_extractor.freeze(frozen, statistics=recipe.network.frozen_statistics)
    check_fit(recipe, net)
    geometry = recipe.geometry
    mean, std = input_statistics(net)
    net.info = {
        "image_sample_size": geometry.crop_size,
        "search_area_scale": geometry.search_area_scale,
        # What training calls centred, a crop that stays around the target, is the trackers' "replicate".
        "crop_type": "replicate" if geometry.crop_type == "centred" else geometry.crop_type,
        "feature_stride": geometry.feature_stride,
        "box_scores": "overlap" if isinstance(recipe.box, OverlapRecipe) else "density",
        "input_mean": list(mean),
        "input_std": list(std),
    }
    drift = "" if recipe.network.frozen_statistics else " (not the statistics of their batch norms)"
    state = (
        f"frozen: {', '.join(frozen)}{drift}" if frozen else "nothing frozen, the whole backbone is trained"
    )
    if recipe.network.still_norms:
        state += "; all batch norms keep their statistics"
    return BuiltNetwork(net=net, backbone=backbone, note=f"{source}; {state}" if source else state)


def parameter_groups(recipe: TrainRecipe, backbone: str) -> list[ParameterGroup]:
    """The recipe's groups, with the whole backbone as one of them where it starts from nothing."""
    groups = list(recipe.optimiser.groups)
    if backbone == SCRATCH:
        groups = [group for group in groups if not group.path.startswith("feature_extractor")]
        groups.append(ParameterGroup(path="feature_extractor", lr=recipe.optimiser.scratch_backbone_lr))
    return groups


def build_optimiser(recipe: TrainRecipe, net: nn.Module, backbone: str) -> torch.optim.Adam:
    """Adam over the recipe's groups; over the whole backbone where it starts from nothing.

    Args:
        recipe: groups and learning rates.
        net: the network on its device.
        backbone: ``"imagenet"`` or ``"scratch"``.
    """
    return build_adam(net, parameter_groups(recipe, backbone), recipe.optimiser.weight_decay)


def count_parameters(net: nn.Module) -> Mapping[str, int]:
    """Number of weights, ``"all"`` and ``"trained"``."""
    return {
        "all": sum(p.numel() for p in net.parameters()),
        "trained": sum(p.numel() for p in net.parameters() if p.requires_grad),
    }


def build_config(
    recipe: TrainRecipe,
    parts: int | None,
    extra: Mapping[str, Any] | None = None,
    max_time: float | None = None,
) -> TrainerConfig:
    """What a recipe tells the training loop.

    Args:
        recipe: what is trained.
        parts: into which a batch is split, None to decide by the free memory.
        extra: what checkpoints carry besides, plain data.
        max_time: seconds that the run may take, None for no limit.
    """
    sampling = recipe.sampling
    return TrainerConfig(
        schedule=recipe.schedule,
        batch_size=recipe.batch_size,
        samples_per_epoch=recipe.samples_per_epoch,
        frames_per_sample=sampling.train_frames + sampling.test_frames,
        clip_norm=recipe.optimiser.clip_norm,
        scale_loss=recipe.precision == "fp16",
        ema=recipe.ema,
        validate_every=recipe.validation.every,
        groups=recipe.groups,
        seed=recipe.seed,
        parts=parts,
        max_time=max_time,
        settings=recipe.plain(),
        extra=dict(extra or {}),
    )
