"""A tracker from the folder that it was exported to; no torch is imported."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ebm.exceptions import InputError
from pytracking.exported.folder import ExportedFolder, read_folder
from pytracking.exported.network import ExportedNetwork
from pytracking.parameter.base import Params
from pytracking.parameter.compat import Compat
from pytracking.tracker.atom.classifier import ATOMClassifier
from pytracking.tracker.common.conversation import ClassifierTracker
from pytracking.tracker.common.online_classifier import MakeClassifier
from pytracking.tracker.dimp.classifier import DiMPClassifier
from pytracking.utils.loading import WeightsChoice, find_weights

if TYPE_CHECKING:
    from ltr.admin.exported import Weights

__all__ = ["chosen_weights", "exported_folder", "exported_tracker", "require_cpu"]

CLASSIFIERS: Mapping[str, MakeClassifier] = {"dimp": DiMPClassifier, "atom": ATOMClassifier}


def exported_folder(
    tracker: str,
    parameters: str,
    checkpoint: str | Path | None,
    *,
    weights: "Weights" = "auto",
    precision: str = "fp32",
) -> ExportedFolder:
    """The exported tracker in a folder, if it is the one that is asked for.

    Args:
        tracker: its name.
        parameters: name of its parameter set.
        checkpoint: the folder.
        weights: ``"auto"``; which of a file's weights are taken was decided when it was exported.
        precision: ``"fp32"``; likewise.

    Raises:
        InputError: without a folder, if it cannot be used, or holds another tracker or parameter set; for
            other weights or another precision.
    """
    if weights != "auto":
        raise InputError(
            f"An exported tracker has one set of weights; --weights {weights} is chosen when it is exported."
        )
    if precision != "fp32":
        raise InputError("An exported tracker has its own numbers: leave precision out (--precision).")
    if checkpoint is None:
        raise InputError(
            "engine='onnx' runs an exported tracker: give its folder as checkpoint (--checkpoint DIR), which "
            f"ebmtrack export onnx {tracker} {parameters} --checkpoint FILE --out DIR writes."
        )
    folder = read_folder(checkpoint)
    if (tracker, parameters) != (folder.tracker, folder.parameter):
        raise InputError(
            f"{folder.path} holds the tracker {folder.tracker} {folder.parameter}, not {tracker} "
            f"{parameters}; the parameters are part of its graphs. Ask for that one, or export another."
        )
    return folder


def require_cpu(device: object) -> None:
    """Refuse a device that exported trackers do not run on.

    Raises:
        InputError: naming it.
    """
    if str(device) not in ("auto", "cpu"):
        raise InputError(f"engine='onnx' runs on the CPU, not on device {str(device)!r}; pass auto or cpu.")


def chosen_weights(
    tracker: str,
    parameters: str,
    params: Params,
    checkpoint: str | Path | None,
    *,
    weights: "Weights" = "auto",
    precision: str = "fp32",
    engine: str = "torch",
) -> WeightsChoice | ExportedFolder:
    """The weights file that an engine runs, or the folder.

    Args:
        tracker: its name.
        parameters: name of its parameter set.
        params: the set.
        checkpoint: a file, or a folder; None to look for it.
        weights: which of a file's weights.
        precision: of the network's features.
        engine: ``"torch"`` or ``"onnx"``.

    Raises:
        InputError: if there are none, or what was asked for is decided when a tracker is exported.
    """
    if engine == "torch":
        return find_weights(params, checkpoint, weights)
    return exported_folder(tracker, parameters, checkpoint, weights=weights, precision=precision)


def exported_tracker(
    folder: ExportedFolder,
    *,
    network: ExportedNetwork | None = None,
    device: object = "auto",
    seed: int = 0,
    with_covariance: bool = False,
    compat: Compat = False,
    threads: int = 0,
) -> ClassifierTracker:
    """The tracker of a folder, ready for its first frame.

    Args:
        folder: of `exported_folder`.
        network: of the folder, to share it; None loads it.
        device: "auto" or "cpu".
        seed: of everything the tracker draws; the numbers are those that it draws with torch.
        with_covariance: not to be had.
        compat: with the published trackers' arithmetic where it differs from what is right.
        threads: of ONNX Runtime; 0 means as many as the network can use.

    Raises:
        InputError: for another device, a covariance, or a graph that cannot be loaded.
        MissingPackageError: without onnxruntime.
    """
    require_cpu(device)
    params = replace(folder.params, compat=compat) if compat else folder.params
    tracker = ClassifierTracker(
        params,
        network or ExportedNetwork(folder, threads),
        None,
        CLASSIFIERS[folder.tracker],
        seed=seed,
        with_covariance=with_covariance,
    )
    tracker.notes = (str(folder), *tracker.notes)
    return tracker
