"""Detectors by name or file; branches and heads by file."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from ebm.baselines.base import Baseline
from ebm.exceptions import InputError
from ebm.extras import explain_missing
from ebm.integrity.torch_files import read_torch_file
from ebm.lookup import lookup
from ebm.tasks.detection.branch import ConfidenceBranch
from ebm.tasks.detection.data.records import Category, DetectionSet
from ebm.tasks.detection.detectors import FasterRCNNDetector, OneStageDetector, TorchvisionDetector
from ebm.tasks.detection.files import fields_of, load_state, weights_of, write_fields
from ebm.tasks.detection.heads import build_head
from ebm.tasks.detection.light import BACKGROUND, LightRecipe, build_light
from ebm.tasks.detection.recipes import BranchRecipe, Recipe, find_recipe
from ebm.tasks.detection.training import build_branch

__all__ = [
    "TORCHVISION",
    "Saved",
    "fresh",
    "is_detector_file",
    "load_detector",
    "load_trained",
    "recipe_from",
    "save_light",
    "save_trained",
]

LIGHT, BRANCH = "ebmtrack.detector", "ebmtrack.detection-branch"
RANDOM = "random"


@dataclass(frozen=True)
class _Known:
    """A detector of torchvision: its builder, weights and adapter."""

    builder: str
    weights: str
    adapter: Callable[..., TorchvisionDetector]


TORCHVISION: Mapping[str, _Known] = MappingProxyType(
    {
        "fasterrcnn_resnet50_fpn": _Known(
            "fasterrcnn_resnet50_fpn", "FasterRCNN_ResNet50_FPN_Weights", FasterRCNNDetector
        ),
        "retinanet_resnet50_fpn": _Known(
            "retinanet_resnet50_fpn", "RetinaNet_ResNet50_FPN_Weights", OneStageDetector
        ),
        "fcos_resnet50_fpn": _Known("fcos_resnet50_fpn", "FCOS_ResNet50_FPN_Weights", OneStageDetector),
    }
)


def is_detector_file(name: str) -> bool:
    """Whether a detector is named by a file, not as one of torchvision's."""
    return name not in TORCHVISION and bool(Path(name).suffix or Path(name).exists())


def load_detector(
    name: str, weights: str | None = None, *, short_side: int | None = None, long_side: int | None = None
) -> TorchvisionDetector:
    """A detector, frozen.

    Args:
        name: a file of ``ebmtrack detect train-detector``, or a name in `TORCHVISION`.
        weights: of torchvision's: a file; None takes its COCO weights from its cache or downloads them;
            ``"random"`` fresh ones, for tests.
        short_side: to which images are resized, px; None as the detector was trained.
        long_side: that they may have, px; likewise.

    Raises:
        InputError: if a file or weights cannot be had, or weights or sides are given beside a file.
        UnknownNameError: (a ValueError) for another name.
        MissingPackageError: if torchvision is not installed.
    """
    sides = {"min_size": short_side, "max_size": long_side}
    options = {key: side for key, side in sides.items() if side is not None}
    if is_detector_file(name):
        if weights is not None or options:
            raise InputError(
                f"--weights, --short-side and --long-side are of torchvision's detectors; {name} has weights "
                "and sides of its own."
            )
        return _light(Path(name))
    known = lookup("detector", name, TORCHVISION)
    library = _torchvision()
    chosen = getattr(library, known.weights).COCO_V1
    columns = [_column(text) for text in chosen.meta["categories"]]
    if weights == RANDOM:
        model = getattr(library, known.builder)(weights=None, weights_backbone=None, **options)
        return known.adapter(model, columns)
    state = _coco_state(chosen, name) if weights is None else read_torch_file(Path(weights))
    model = getattr(library, known.builder)(weights=None, weights_backbone=None, **options)
    load_state(model, state, weights or chosen.url)
    return known.adapter(model, columns)


def save_light(path: Path, model: nn.Module, recipe: LightRecipe, names: tuple[str, ...]) -> None:
    """Write a light detector.

    Raises:
        InputError: if it cannot be written.
    """
    plain = asdict(recipe) | {"trained": list(recipe.trained)}
    write_fields(path, LIGHT, {"recipe": plain, "names": list(names), "state": model.state_dict()})


@dataclass(frozen=True, eq=False)
class Saved:
    """A trained branch or head.

    Attributes:
        net: with its weights, in evaluation mode.
        recipe: how it was trained, and is used.
        columns: names of the classes by column, as the detector has them.
        categories: of the data that it was trained on.
        detector: SHA-256 of the detector's weights, 16 digits.
        made: what else is known of its training, plain values.
    """

    net: ConfidenceBranch | Baseline
    recipe: Recipe
    columns: tuple[str, ...]
    categories: tuple[Category, ...]
    detector: str
    made: Mapping[str, Any] = field(default_factory=dict)

    def require_detector(self, detector: TorchvisionDetector, where: object) -> None:
        """Refuse a detector that it was not trained on.

        Raises:
            InputError: if its weights differ.
        """
        found = weights_of(detector.model.state_dict())
        if found != self.detector:
            raise InputError(
                f"{where} was trained on the features of another detector (weights {self.detector}, here "
                f"{found}): name the one that it was trained on, or train a branch for this one."
            )


def fresh(recipe: Recipe, detector: TorchvisionDetector, seed: int) -> ConfidenceBranch | Baseline:
    """A branch or a head to be trained for a detector, on its device.

    Raises:
        InputError: if a head is for a Faster R-CNN, and the detector is none.
    """
    if isinstance(recipe, BranchRecipe):
        return build_branch(recipe, detector, seed).to(detector.device)
    if not isinstance(detector, FasterRCNNDetector):
        raise InputError(f"{recipe.name} is for a Faster R-CNN: others draw no regions.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_head(recipe.name, detector.embedding, len(detector.columns)).to(detector.device)


def save_trained(
    path: Path,
    net: ConfidenceBranch | Baseline,
    recipe: Recipe,
    detector: Any,
    data: DetectionSet,
    made: Mapping[str, Any] | None = None,
) -> None:
    """Write a branch or a head that was trained on a set; `made` is what else is known of it, plain values.

    Raises:
        InputError: if it cannot be written.
    """
    fields = {
        "recipe": recipe.plain(),
        "columns": list(detector.columns),
        "categories": [[own.category_id, own.name] for own in data.categories],
        "inputs": net.channels if isinstance(net, ConfidenceBranch) else detector.embedding,
        "detector": weights_of(detector.model.state_dict()),
        "made": dict(made or {}),
        "state": net.state_dict(),
    }
    write_fields(path, BRANCH, fields)


def load_trained(path: Path) -> Saved:
    """A branch or a head that `save_trained` wrote.

    Raises:
        InputError: if the file cannot be used.
    """
    wanted = {"recipe": dict, "columns": list, "categories": list, "inputs": int}
    wanted |= {"detector": str, "state": dict}
    fields = fields_of(path, BRANCH, wanted, "ebmtrack detect train")
    try:
        recipe = recipe_from(fields["recipe"])
        net = _network(recipe, fields["inputs"], len(fields["columns"]))
        categories = tuple(Category(int(number), str(name)) for number, name in fields["categories"])
        made = dict(fields.get("made", {}))  # older files say nothing of it
    except (LookupError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is damaged or was changed: its fields are not readable ({error})."
        ) from error
    load_state(net, fields["state"], path)
    net.eval().requires_grad_(False)
    return Saved(net, recipe, tuple(map(str, fields["columns"])), categories, fields["detector"], made)


def _network(recipe: Recipe, inputs: int, columns: int) -> ConfidenceBranch | Baseline:
    if isinstance(recipe, BranchRecipe):
        columns = 1 if recipe.class_agnostic else columns
        return ConfidenceBranch(inputs, columns, hidden=recipe.hidden, bins=recipe.bins)
    return build_head(recipe.name, inputs, columns)


def recipe_from(plain: Mapping[str, Any]) -> Recipe:
    """Inverse of a recipe's `plain`.

    Raises:
        UnknownNameError, InputError, DomainError: (ValueErrors) if it is no recipe's.
    """
    found: Recipe = _rebuilt(find_recipe(str(plain["name"])), plain)
    return found


def _rebuilt(like: Any, plain: Mapping[str, Any]) -> Any:
    """A dataclass of the kind of `like` with other values."""
    from dataclasses import fields, is_dataclass, replace

    changed = {}
    for own in fields(like):
        old, value = getattr(like, own.name), plain[own.name]
        changed[own.name] = _rebuilt(old, value) if is_dataclass(old) else _tupled(value)
    return replace(like, **changed)


def _tupled(value: Any) -> Any:
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


def _light(path: Path) -> TorchvisionDetector:
    wanted = {"recipe": dict, "names": list, "state": dict}
    fields = fields_of(path, LIGHT, wanted, "ebmtrack detect train-detector")
    try:
        recipe = LightRecipe(**{key: _tupled(value) for key, value in fields["recipe"].items()})
    except TypeError as error:
        raise InputError(
            f"{path} is damaged or was changed: its recipe is not readable ({error})."
        ) from error
    model, _ = build_light(recipe, fields["names"], RANDOM)
    load_state(model, fields["state"], path)
    return FasterRCNNDetector(model, (BACKGROUND, *map(str, fields["names"])), recipe.rule)


def _column(text: str) -> str:
    """The name of a class of torchvision's, "" where it stands for none."""
    return "" if text in ("__background__", "N/A") else text


def _coco_state(chosen: Any, name: str) -> Mapping[str, Any]:
    """COCO weights from torch's cache, or downloaded into it.

    Raises:
        InputError: if they cannot be had.
    """
    hub = import_module("torch.hub")
    file = Path(hub.get_dir()) / "checkpoints" / Path(chosen.url).name
    if not file.is_file():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            hub.download_url_to_file(chosen.url, str(file), hash_prefix=file.stem.rpartition("-")[2])
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"the COCO weights of {name} cannot be downloaded ({error}): get {chosen.url} and give "
                "--weights FILE, or take a detector of 'ebmtrack detect train-detector'."
            ) from error
    state: Mapping[str, Any] = read_torch_file(file)
    return state


def _torchvision() -> Any:
    try:
        return import_module("torchvision.models.detection")
    except ModuleNotFoundError as error:
        raise explain_missing("the detectors of torchvision", "torchvision") from error
