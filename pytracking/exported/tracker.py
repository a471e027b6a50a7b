"""A tracker from the folder that it was exported to; no torch is imported."""

from dataclasses import replace
from pathlib import Path

from ebm.exceptions import InputError
from pytracking.exported.folder import ExportedFolder, read_folder
from pytracking.exported.network import ExportedNetwork
from pytracking.parameter.compat import Compat
from pytracking.tracker.common.conversation import ClassifierTracker
from pytracking.tracker.dimp.classifier import DiMPClassifier

__all__ = ["exported_folder", "exported_tracker"]


def exported_folder(tracker: str, parameters: str, checkpoint: str | Path | None) -> ExportedFolder:
    """The exported tracker in a folder, if it is the one that is asked for.

    Args:
        tracker: its name.
        parameters: name of its parameter set.
        checkpoint: the folder.

    Raises:
        InputError: without a folder, if it cannot be used, or holds another tracker or parameter set.
    """
    if checkpoint is None:
        raise InputError(
            "engine='onnx' runs an exported tracker: give its folder as checkpoint (--checkpoint DIR), which "
            f"ebmtrack export onnx {tracker} {parameters} --checkpoint FILE --out DIR writes."
        )
    folder = read_folder(checkpoint)
    if (tracker, parameters) != ("dimp", folder.parameter):
        raise InputError(
            f"{folder.path} holds the tracker dimp {folder.parameter}, not {tracker} {parameters}; the "
            "parameters are part of its graphs. Ask for that one, or export another."
        )
    return folder


def exported_tracker(
    folder: ExportedFolder,
    *,
    device: object = "auto",
    seed: int = 0,
    with_covariance: bool = False,
    compat: Compat = False,
    threads: int = 0,
) -> ClassifierTracker:
    """The tracker of a folder, ready for its first frame.

    Args:
        folder: of `exported_folder`.
        device: "auto" or "cpu".
        seed: of everything the tracker draws; the numbers are those that it draws with torch.
        with_covariance: not to be had.
        compat: with the published trackers' arithmetic where it differs from what is right.
        threads: of ONNX Runtime; 0 means as many as the network can use.

    Raises:
        InputError: for another device, a covariance, or a graph that cannot be loaded.
        MissingPackageError: without onnxruntime.
    """
    if str(device) not in ("auto", "cpu"):
        raise InputError(f"engine='onnx' runs on the CPU, not on device {str(device)!r}; pass auto or cpu.")
    params = replace(folder.params, compat=compat) if compat else folder.params
    network = ExportedNetwork(folder, threads)
    tracker = ClassifierTracker(
        params, network, None, DiMPClassifier, seed=seed, with_covariance=with_covariance
    )
    tracker.notes = (str(folder), *tracker.notes)
    return tracker
