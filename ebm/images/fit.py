"""`ebm.fit_images`: a conditional density p(y|picture) from a table and a folder, in one call."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ebm.exceptions import InputError
from ebm.fitting import FittedEBM, fit
from ebm.images.cache import Found
from ebm.images.encoder import PictureEncoder, averaged, cache_folder
from ebm.images.features import Extractor, FeatureRecipe
from ebm.images.labelled import Fault, Labelled, read_labelled, refuse

__all__ = ["Featured", "featured", "fit_images", "fit_rows"]

# A network on features of pictures is wider than one on a table, and needs less: features are good inputs.
# Rows that are left out and named, at most.
TOLD = 50
DEFAULTS: dict[str, Any] = {
    "hidden": (256, 64),
    "epochs": 40,
    "patience": 8,
    "learning_rate": 1e-3,
    "batch_size": None,
}


@dataclass(frozen=True)
class Featured:
    """Pictures that could be read, with their features.

    Attributes:
        labelled: the pictures and their numbers.
        encoder: how they became features.
        features: of every view, ``(N, V, F)`` float16.
        found: how fast, and what was converted.
    """

    labelled: Labelled
    encoder: PictureEncoder
    features: Tensor
    found: Found

    @property
    def x(self) -> Tensor:
        """Features of the pictures, ``(N, F)`` float64."""
        return averaged(self.features, self.encoder.recipe)

    @property
    def y(self) -> Any:
        """Targets, ``(N,)`` of one and ``(N, D)`` of several."""
        return self.labelled.y[:, 0] if len(self.labelled.targets) == 1 else self.labelled.y


def fit_images(
    table: Any,
    root: str | Path,
    *,
    target: str | Sequence[str],
    image: str | None = None,
    loss: str | None = None,
    backbone: str = "efficientnet_lite0",
    weights: str | Path | None = None,
    size: int = 128,
    layers: Sequence[tuple[str, int]] | None = None,
    flip: bool = False,
    between: tuple[float, float] | None = None,
    skip_broken: bool = False,
    cache: str | Path | bool | None = None,
    device: str | torch.device = "cpu",
    progress: bool = True,
    **options: Any,
) -> FittedEBM:
    """Fit a conditional density p(y|picture) to a table of paths and numbers.

    Every picture goes through a pretrained backbone once; its features are kept, so that a second call, with
    another loss say, does not touch the pictures again. A small network on the features is what `ebm.fit`
    trains. What comes back is what `ebm.fit` returns, and takes paths of pictures where that takes rows:

        fitted = ebm.fit_images("ages.csv", "photos", target="age")
        fitted.predict(["photos/new.jpg"])
        fitted.predict_interval(["photos/new.jpg"], level=0.9)

    Relative paths start at `root` as long as the density lives, at the working folder once it was loaded.

    Args:
        table: a CSV file, a data frame or a mapping of columns; a row per picture.
        root: the folder that the paths in the table start at.
        target: name of the column to predict, or names of several.
        image: name of the column of paths; None looks for one named "image", "filename", "path" or the like.
        loss: as for `ebm.fit`.
        backbone: "efficientnet_lite0" (extra ``lite``), "resnet18", "resnet34", "resnet50" (torchvision) or
            "timm:NAME".
        weights: a state dict of the backbone; None takes ImageNet weights that are installed or cached.
        size: side that pictures are squeezed to, px, whatever their shape; crop them before where shape
            matters.
        layers: see `ebm.images.features.FeatureRecipe`; None is that of the recipe.
        flip: look at mirrored pictures too: for targets that do not change with the sides.
        between: least and greatest target there can be; others are faults of the table.
        skip_broken: leave out rows that cannot be used, told by name and counted, in place of an error.
        cache: folder of the features; None is ``$EBMTRACK_FEATURES`` or the user's cache, False keeps none.
        device: where to compute and train.
        progress: tell sizes and speed on standard error, and show bars.
        **options: as for `ebm.fit`, such as ``model``, ``support``, ``groups``, ``calibrate``, ``members`` or
            ``checkpoint``. Without them the network is that of `DEFAULTS`.

    Raises:
        InputError: if table, folder, backbone or pictures cannot be used; names the rows, and what to do.
        DomainError, ShapeError, UnknownNameError, NumericalError: as `ebm.fit`.
        MissingPackageError: if Pillow or the backbone's package is not installed.
    """
    chosen: dict[str, Any] = {"backbone": backbone, "size": size, "flip": flip}
    if layers is not None:
        chosen["layers"] = tuple((name, cells) for name, cells in layers)
    recipe = FeatureRecipe(**chosen)
    labelled = read_labelled(table, root, target, image=image, between=between, skip_broken=skip_broken)
    tell = _tell if progress else _silent
    extractor = Extractor(recipe, weights, device)
    encoder = PictureEncoder(
        recipe, weights=weights, root=labelled.root, cache=cache_folder(cache), extractor=extractor
    )
    some = featured(labelled, encoder, skip_broken=skip_broken, progress=progress, tell=tell)
    given = {"loss": loss, "device": device, "progress": progress} | options
    return fit_rows(encoder, labelled.targets, some.x, some.y, **given)


def featured(
    labelled: Labelled,
    encoder: PictureEncoder,
    *,
    skip_broken: bool = False,
    progress: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Featured:
    """The features of all pictures; those that cannot be read are an error, or are left out.

    Raises:
        InputError: if one cannot be read and none may be left out, or none is left.
    """
    tell = tell or _silent
    found = encoder.features(list(labelled.paths), progress, tell)
    faults = [Fault(labelled.rows[k], labelled.names[k], why) for k, why in sorted(found.faults.items())]
    if faults and not skip_broken:
        raise refuse(faults, len(labelled))
    kept = labelled.without(faults) if faults else labelled
    if not len(kept):
        raise InputError(f"no picture is left: none of {len(labelled)} can be read. {faults[0]}")
    good = [k for k in range(len(labelled)) if k not in found.faults]
    tell(str(found.speed))
    for words, count in Counter(found.notes.values()).items():
        tell(f"{count} pictures were converted: {words}")
    for fault in kept.left_out[:TOLD]:
        tell(f"left out: {fault}")
    if kept.left_out:
        more = len(kept.left_out) - TOLD
        tell(f"left out: {more} more" if more > 0 else f"{len(kept.left_out)} rows were left out")
        tell(f"{len(kept)} rows are used")
    return Featured(kept, encoder, found.features[good], found)


def fit_rows(encoder: PictureEncoder, names: Sequence[str], x: Any, y: Any, **options: Any) -> FittedEBM:
    """Fit to features that are there; the density then takes pictures.

    Args:
        encoder: made the features.
        names: of the targets.
        x: features ``(N, F)``.
        y: targets ``(N,)`` or ``(N, D)``.
        **options: as for `ebm.fit`.
    """
    fitted = fit(x, y, **{**DEFAULTS, **options})
    fitted.scaling = replace(fitted.scaling, x_table=encoder, y_names=tuple(names))
    return fitted


def _tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _silent(_: str) -> None:
    pass
