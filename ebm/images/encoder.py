"""Pictures as the numbers of a fit: the part of a fitted density that knows files, not arrays."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ebm.exceptions import InputError, ShapeError
from ebm.files import expanded
from ebm.images.backbones import build_backbone, load_weights
from ebm.images.cache import FeatureCache, Found, default_folder
from ebm.images.features import Extractor, FeatureRecipe
from ebm.images.labelled import picture_paths
from ebm.images.reading import Source

__all__ = ["PictureColumn", "PictureEncoder", "read_encoder"]


class PictureColumn:
    """The one column of a table of pictures; its numbers are the features."""

    name = "picture"
    kind = "picture"
    levels = ()

    def __init__(self, width: int) -> None:
        self.names = tuple(f"feature {k}" for k in range(width))


class PictureEncoder:
    """Turns paths of pictures into features, as `ebm.fitting.table_encoding.Table` turns texts into numbers.

    Numbers ``(N, F)`` are taken to be features already, as `encode` gave them.

    Args:
        recipe: which features.
        weights: see `ebm.images.backbones.build_backbone`.
        root: where relative paths start; None is the working folder.
        cache: folder of the features; None keeps none.
        extractor: one that is there already.
        own: the backbone's weights, where they are nobody else's: they go into the file of the fit.
        digest: of the weights that the fit was made with.

    Attributes:
        names: of the features.
    """

    numeric = False
    by_name = False
    missing = "error"
    unseen = "error"

    def __init__(
        self,
        recipe: FeatureRecipe,
        *,
        weights: str | Path | None = None,
        root: str | Path | None = None,
        cache: Path | None = None,
        extractor: Extractor | None = None,
        own: Mapping[str, Tensor] | None = None,
        digest: str | None = None,
        width: int | None = None,
    ) -> None:
        self.recipe, self.weights, self.root, self.cache, self.own = recipe, weights, root, cache, own
        self._extractor, self._digest = extractor, digest
        self.columns = (PictureColumn(self.extractor.width if width is None else width),)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the features."""
        return self.columns[0].names

    @property
    def extractor(self) -> Extractor:
        """The backbone, built when it is first needed.

        Raises:
            InputError: if its weights cannot be had, or are not those of the fit.
        """
        if self._extractor is None:
            backbone = None
            if self.own is not None:
                backbone = build_backbone(self.recipe.backbone, "random")[0]
                load_weights(backbone, self.own, "the file of the fit")
            self._extractor = Extractor(self.recipe, self.weights, backbone=backbone)
            if self._digest is not None and self._extractor.weights != self._digest:
                raise InputError(
                    f"the weights of {self.recipe.backbone} that are installed ({self._extractor.origin}) "
                    "are not those that the density was fitted with; its features would mean nothing. "
                    "Install those, or fit again."
                )
        return self._extractor

    def features(self, paths: Sequence[Source], progress: bool = False, tell: Any = None) -> Found:
        """Features of every view, see `FeatureCache.features`."""
        return FeatureCache(self.extractor, self.cache, tell).features(paths, progress)

    def encode(self, x: Any, told: NDArray[np.bool_] | bool = True) -> NDArray[np.float64]:
        """Features of pictures, ``(N, F)``, averaged over the views.

        Args:
            x: paths: one, several, a column or a table of them; or features as this gave them.
            told: not used.

        Raises:
            InputError: if a picture cannot be read; names it, and what to do.
            ShapeError: if numbers are given that are no features.
        """
        numbers = _numbers(x)
        if numbers is not None:
            if numbers.ndim != 2 or numbers.shape[1] != len(self.names):
                raise ShapeError(
                    f"the density was fitted to pictures: x must be paths, or features "
                    f"(N, {len(self.names)}); got an array of shape {numbers.shape}."
                )
            return numbers
        paths = picture_paths(x, self.root)
        found = self.features(paths)
        if found.faults:
            place, reason = next(iter(sorted(found.faults.items())))
            more = f" {len(found.faults) - 1} more of the {len(paths)} cannot be read either." * (
                len(found.faults) > 1
            )
            raise InputError(f"x[{place}]: {reason}{more}")
        return averaged(found.features, self.recipe).numpy()

    def strange(self, x: Any) -> NDArray[np.bool_]:
        """Nothing of a picture is strange beyond its numbers, ``(N, 1)``."""
        numbers = _numbers(x)
        return np.zeros((len(picture_paths(x) if numbers is None else numbers), 1), dtype=np.bool_)

    def plain(self) -> dict[str, Any]:
        """What a file needs, as tensors and plain values."""
        return {
            "kind": "pictures",
            "recipe": self.recipe.plain(),
            "weights": None if self.weights is None else str(self.weights),
            "own": None if self.own is None else {key: part.cpu() for key, part in self.own.items()},
            "digest": self._digest or self.extractor.weights,
            "width": len(self.names),
        }


def read_encoder(plain: Mapping[str, Any]) -> PictureEncoder:
    """What `PictureEncoder.plain` gave, checked; the backbone is built when it is needed.

    Paths then start at the working folder, and features are kept in the usual place.

    Raises:
        InputError: if a number is none that it can be.
    """
    recipe = dict(plain["recipe"])
    layers = tuple((str(name), int(cells)) for name, cells in recipe.pop("layers"))
    width = int(plain["width"])
    if not 0 < width <= 10**7:
        raise InputError(f"it states {width} features of a picture.")
    return PictureEncoder(
        FeatureRecipe(**recipe, layers=layers),
        weights=plain["weights"],
        cache=default_folder(),
        own=plain["own"],
        digest=str(plain["digest"]),
        width=width,
    )


def averaged(features: Tensor, recipe: FeatureRecipe) -> Tensor:
    """Features of a picture ``(N, V, F) -> (N, F)``, float64: averaged over its views, or of the first."""
    return features.double().mean(1) if recipe.symmetric else features[:, 0].double()


def cache_folder(cache: str | Path | bool | None) -> Path | None:
    """The folder that an argument means: None or True is the usual one, False none.

    Warns:
        UserWarning: if the usual one cannot be made.
    """
    if cache is False:
        return None
    folder = default_folder() if cache is None or cache is True else expanded(str(cache))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if cache is not None and cache is not True:
            raise InputError(f"features cannot be kept in {folder}: {error.strerror or error}.") from error
        warnings.warn(f"features are not kept: {folder}: {error.strerror or error}.", stacklevel=3)
        return None
    return folder


def _numbers(x: Any) -> NDArray[np.float64] | None:
    """The array where `x` holds numbers already."""
    if isinstance(x, Tensor):
        return x.detach().cpu().double().numpy()
    if isinstance(x, np.ndarray) and x.dtype.kind in "biuf":
        return x.astype(np.float64)
    return None
