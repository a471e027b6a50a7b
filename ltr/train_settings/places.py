"""Where a training run writes, and that it reads elsewhere."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from ebm.outputs import Output, require_outputs
from ebm.sinks import places_of
from ltr.dataset.opening import read_places
from ltr.train_settings.build import network_type
from ltr.train_settings.data_source import DataChoice
from ltr.train_settings.overrides import RunOptions
from ltr.train_settings.recipe import TrainRecipe
from ltr.trainers.checkpoints import CheckpointFolder
from ltr.trainers.launch import expected_world
from ltr.trainers.sole_writer import sole_writer

__all__ = ["require_places", "run_output"]


def require_places(root: Path, recipe: TrainRecipe, options: RunOptions, choice: DataChoice) -> None:
    """Refuse to write where the run reads; files of earlier runs in its folder may be moved or replaced.

    The main process looks for all, as it alone writes; a dry run writes nothing.

    Args:
        root: the workspace.
        recipe: what is trained.
        options: how.
        choice: on which data.

    Raises:
        InputError: if the run's folder or that of a log lies in a data set, holds the backbone's weights, or
            cannot be written to.
    """
    if options.dry_run or not expected_world(options.processes).is_main:
        return
    logs = [Output(name="--log-to", path=path, folder=folder) for path, folder in places_of(options.log)]
    inputs = {f"the data set {name}": read_places(path) for name, path in choice.roots.items()}
    require_outputs(
        [Output(name="the run's folder", path=_folder(root, recipe), folder=True, owned=True), *logs],
        {
            **inputs,
            "--backbone-weights": options.backbone_weights,
            "--init-weights": options.init_weights,
        },
    )


@contextmanager
def run_output(root: Path, recipe: TrainRecipe, options: RunOptions) -> Iterator[CheckpointFolder]:
    """The folder of the run's files, which no other run may use meanwhile; a passing one of a dry run.

    Args:
        root: the workspace.
        recipe: what is trained.
        options: how.

    Raises:
        InputError: if another run uses it.
    """
    kind = network_type(recipe)
    if not options.dry_run:
        path = _folder(root, recipe)
        with sole_writer(path) if expected_world(options.processes).is_main else nullcontext():
            yield CheckpointFolder(path, kind, options.keep)
        return
    with tempfile.TemporaryDirectory(prefix="ebmtrack-") as folder:
        yield CheckpointFolder(Path(folder), kind, options.keep)


def _folder(root: Path, recipe: TrainRecipe) -> Path:
    """The folder of a run's checkpoints in a workspace."""
    return root / "checkpoints" / "ltr" / recipe.module / recipe.name
