"""A follower from the texts of an ini file or a command line, with its network loaded."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytracking.vot.follower import Follower, FollowerOptions

if TYPE_CHECKING:
    from ltr.admin.exported import Weights

__all__ = ["load_follower"]


def load_follower(
    tracker: str,
    parameters: str,
    *,
    checkpoint: str | Path | None = None,
    weights: "Weights" = "auto",
    device: str = "auto",
    seed: int = 0,
    compat: bool = False,
    precision: str = "fp32",
    polygon: str = "preserve_area",
    when_lost: str = "box",
) -> Follower:
    """Build the tracker and read its weights, so that the first frame waits for neither.

    Args:
        tracker: its name.
        parameters: name of its parameter set.
        checkpoint: weights file; None looks for it.
        weights: which of the file's: "auto", "net" or "net_ema".
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        seed: of everything the tracker draws.
        compat: with the published trackers' arithmetic.
        precision: of the network's features: "fp32", "bf16" or "auto".
        polygon: see `FollowerOptions`.
        when_lost: see `FollowerOptions`.

    Raises:
        UnknownNameError: if there is no such tracker, parameter set or option.
        InputError: if the weights cannot be found or read.
    """
    from ebm.lookup import lookup
    from pytracking.inference.options import PRECISIONS
    from pytracking.parameter import find_parameters
    from pytracking.tracker import make_tracker
    from pytracking.utils.loading import find_weights, load_tracking_network

    wanted = lookup("precision", precision, {name: name for name in PRECISIONS})
    options = FollowerOptions.of(polygon, when_lost)
    params = find_parameters(tracker, parameters, compat=compat)
    choice = find_weights(params, checkpoint or None, weights)
    network = None if choice.path is None else load_tracking_network(choice, tracker)
    made = make_tracker(tracker, params, network=network, device=device, seed=seed, precision=wanted)
    for note in (str(choice), *made.notes):
        print(note, file=sys.stderr)
    return Follower(made, options)
