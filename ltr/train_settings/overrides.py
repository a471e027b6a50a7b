"""What a command may change: parts of the recipe, and how the run is carried out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ebm.exceptions import InputError
from ltr.actors.network_actor import Precision
from ltr.data.replaced import STRICT, Tolerance
from ltr.train_settings.recipe import OptimiserRecipe, TrainRecipe

__all__ = ["RunOptions", "apply_overrides"]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a run is carried out; nothing here changes what is learned from the same data.

    Attributes:
        datasets: data sets to train on alone, None for the recipe's rule.
        device: ``"auto"`` or a device.
        workers: loader processes, None to decide.
        threads: CPU threads of a process, None to decide.
        processes: processes that this command starts to share every batch.
        arguments: of the command, for the other processes.
        micro_batch: samples computed at once, at least 2; None for what the memory allows.
        resume: ``"auto"``, ``"match"``, ``"none"`` or a checkpoint.
        backbone_weights: file of ImageNet weights, None to download them.
        init_weights: file of a network's weights to begin with, None to begin with the backbone's alone.
        workspace: root of the outputs, None for the configured one.
        scale: size of the generated data.
        keep: checkpoints to keep.
        validate: whether to validate.
        decoder: library that decodes JPEGs; ``"auto"``: the fastest that works.
        tolerance: what may be wrong with the data.
        compile: backend of torch.compile for the backbone, None to leave it as it is.
        log: sinks for the numbers of every epoch, e.g. ``"tensorboard"``.
        max_time: seconds that the run may take, over all its parts; None for no limit.
        dry_run: make three steps, say what they took, and write nothing.
    """

    datasets: Sequence[str] | None = None
    device: str = "auto"
    workers: int | None = None
    threads: int | None = None
    processes: int = 1
    arguments: Sequence[str] = ()
    micro_batch: int | None = None
    resume: str = "auto"
    backbone_weights: Path | None = None
    init_weights: Path | None = None
    workspace: Path | None = None
    scale: Literal["tiny", "short", "demo", "full"] = "demo"
    keep: int = 3
    validate: bool = True
    decoder: str = "auto"
    tolerance: Tolerance = STRICT
    compile: str | None = None
    log: Sequence[str] = ()
    max_time: float | None = None
    dry_run: bool = False

    @property
    def start(self) -> str:
        """Where the run starts: as `resume` says; three steps on trial start anew."""
        return "none" if self.dry_run else self.resume

    def parts(self, batch_size: int) -> int | None:
        """Parts in which a batch is computed, None to let the free memory decide.

        Raises:
            InputError: if a part would hold a single sample, which has no batch statistics.
        """
        if self.micro_batch is None:
            return None
        parts = -(-batch_size // self.micro_batch)
        if batch_size // parts < 2:
            raise InputError(
                f"--micro-batch {self.micro_batch} cuts a batch of {batch_size} into parts of one sample, "
                "which has no batch statistics; use 2 or more."
            )
        return parts


def apply_overrides(
    recipe: TrainRecipe,
    *,
    epochs: int | None = None,
    samples: int | None = None,
    batch_size: int | None = None,
    clip: float | None = None,
    precision: Precision | None = None,
    seed: int | None = None,
    scale_lr: bool = False,
) -> TrainRecipe:
    """The recipe with what is not None put in its place.

    With `scale_lr` all learning rates are multiplied by the new batch size over the recipe's.

    Raises:
        InputError: for a clip norm that is not positive.

    Source (scaling): Goyal et al., "Accurate, Large Minibatch SGD", arXiv:1706.02677.
    """
    if scale_lr and batch_size is not None:
        recipe = replace(recipe, optimiser=_scaled_rates(recipe.optimiser, batch_size / recipe.batch_size))
    if clip is not None and not clip > 0:
        raise InputError(f"--clip must be positive, got {clip}.")
    changed: dict[str, Any] = {
        "samples_per_epoch": samples,
        "batch_size": batch_size,
        "precision": precision,
        "seed": seed,
        "schedule": None if epochs is None else replace(recipe.schedule, epochs=epochs),
        "optimiser": None if clip is None else replace(recipe.optimiser, clip_norm=clip),
    }
    return replace(recipe, **{name: value for name, value in changed.items() if value is not None})


def _scaled_rates(optimiser: OptimiserRecipe, factor: float) -> OptimiserRecipe:
    groups = tuple(replace(group, lr=group.lr * factor) for group in optimiser.groups)
    return replace(optimiser, groups=groups, scratch_backbone_lr=optimiser.scratch_backbone_lr * factor)
