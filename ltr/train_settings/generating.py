"""The generated data of a run: all of them, or drawn videos beside real data."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ltr.train_settings.data_source import DRAWN_VIDEOS, DataChoice

__all__ = ["generate_data"]


def generate_data(
    root: Path, choice: DataChoice, workers: int | None, progress: bool = True
) -> Mapping[str, Path]:
    """Make the generated data of a choice, unless they are there.

    Args:
        root: the workspace.
        choice: of real data with drawn videos, whose surfaces are then cut from its photos; or generated.
        workers: processes, None to decide.
        progress: show progress bars.

    Returns: their roots by layout.

    Raises:
        InputError: if they cannot be written, or the photos are unusable.
    """
    from ltr.dataset.generated import ensure_generated

    make = partial(
        ensure_generated, root, "train", scale=choice.scale, workers=workers or 0, progress=progress
    )
    if choice.generated:
        return make()
    from ltr.dataset.generated.plans import drawn_plan
    from ltr.dataset.photos import texture_folder

    photos = choice.roots.get("photos")
    textures = None if photos is None else texture_folder(photos)
    return make(textures=textures, plan=drawn_plan(choice.scale, DRAWN_VIDEOS.name))
