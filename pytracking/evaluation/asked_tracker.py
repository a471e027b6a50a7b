"""The tracker that a command's options ask for, in torch or in ONNX Runtime."""

import argparse
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from ebm.threads import core_limit, in_words, threads_for, using_threads

if TYPE_CHECKING:
    from pytracking.evaluation.spec import TrackerSpec
    from pytracking.exported.folder import ExportedFolder
    from pytracking.tracker.common.several import SeveralTargets
    from pytracking.utils.loading import WeightsChoice

__all__ = ["asked_spec", "asked_tracker", "asked_weights", "with_asked_threads"]

Options = argparse.Namespace  # parsed with `add_tracker_options`, and perhaps `add_engine_option`


def asked_spec(args: Options, *, run_id: int | None = None) -> "TrackerSpec":
    """The configuration of the tracker, for sequences one after the other.

    Raises:
        UnknownNameError: if there is no such tracker or parameter set.
        InputError: if there are no such weights.
    """
    from pytracking.evaluation.spec import make_spec

    return make_spec(
        args.tracker,
        args.parameter,
        checkpoint=args.checkpoint,
        weights=args.weights,
        run_id=run_id,
        seed=args.seed,
        device=args.device,
        compat=args.compat,
        precision=args.precision,
        engine=getattr(args, "engine", "torch"),
    )


def asked_weights(args: Options) -> "WeightsChoice | ExportedFolder":
    """The weights file, or the folder of an exported tracker.

    Raises:
        UnknownNameError: if there is no such tracker or parameter set.
        InputError: if there are no such weights.
    """
    from pytracking.exported.tracker import chosen_weights
    from pytracking.parameter import find_parameters

    params = find_parameters(args.tracker, args.parameter, compat=args.compat)
    return chosen_weights(
        args.tracker,
        args.parameter,
        params,
        args.checkpoint,
        weights=args.weights,
        precision=args.precision,
        engine=getattr(args, "engine", "torch"),
    )


def asked_tracker(
    args: Options, weights: "WeightsChoice | ExportedFolder", *, with_covariance: bool = False
) -> "SeveralTargets":
    """The tracker with weights of `asked_weights`; says what there is to say of it.

    Raises:
        InputError: if the weights cannot be used, or boxes have no covariance and one is asked for.
    """
    from pytracking.exported.folder import ExportedFolder
    from pytracking.exported.tracker import exported_tracker

    if isinstance(weights, ExportedFolder):
        return exported_tracker(
            weights,
            device=args.device,
            seed=args.seed,
            with_covariance=with_covariance,
            compat=args.compat,
            threads=getattr(args, "threads", 0),
        )
    from pytracking.parameter import find_parameters
    from pytracking.tracker import make_tracker
    from pytracking.utils.loading import load_tracking_network

    tracker = make_tracker(
        args.tracker,
        find_parameters(args.tracker, args.parameter, compat=args.compat),
        network=None if weights.path is None else load_tracking_network(weights, args.tracker),
        device=args.device,
        seed=args.seed,
        with_covariance=with_covariance,
        precision=args.precision,
    )
    print(*tracker.notes, sep="\n", end="\n" * bool(tracker.notes))
    return tracker


def with_asked_threads(args: Options, tracker: "SeveralTargets") -> AbstractContextManager[Any]:
    """As many threads as ``--threads`` says, or as the tracker's network can use; says how many."""
    network: Any = getattr(tracker, "network", None)
    if hasattr(network, "threads"):  # an exported one, which has been given them already
        print(f"Running on cpu in ONNX Runtime: {in_words(network.threads, 'thread')}", flush=True)
        return using_threads(network.threads)
    from ebm.devices import resolve_device

    count = 0 if network is None else sum(p.numel() for p in network.parameters())
    threads = args.threads or threads_for(count, core_limit())
    print(f"Running on {resolve_device(args.device)}: {in_words(threads, 'thread')}", flush=True)
    return using_threads(threads)
