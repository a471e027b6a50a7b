"""What `ltr.run_training` does once its arguments are parsed; loads torch."""

import argparse
import sys

import torch

from ltr.data.replaced import Tolerance
from ltr.train_settings.build import network_type
from ltr.train_settings.overrides import RunOptions, apply_overrides
from ltr.train_settings.recipe import find_recipe
from ltr.train_settings.session import train
from ltr.train_settings.settable import set_fields
from ltr.train_settings.shown import show_recipe
from ltr.trainers.time_limit import parse_duration

__all__ = ["train_command"]

OUT_OF_MEMORY = (
    "error: out of memory. Lower --micro-batch or --batch-size, try --precision bf16, or choose a setting "
    "with a smaller network or crop."
)


def train_command(options: argparse.Namespace) -> int:
    """Train as the parsed options say.

    Args:
        options: from `ltr.run_training.build_parser`.

    Returns: the exit code.

    Raises:
        EBMError: for bad input, and for losses that are not finite.
    """
    origin = find_recipe(options.module, options.name)
    recipe = apply_overrides(
        origin,
        epochs=options.epochs,
        samples=options.samples,
        batch_size=options.batch_size,
        clip=options.clip,
        precision=options.precision,
        seed=options.seed,
        scale_lr=options.scale_lr,
    )
    recipe = set_fields(recipe, options.set)
    network_type(recipe)  # refuses an unknown network before anything starts
    if options.show:
        print(show_recipe(recipe, origin))
        return 0
    try:
        return train(recipe, _run_options(options))
    except torch.OutOfMemoryError:
        print(OUT_OF_MEMORY, file=sys.stderr)
        return 1


def _run_options(options: argparse.Namespace) -> RunOptions:
    return RunOptions(
        datasets=options.datasets,
        device=options.device,
        workers=options.workers,
        threads=options.threads,
        processes=options.processes,
        arguments=options.arguments,
        micro_batch=options.micro_batch,
        resume=options.resume,
        backbone_weights=options.backbone_weights,
        init_weights=options.init_weights,
        workspace=options.workspace,
        scale=options.scale,
        keep=options.keep,
        validate=options.validate,
        decoder=options.decoder,
        tolerance=Tolerance(skip_broken=options.skip_broken, unreadable=options.unreadable),
        compile=options.compile,
        log=options.log_to,
        max_time=None if options.max_time is None else parse_duration(options.max_time),
        dry_run=options.dry_run,
    )
