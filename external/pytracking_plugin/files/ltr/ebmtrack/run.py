"""The run that the added settings share: loaders, checkpoints that torch may load, training to the end."""

from collections.abc import Callable
from typing import Any

import torch
from torch import optim

from .. import MultiGPU
from ..data import LTRLoader
from ..trainers import LTRTrainer
from .loading import allow_checkpoints
from .processing import Proposals
from .sources import image_transforms, training_sets, validation_sets

__all__ = ["build_loaders", "describe", "parallel", "train"]


def describe(settings: Any, recipe: Any, proposals: Proposals) -> None:
    """Put the run's values on `settings`, plain ones alone: they are written into checkpoints."""
    beta = "the label in place" if proposals.beta is None else f"the label moved, beta {proposals.beta:g}"
    settings.description = f"{recipe.preset}: {proposals.num_samples} noise boxes, {beta} (EBMTrack)"
    settings.batch_size, settings.num_workers = recipe.batch_size, recipe.num_workers
    settings.multi_gpu = getattr(settings, "multi_gpu", False)
    settings.print_interval, settings.print_stats = 1, None
    settings.feature_sz, settings.search_area_factor = recipe.feature_size, recipe.search_area
    settings.output_sz = recipe.feature_size * recipe.stride


def build_loaders(
    env: Any, recipe: Any, sampler: Any, processing: Callable[[Any], Any], flip: bool, **frames: int
) -> list[Any]:
    """Loaders of batches ``(images, sequences, ...)``; validation every fifth epoch.

    Args:
        env: PyTracking's places of data sets.
        recipe: numbers of samples, batch and workers.
        sampler: PyTracking's class of sampler.
        processing: makes the processing of samples from a transform of their crops.
        flip: whether crops are mirrored at random.
        frames: numbers of frames in a sample, as the sampler names them.
    """
    transforms, counts = image_transforms(flip), (recipe.train_samples, recipe.validation_samples)
    train_set, validation_set = (
        sampler(
            sets,
            [1] * len(sets),
            samples_per_epoch=count,
            max_gap=recipe.max_gap,
            processing=processing(transform),
            **frames,
        )
        for sets, count, transform in zip((training_sets(env), validation_sets(env)), counts, transforms)
    )
    common = {
        "batch_size": recipe.batch_size,
        "num_workers": recipe.num_workers,
        "drop_last": True,
        "stack_dim": 1,
    }
    return [
        LTRLoader("train", train_set, training=True, shuffle=True, **common),
        LTRLoader("val", validation_set, training=False, shuffle=False, epoch_interval=5, **common),
    ]


def parallel(net: Any, settings: Any) -> Any:
    """The network itself, or spread over all GPUs where ``settings.multi_gpu`` asks for it."""
    return MultiGPU(net, dim=1) if settings.multi_gpu else net


def train(
    settings: Any, recipe: Any, actor: Any, loaders: list[Any], groups: list[Any], base_lr: float
) -> None:
    """Adam, learning rates times 0.2 every 15 epochs, resumed from the newest checkpoint of this setting.

    An error ends the run with its traceback; the same command resumes. PyTracking's own settings ask the
    trainer to swallow errors and start again, which also hides Ctrl-C.
    """
    allow_checkpoints()
    optimizer = optim.Adam(groups, lr=base_lr)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=15, gamma=0.2)
    trainer = LTRTrainer(actor, loaders, optimizer, settings, schedule)
    trainer.train(recipe.epochs, load_latest=True, fail_safe=False)
