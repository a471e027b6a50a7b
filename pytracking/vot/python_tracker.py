"""`VOTTracker`: a tracker for the VOT toolkit's Python API (0.8 and later), which needs no TraX.

In ``trackers.ini``, for the Python that runs the toolkit and has EBMTrack installed::

    [EBMTrack]
    protocol = python
    command = pytracking.vot.python_tracker:VOTTracker
    timeout = 600
    arg_tracker = dimp
    arg_parameters = nce_plus
    arg_checkpoint = /weights/dimp_nce_plus.pth.tar
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, get_args

from ebm.exceptions import EBMError, InputError
from ebm.lookup import unknown_name
from ltr.admin.exported import Weights
from pytracking.vot.follower import Answer, color_file
from pytracking.vot.loading import load_follower
from pytracking.vot.regions import Box, box_of_value

__all__ = ["VOTTracker"]

Status = tuple[Box, dict[str, float]]
Frame = str | Mapping[str, str]

_TRUTH = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
_NOTHING = (0.0, 0.0, 0.0, 0.0)  # what the API can say of a target that is not in view


class VOTTracker:
    """What the toolkit makes once in a process of its own, and then calls with frame files and regions.

    Attributes:
        multiobject: all objects of a sequence are followed by one tracker.
    """

    multiobject = True

    def __init__(
        self,
        tracker: str = "dimp",
        parameters: str = "nce_plus",
        checkpoint: str = "",
        weights: str = "auto",
        device: str = "auto",
        seed: int | str = 0,
        compat: bool | str = False,
        precision: str = "fp32",
        polygon: str = "preserve_area",
        when_lost: str = "box",
    ) -> None:
        """Load the network; the ``arg_...`` of ``trackers.ini``, which are texts.

        Args:
            tracker: its name.
            parameters: name of its parameter set.
            checkpoint: weights file; empty looks for it.
            weights: which of the file's: "auto", "net" or "net_ema".
            device: "auto", "cpu", "cuda", "cuda:1" or "mps".
            seed: of everything the tracker draws.
            compat: "true": with the published trackers' arithmetic.
            precision: of the network's features: "fp32", "bf16" or "auto".
            polygon: "preserve_area" or "union", see `pytracking.vot.regions.box_of_polygon`.
            when_lost: "box" or "empty", see `pytracking.vot.follower.FollowerOptions`.

        Raises:
            ValueError, ImportError, RuntimeError: which the toolkit shows.
        """
        with _shown_by_the_toolkit():
            self._follower = load_follower(
                tracker,
                parameters,
                checkpoint=checkpoint,
                weights=_weights(weights),
                device=device,
                seed=_whole("arg_seed", seed),
                compat=_truth("arg_compat", compat),
                precision=precision,
                polygon=polygon,
                when_lost=when_lost,
            )

    def init(self, frame: Frame, new: Sequence[tuple[Any, Any]], properties: Any = None) -> list[Status]:
        """Begin anew: the image file, or those of its channels, and (region, properties) of every object."""
        with _shown_by_the_toolkit():
            return _statuses(self._follower.start(color_file(frame), self._boxes(new)))

    def update(
        self, frame: Frame, new: Sequence[tuple[Any, Any]] = (), properties: Any = None
    ) -> list[Status]:
        """The next frame, and the objects that begin in it; a box and ``confidence`` for every object."""
        with _shown_by_the_toolkit():
            return _statuses(self._follower.go_on(color_file(frame), self._boxes(new)))

    def _boxes(self, new: Sequence[tuple[Any, Any]] | None) -> list[Box]:
        return [box_of_value(region, self._follower.options.polygon) for region, _ in new or ()]


def _statuses(answers: Sequence[Answer]) -> list[Status]:
    return [
        (_NOTHING if answer.box is None else answer.box, {"confidence": answer.score}) for answer in answers
    ]


@contextmanager
def _shown_by_the_toolkit() -> Iterator[None]:
    """Errors of other kinds end the toolkit's worker without a word, and it waits for its timeout."""
    try:
        yield
    except (EBMError, OSError, LookupError, ArithmeticError, AssertionError) as error:
        if isinstance(error, (ValueError, ImportError)):
            raise
        raise RuntimeError(f"{type(error).__name__}: {error}") from error


def _weights(name: str) -> Weights:
    for known in get_args(Weights):
        if known == name:
            return known
    raise unknown_name("choice of weights", name, get_args(Weights))


def _whole(name: str, value: int | str) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise InputError(f"{name} is a whole number; got {value!r}.") from error


def _truth(name: str, value: bool | str) -> bool:
    if isinstance(value, bool):
        return value
    if value.lower() not in _TRUTH:
        raise InputError(f"{name} is true or false; got {value!r}.")
    return _TRUTH[value.lower()]
