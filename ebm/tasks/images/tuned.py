"""A task's backbone trained with the energy on its features: the papers' recipe, or the light one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from ebm.exceptions import InputError
from ebm.fitting import FittedEBM, load_fitted
from ebm.fitting.data import Scaling
from ebm.fitting.recipes import standardised_loss
from ebm.images.augment import Augmentation, read_pixels
from ebm.images.backbones import build_backbone
from ebm.images.cache import default_folder
from ebm.images.encoder import PictureEncoder
from ebm.images.features import Extractor
from ebm.images.labelled import Fault, Labelled, refuse
from ebm.images.tuning import BackboneNet, Loss, Tuned, tune
from ebm.nn.backbone import Backbone
from ebm.tasks.images.methods import Data, config_of, energy_network, energy_options, prepare
from ebm.tasks.images.task import Parts, Recipe, Task

__all__ = ["fit_backbone", "full_recipe", "light_recipe", "tuned_weights"]

# Pictures whose features tell mean and scale before training.
MEASURED = 512
# Of EfficientNet-Lite0, up to stride 8: a third of the time of a step without them, and hardly any weights.
EARLY = ("conv_stem", "bn1", "blocks.0", "blocks.1", "blocks.2")
Say = Callable[[str], None]


def full_recipe(task: Task) -> Recipe:
    """The papers' recipe of a task."""
    recipe = task.recipe.paper
    return replace(recipe, features=replace(recipe.features, size=task.words.full_size))


def light_recipe(task: Task) -> Recipe:
    """The light backbone, its later stages trained with small steps from where ImageNet left them."""
    features = task.recipe.features
    return replace(
        task.recipe,
        features=replace(features, flip=features.flip and features.symmetric),
        num_samples=64,
        epochs=8,
        patience=8,
        learning_rate=5e-4,
        batch_size=32,
        scales=(0.9, 1.2),
        frozen=EARLY,
    )


def fit_backbone(
    task: Task,
    recipe: Recipe,
    parts: Parts,
    loss: str,
    *,
    seed: int = 0,
    weights: str | None = None,
    checkpoint: Path | None = None,
    skip_broken: bool = False,
    progress: bool = False,
    say: Say = lambda _: None,
) -> tuple[FittedEBM, Tuned]:
    """Train a backbone and an energy together.

    Args:
        task: targets, and what mirroring does to them.
        recipe: backbone, sizes, noise and budget.
        parts: pictures; those of the test are not looked at.
        loss: of the energy.
        seed: of weights, order, noise and augmentation.
        weights: of the backbone, to begin with.
        checkpoint: a file to go on from.
        skip_broken: leave out pictures that cannot be read.
        progress: show a bar.
        say: takes sentences for the user.

    Returns: a density that takes pictures, its backbone's weights within, and how training went.

    Raises:
        InputError: if pictures or weights cannot be used.
        NumericalError: if training fails from the start.
    """
    train, held = (
        _pixels(part, recipe.features.size, skip_broken, say) for part in (parts.train, parts.validation)
    )
    backbone, origin = build_backbone(recipe.features.backbone, weights)
    say(f"{recipe.features.backbone}: {origin}")
    net, data = _network(task, recipe, backbone, train, held, seed)
    scaling = data.scaling
    options = energy_options(loss, recipe, scaling)
    config = config_of(recipe, seed, loss)
    found = tune(
        net,
        _loss_of(loss, options, scaling),
        (train[0], scaling.standardised(train[1]).float()),
        (held[0], scaling.standardised(held[1]).float()),
        config,
        mirror=lambda z: scaling.standardised(scaling.raw(z) * torch.tensor(task.mirrored)),
        augmentation=Augmentation(scales=recipe.scales),
        rule=recipe.rule,
        checkpoint=checkpoint,
        progress=progress,
    )
    say(f"{found.rate:.1f} images a second, all of them in memory: no time waiting for pixels")
    encoder = _encoder(recipe, parts.train.root, backbone, data.width)
    # The features of the training have moved away from where they were measured.
    scaling = replace(scaling, x_low=None, x_high=None, x_table=encoder, y_names=task.targets)
    return FittedEBM(cast(Any, net.network), scaling, config, options, found.history), found


def _network(
    task: Task,
    recipe: Recipe,
    backbone: Backbone,
    train: tuple[Tensor, Tensor],
    held: tuple[Tensor, Tensor],
    seed: int,
) -> tuple[BackboneNet, Data]:
    """A fresh energy on the backbone, and the scaling of what it sees as measured before training."""
    plain = replace(recipe.features, flip=False)
    data = _measured(Extractor(plain, backbone=backbone), train, held, task)
    backbone.freeze(recipe.frozen)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = energy_network(data, recipe)
    return BackboneNet(backbone, plain, network, data.scaling.x_mean, data.scaling.x_scale), data


def _encoder(recipe: Recipe, root: Path, backbone: Backbone, width: int) -> PictureEncoder:
    """Takes pictures by the weights that the backbone has now."""
    own = {key: value.detach().clone() for key, value in backbone.state_dict().items()}
    return PictureEncoder(recipe.features, root=root, cache=default_folder(), own=own, width=width)


def _loss_of(loss: str, options: dict[str, Any], scaling: Scaling) -> Loss:
    """A loss of `ebm.losses` as `tune` takes it."""
    energy = standardised_loss(loss, options, scaling.target_dim, check_finite=True)

    def batch_loss(model: nn.Module, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        own = cast(Any, model)
        return cast(Tensor, energy(own, own.extract(x), y, generator=generator).loss)

    return batch_loss


def _pixels(pictures: Labelled, size: int, skip_broken: bool, say: Say) -> tuple[Tensor, Tensor]:
    """Pixels ``(N, S, S, 3)`` uint8 and targets ``(N, D)`` float64."""
    pixels, bad = read_pixels(pictures.paths, size, say)
    faults = [Fault(pictures.rows[k], pictures.names[k], why) for k, why in sorted(bad.items())]
    if faults and not skip_broken:
        raise refuse(faults, len(pictures))
    for fault in faults:
        say(f"left out: {fault}")
    good = [k for k in range(len(pictures)) if k not in bad]
    return pixels[good], torch.from_numpy(pictures.y[good])


def _measured(
    extractor: Extractor, train: tuple[Tensor, Tensor], held: tuple[Tensor, Tensor], task: Task
) -> Data:
    """Scaling of features, of some pictures, and of targets, of all."""
    some = train[0][:MEASURED].numpy()
    x = torch.cat([extractor(part)[:, 0] for part in np.array_split(some, max(1, len(some) // 32))])
    rows = x[torch.arange(len(train[1])) % len(x)]
    y = train[1][:, 0] if len(task.targets) == 1 else train[1]
    held_y = held[1][:, 0] if len(task.targets) == 1 else held[1]
    return prepare((rows, y), (x[torch.arange(len(held_y)) % len(x)], held_y))


def tuned_weights(path: Path) -> dict[str, Tensor]:
    """The weights of the backbone that a density was trained with, from the file that `fit_backbone` led to.

    Raises:
        InputError: if the file is no density, or one on features of a frozen backbone.
    """
    own = getattr(load_fitted(path).scaling.x_table, "own", None)
    if own is None:
        raise InputError(f"{path} holds no backbone: only what --fine-tune wrote does.")
    return dict(own)
