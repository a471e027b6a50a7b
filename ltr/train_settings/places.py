"""Where a training run writes, and that it reads elsewhere."""

from pathlib import Path

from ebm.outputs import Output, require_outputs
from ltr.dataset.opening import read_places
from ltr.train_settings.data_source import DataChoice
from ltr.train_settings.overrides import RunOptions
from ltr.train_settings.recipe import TrainRecipe
from ltr.trainers.sinks import folders_of

__all__ = ["require_places", "run_folder"]


def run_folder(root: Path, recipe: TrainRecipe) -> Path:
    """The folder of a run's checkpoints in a workspace."""
    return root / "checkpoints" / "ltr" / recipe.module / recipe.name


def require_places(folder: Path, options: RunOptions, choice: DataChoice) -> None:
    """Refuse to write where the run reads; files of earlier runs in its folder may be moved or replaced.

    A dry run writes nothing.

    Raises:
        InputError: if the run's folder or that of a log lies in a data set, holds the backbone's weights, or
            cannot be written to.
    """
    if options.dry_run:
        return
    logs = [Output(name="--log-to", path=path, folder=True) for path in folders_of(options.log)]
    inputs = {f"the data set {name}": read_places(path) for name, path in choice.roots.items()}
    require_outputs(
        [Output(name="the run's folder", path=folder, folder=True, owned=True), *logs],
        {**inputs, "--backbone-weights": options.backbone_weights},
    )
