"""Tracker names to trackers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.exceptions import InputError
from ebm.lookup import lookup
from pytracking.parameter.base import Params

if TYPE_CHECKING:
    import torch

    from pytracking.inference.options import Precision
    from pytracking.parameter.tracking_params import TrackingParams
    from pytracking.tracker.common.online_classifier import MakeClassifier
    from pytracking.tracker.common.several import SeveralTargets

__all__ = ["TRACKERS", "TrackerOptions", "make_tracker"]


@dataclass(frozen=True, kw_only=True)
class TrackerOptions:
    """What a tracker is built with, besides its parameters.

    Attributes:
        network: an already loaded network to share, or None to load the one that `checkpoint` names.
        checkpoint: weights file, or None to look for it.
        device: "auto", "cpu", "cuda", "cuda:1", "mps", or a torch device.
        seed: of everything the tracker draws.
        with_covariance: estimate the box covariance of every frame.
        precision: see `make_tracker`.
    """

    network: Any = None
    checkpoint: Path | None = None
    device: "str | torch.device" = "auto"
    seed: int = 0
    with_covariance: bool = False
    precision: "Precision" = "fp32"


Factory = Callable[[Params, TrackerOptions], "SeveralTargets"]


def _atom(params: Params, options: TrackerOptions) -> "SeveralTargets":
    from pytracking.parameter.atom_params import ATOMParams
    from pytracking.tracker.atom.classifier import ATOMClassifier

    if not isinstance(params, ATOMParams):
        raise InputError(f"Tracker atom takes ATOMParams; got {type(params).__name__}.")
    return _with_classifier("atom", params, ATOMClassifier, options)


def _dimp(params: Params, options: TrackerOptions) -> "SeveralTargets":
    from pytracking.parameter.dimp_params import DiMPParams
    from pytracking.tracker.dimp.classifier import DiMPClassifier

    if not isinstance(params, DiMPParams):
        raise InputError(f"Tracker dimp takes DiMPParams; got {type(params).__name__}.")
    return _with_classifier("dimp", params, DiMPClassifier, options)


def _with_classifier(
    name: str, params: "TrackingParams", classifier: "MakeClassifier", options: TrackerOptions
) -> "SeveralTargets":
    """A tracker that learns a classifier online, with its network on the device."""
    import torch

    from ebm.devices import resolve_device
    from pytracking.inference.precision import prepared
    from pytracking.tracker.common.conversation import ClassifierTracker
    from pytracking.utils.loading import find_weights, load_tracking_network

    wanted = options.device
    device = wanted if isinstance(wanted, torch.device) else resolve_device(wanted)
    network = options.network
    notes: tuple[str, ...] = ()
    if network is None:
        choice = find_weights(params, options.checkpoint)
        network, notes = load_tracking_network(choice, name), (str(choice),)
    network, said = prepared(network, device, options.precision, params.crop_size)
    tracker = ClassifierTracker(
        params, network, device, classifier, seed=options.seed, with_covariance=options.with_covariance
    )
    tracker.notes = notes + said + tracker.notes
    return tracker


def _first_box(params: Params, options: TrackerOptions) -> "SeveralTargets":
    from pytracking.tracker.base import NO_ENERGY
    from pytracking.tracker.first_box import FirstBox

    if options.with_covariance:
        NO_ENERGY.read()  # which says why there is none
    if options.device not in ("auto", "cpu"):  # it needs none, but a wrong name is a mistake all the same
        from ebm.devices import resolve_device

        resolve_device(options.device)
    return FirstBox()


TRACKERS: Mapping[str, Factory] = {"atom": _atom, "dimp": _dimp, "first_box": _first_box}


def make_tracker(
    name: str,
    params: Params,
    *,
    network: Any = None,
    checkpoint: Path | None = None,
    device: "str | torch.device" = "auto",
    seed: int = 0,
    with_covariance: bool = False,
    precision: "Precision" = "fp32",
) -> "SeveralTargets":
    """Build the tracker `name`.

    Args:
        name: a key of `TRACKERS`.
        params: one of its parameter sets.
        network: an already loaded network, which is moved to `device`, frozen and put in evaluation mode; the
            tracker runs a form of it with batch norms folded into convolutions. None loads the weights that
            `find_weights` finds.
        checkpoint: weights file, or None to look for it.
        device: "auto", "cpu", "cuda", "cuda:1", "mps", or a torch device.
        seed: of everything the tracker draws; equal seeds give equal tracks.
        with_covariance: estimate the box covariance of every frame.
        precision: of the network's features: ``"fp32"``, ``"bf16"``, or ``"auto"``, which measures both and
            takes ``"bf16"`` where it is clearly faster; nothing is measured for a network that
            `pytracking.inference.precision.prepared` gave.

    Raises:
        UnknownNameError: if there is no tracker of that name.
        InputError: if its weights cannot be found or read.
    """
    options = TrackerOptions(
        network=network,
        checkpoint=checkpoint,
        device=device,
        seed=seed,
        with_covariance=with_covariance,
        precision=precision,
    )
    return lookup("tracker", name, TRACKERS)(params, options)
