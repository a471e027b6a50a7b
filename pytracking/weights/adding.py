"""Weights that are added: files of others to the networks folder, a training's to the package."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ebm.exceptions import InputError
from ebm.integrity.checksums import sha256_of
from ebm.lookup import unknown_name
from pytracking.parameter import find_parameters, parameter_names
from pytracking.parameter.base import Params
from pytracking.tracker.registry import TRACKERS
from pytracking.utils.loading import WeightsChoice, load_tracking_network, weights_beside
from pytracking.weights.card import ModelCard, card_of, write_card
from pytracking.weights.shipped import CARD, bare_name

CALIBRATED = ("confidence_weights", "uncertain_confidence", "lost_confidence", "density_temperature")

__all__ = ["add_weights", "files_of_pack", "pack_weights", "parameter_sets", "sets_of_file"]


def parameter_sets() -> Iterator[tuple[str, str, Params]]:
    """(tracker, name, value) of every parameter set that has a network."""
    for tracker in TRACKERS:
        for name in parameter_names(tracker):
            params = find_parameters(tracker, name)
            if params.needs_network:
                yield tracker, name, params


def sets_of_file(file: str) -> list[tuple[str, str]]:
    """(tracker, name) of the parameter sets that look for a file name, whatever its ending.

    Raises:
        UnknownNameError: if none does, with the nearest file name.
    """
    users: dict[str, list[tuple[str, str]]] = {}
    for tracker, name, params in parameter_sets():
        for wanted in params.network_files:
            users.setdefault(bare_name(wanted), []).append((tracker, name))
    if bare_name(file) not in users:
        raise unknown_name(
            "file name of weights",
            bare_name(file),
            users,
            "Give the name that a parameter set looks for: --as NAME.",
        )
    return users[bare_name(file)]


def add_weights(source: Path, folder: Path, name: str | None = None) -> tuple[Path, list[tuple[str, str]]]:
    """Copy a weights file, e.g. one that PyTracking publishes, to where parameter sets look for it.

    The file is read first as the trackers would read it: its network built and filled, without running
    anything in it.

    Args:
        source: a checkpoint or an export (with its JSON beside it).
        folder: the networks folder; made if it is not there.
        name: what it is to be called, if not as it is.

    Returns:
        The copy, and (tracker, name) of the parameter sets that use it.

    Raises:
        InputError: if the file cannot be used by these sets, or another one has its name.
        UnknownNameError: if no parameter set looks for such a file.
    """
    ending = ".safetensors" if source.suffix == ".safetensors" else ".pth.tar"
    users = sets_of_file(name or source.name)
    if not source.is_file():
        raise InputError(
            f"There is no weights file {source}.{weights_beside(source)} Download it, and say where it is."
        )
    load_tracking_network(WeightsChoice(path=source, how="to be added"), users[0][0])
    target = folder / _stored_name(name or source.name, ending)
    pairs = [(source, target)]
    if ending == ".safetensors":
        pairs.insert(0, (source.with_suffix(".json"), target.with_suffix(".json")))
    if target.exists() and sha256_of(target) != sha256_of(source):
        raise InputError(f"{target} is there already and holds something else; move it away first.")
    for original, copy in pairs:
        if original.resolve() != copy.resolve():
            _copy(original, copy)
    return target, users


def _stored_name(name: str, ending: str) -> str:
    """The name as a parameter set spells it, with the ending of the file's own format."""
    for _, _, params in parameter_sets():
        for wanted in params.network_files:
            if bare_name(wanted) == bare_name(name):
                return f"{bare_name(wanted)}{ending}" if ending == ".safetensors" else wanted
    return f"{bare_name(name)}{ending}"


def _copy(original: Path, copy: Path) -> None:
    part = copy.with_name(f".{copy.name}.tmp")
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(original, part)
        part.replace(copy)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(f"{copy} cannot be written: {error.strerror or error}.") from error


def files_of_pack(folder: Path, told: Mapping[str, Any]) -> list[Path]:
    """What `pack_weights` writes: weights, their description, the card and its page.

    Raises:
        InputError: if the card's fields have no name that a file can have.
    """
    name = told.get("name")
    if not isinstance(name, str) or not name or Path(name).name != name:
        raise InputError(f"A model card names its weights file; name is {name!r}.")
    page = CARD.replace(".json", ".md")
    return [folder / f"{name}{ending}" for ending in (".safetensors", ".json", CARD, page)]


def pack_weights(
    checkpoint: Path, folder: Path, told: Mapping[str, Any], *, half: bool = True
) -> tuple[Path, ModelCard]:
    """Write a training's network as weights with a card, to be installed with the package.

    Args:
        checkpoint: a checkpoint or an export.
        folder: where the four files go.
        told: fields of the card but those that follow from the file: its hash, network and input. What its
            ``calibration`` says of the confidence is also written for the tracker, see `StateParams`.
        half: store matrices and kernels in 16 bits.

    Returns:
        The ``.safetensors`` file and its card.

    Raises:
        InputError: if the checkpoint cannot be read, or the card is incomplete.
    """
    from ebm.input_statistics import input_statistics
    from ltr.admin.exported import write_export
    from ltr.admin.loading import load_network, read_checkpoint
    from ltr.admin.model_constructor import NetConstructor

    network, _ = load_network(checkpoint, weights="auto")
    mean, std = input_statistics(network)
    built = network.constructor
    assert isinstance(built, NetConstructor)  # without it the network could not have been loaded
    own = {"network": built.fun_name, "input_mean": mean, "input_std": std}
    card_of({**told, **own, "weights_sha256": ""}, folder)  # refused before anything is written
    fields = read_checkpoint(checkpoint)
    calibration = told.get("calibration", {})
    measured = {key: calibration[key] for key in CALIBRATED if key in calibration}
    fields = {**fields, "net_info": {**(fields.get("net_info") or {}), **measured}}
    path = write_export(
        folder,
        fields,
        checkpoint.name,
        name=files_of_pack(folder, told)[0].stem,
        half=half,
    )
    card = card_of({**told, **own, "weights_sha256": sha256_of(path)}, folder)
    write_card(path.with_name(path.stem + CARD), card)
    return path, card
