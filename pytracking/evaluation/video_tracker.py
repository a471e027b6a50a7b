"""The tracker that a command for videos asked for, in torch or in ONNX Runtime, and its threads."""

import argparse
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from ebm.exceptions import InputError
from ebm.threads import core_limit, in_words, threads_for, using_threads

if TYPE_CHECKING:
    from torch import nn

    from pytracking.exported.folder import ExportedFolder
    from pytracking.tracker.common.several import SeveralTargets
    from pytracking.utils.loading import WeightsChoice

__all__ = ["add_engine_option", "asked_weights", "made_tracker"]


def add_engine_option(parser: argparse.ArgumentParser) -> None:
    """``--engine``."""
    parser.add_argument(
        "--engine",
        choices=("torch", "onnx"),
        default="torch",
        help="onnx runs an exported tracker, whose folder is --checkpoint (default: %(default)s)",
    )


def asked_weights(args: argparse.Namespace) -> "WeightsChoice | ExportedFolder":
    """The weights file, or the folder of an exported tracker.

    Raises:
        UnknownNameError: if there is no such tracker or parameter set.
        InputError: if there are no such weights.
    """
    from pytracking.exported.tracker import exported_folder
    from pytracking.parameter import find_parameters
    from pytracking.utils.loading import find_weights

    params = find_parameters(args.tracker, args.parameter, compat=args.compat)
    if args.engine == "torch":
        return find_weights(params, args.checkpoint, args.weights)
    if args.weights != "auto":
        raise InputError(
            f"An exported tracker has one set of weights; --weights {args.weights} is chosen when it is "
            "exported."
        )
    if args.precision != "fp32":
        raise InputError("An exported tracker has its own numbers: leave --precision out.")
    return exported_folder(args.tracker, args.parameter, args.checkpoint)


def made_tracker(
    args: argparse.Namespace, weights: "WeightsChoice | ExportedFolder"
) -> "tuple[SeveralTargets, AbstractContextManager[Any]]":
    """The tracker with weights of `asked_weights`, and its threads; says what it runs on."""
    from pytracking.exported.folder import ExportedFolder
    from pytracking.exported.tracker import exported_tracker

    if isinstance(weights, ExportedFolder):
        made = exported_tracker(
            weights, device=args.device, seed=args.seed, compat=args.compat, threads=args.threads
        )
        threads = made.network.threads
        print(f"Running on cpu in ONNX Runtime: {in_words(threads, 'thread')}", flush=True)
        return made, using_threads(threads)
    from pytracking.parameter import find_parameters
    from pytracking.tracker import make_tracker
    from pytracking.utils.loading import load_tracking_network

    params = find_parameters(args.tracker, args.parameter, compat=args.compat)
    network = None if weights.path is None else load_tracking_network(weights, args.tracker)
    tracker = make_tracker(
        args.tracker,
        params,
        network=network,
        device=args.device,
        seed=args.seed,
        precision=args.precision,
    )
    print(*tracker.notes, sep="\n", end="\n" * bool(tracker.notes))
    return tracker, _threads(args.threads, network, args.device)


def _threads(given: int, network: "nn.Module | None", device: str) -> AbstractContextManager[None]:
    """As many threads as asked for, or as the network can use; says how many."""
    from ebm.devices import resolve_device

    count = 0 if network is None else sum(p.numel() for p in network.parameters())
    threads = given or threads_for(count, core_limit())
    print(f"Running on {resolve_device(device)}: {in_words(threads, 'thread')}", flush=True)
    return using_threads(threads)
