"""The three-call interface: load, initialize, track; for one target or several."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from ebm.lookup import unknown_name
from pytracking.parameter.default import DEFAULT_PARAMETERS, DEFAULT_TRACKER
from pytracking.parameter.lookup import find_parameters
from pytracking.tracker.registry import make_tracker

if TYPE_CHECKING:
    import torch

    from pytracking.inference.options import Precision
    from pytracking.tracker.common.several import SeveralTargets

__all__ = ["Engine", "load"]

Engine = Literal["torch", "onnx"]


def load(
    tracker: str | None = None,
    parameters: str | None = None,
    checkpoint: str | Path | None = None,
    device: "str | torch.device" = "auto",
    *,
    seed: int = 0,
    with_covariance: bool = False,
    compat: bool = False,
    engine: Engine = "torch",
    precision: "Precision" = "fp32",
) -> "SeveralTargets":
    """A tracker ready for its first frame. No dataset and no paths file is needed.

    Example::

        tracker = pytracking.load()  # or pytracking.load("dimp", "nce_plus", checkpoint="my.pth.tar")
        tracker.initialize(first_frame, (x, y, w, h))
        result = tracker.track(next_frame)  # result.box, result.score, result.state

        tracker.initialize(first_frame, {1: box, 2: other_box})  # several targets
        results = tracker.track(next_frame)  # {1: result, 2: result}; see add, remove and reset

    Args:
        tracker: name of the tracker. Without tracker and parameters: the one whose weights are installed,
            atom nce_plus_lite.
        parameters: name of its parameter set; "nce_plus" where only the tracker is named.
        checkpoint: weights file; None looks in the networks folder, then for the newest trained checkpoint.
            For engine "onnx" the folder that ``ebmtrack export onnx`` wrote.
        device: "auto", "cpu", "cuda", "cuda:1", "mps", or a torch device.
        seed: of everything the tracker draws; equal seeds give equal tracks.
        with_covariance: estimate the box covariance of every frame.
        compat: with the published trackers' arithmetic where it differs from what is right.
        engine: what runs the network: "torch", or "onnx" for an exported tracker in ONNX Runtime, on the CPU
            and without importing torch; it gives boxes and scores, no densities.
        precision: of the network's features: "fp32", "bf16", or "auto", which measures both and takes "bf16"
            where this machine runs it clearly faster; `tracker.notes` says which.

    Raises:
        UnknownNameError: naming the nearest trackers, parameter sets or engines.
        InputError: if the weights cannot be found or read.
        MissingPackageError: for engine "onnx" without onnxruntime.
    """
    if tracker is None and parameters is None:
        tracker, parameters = DEFAULT_TRACKER, DEFAULT_PARAMETERS
    tracker, parameters = tracker or "dimp", parameters or "nce_plus"  # as PyTracking's users expect
    if engine not in get_args(Engine):
        raise unknown_name("engine", str(engine), get_args(Engine))
    if engine == "onnx":
        from pytracking.exported.tracker import exported_folder, exported_tracker

        return exported_tracker(
            exported_folder(tracker, parameters, checkpoint, precision=precision),
            device=device,
            seed=seed,
            with_covariance=with_covariance,
            compat=compat,
        )
    params = find_parameters(tracker, parameters, compat=compat)
    path = None if checkpoint is None else Path(checkpoint)
    return make_tracker(
        tracker,
        params,
        checkpoint=path,
        device=device,
        seed=seed,
        with_covariance=with_covariance,
        precision=precision,
    )
