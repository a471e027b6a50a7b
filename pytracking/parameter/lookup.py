"""Names of parameter sets to their values."""

import importlib
import pkgutil
from dataclasses import replace
from pathlib import Path

from ebm.exceptions import UnknownNameError
from ebm.lookup import unknown_name
from pytracking.parameter.base import Params
from pytracking.parameter.compat import Compat

__all__ = ["find_parameters", "parameter_names", "parameter_sets_of", "tracker_names"]

FOLDER = Path(__file__).parent


def parameter_names(tracker: str) -> list[str]:
    """Parameter sets of a tracker, sorted.

    Raises:
        UnknownNameError: if there is no tracker of that name.
    """
    trackers = tracker_names()
    if tracker not in trackers:
        raise unknown_name("tracker", tracker, trackers)
    modules = pkgutil.iter_modules([str(FOLDER / tracker)])
    return sorted(m.name for m in modules if not m.name.startswith("_"))


def find_parameters(tracker: str, name: str, *, compat: Compat = False) -> Params:
    """The parameter set `name` of a tracker: ``PARAMS`` of ``pytracking/parameter/<tracker>/<name>.py``.

    Args:
        tracker: its name.
        name: of the set.
        compat: with the published trackers' arithmetic, see `Params`.

    Raises:
        UnknownNameError: naming the nearest trackers or parameter sets, and another tracker that has `name`.
    """
    names = parameter_names(tracker)
    if name not in names:
        raise _unknown_set(tracker, name, names)
    params = importlib.import_module(f"pytracking.parameter.{tracker}.{name}").PARAMS
    if not isinstance(params, Params):
        raise TypeError(f"PARAMS of parameter set {tracker} {name} is a {type(params).__name__}, not Params.")
    return replace(params, compat=compat) if compat else params


def parameter_sets_of(train_setting: str) -> list[tuple[str, str]]:
    """(tracker, set) of the sets that look for checkpoints of a train setting, ``"module/name"``.

    Of several, as those for a challenge, the one with the shortest name comes first.
    """
    pairs = [(tracker, name) for tracker in tracker_names() for name in parameter_names(tracker)]
    found = [pair for pair in pairs if find_parameters(*pair).train_setting == train_setting]
    return sorted(found, key=lambda pair: (len(pair[1]), pair))


def tracker_names() -> list[str]:
    """Trackers that have parameter sets."""
    return [m.name for m in pkgutil.iter_modules([str(FOLDER)]) if m.ispkg]


def _unknown_set(tracker: str, name: str, names: list[str]) -> UnknownNameError:
    return unknown_name(
        "parameter set", name, names, f"Parameter sets of tracker {tracker}: {', '.join(names)}."
    )
