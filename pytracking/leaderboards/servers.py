"""What each server takes, as values: names of the files, runs, time files, decimals."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pytracking.evaluation.data import Sequence
from pytracking.evaluation.places import official_table

__all__ = ["SERVERS", "Server", "Target", "targets_of"]


@dataclass(frozen=True, eq=False)
class Target:
    """A sequence as far as it is known.

    Args:
        name: as the server calls it.
        frames: how many, or None.
        init_box: xywh, px, ``[4]``, or None.
    """

    name: str
    frames: int | None = None
    init_box: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class Server:
    """How one server wants its archive.

    Args:
        title: its name in prose.
        dataset: whose annotations tell names, frames and initial boxes; None: the user says.
        count: sequences in all, where the server is known to ask for a fixed number.
        names: the sequences, where the list is known without the data set.
        layout: ``flat``, files at the top; ``sequence``, a folder for each with its runs and a time file;
            ``tracker``, all in one folder called after the tracker.
        runs: how many runs are taken.
        decimals: of boxes.
        names_agree: whether files of other names are refused; not where the list is the user's guess.
    """

    title: str
    dataset: str | None = None
    count: int | None = None
    names: Callable[[], Iterable[str]] = tuple
    layout: Literal["flat", "sequence", "tracker"] = "flat"
    runs: tuple[int, ...] = (1,)
    decimals: int = 2

    @property
    def times(self) -> bool:
        """Whether a time file goes with every sequence."""
        return self.layout == "sequence"

    def box_file(self, sequence: str, run: int, tracker: str) -> str:
        """Name of a box file in the archive; runs count from 0."""
        if self.layout == "sequence":
            return f"{sequence}/{sequence}_{run + 1:03d}.txt"
        return f"{tracker_folder(tracker)}/{sequence}.txt" if self.layout == "tracker" else f"{sequence}.txt"

    def time_file(self, sequence: str) -> str:
        """Name of the time file of a sequence."""
        return f"{sequence}/{sequence}_time.txt"


def tracker_folder(tracker: str) -> str:
    """The folder that LaSOT's toolkit looks for."""
    return f"{tracker}_tracking_result"


SERVERS: Mapping[str, Server] = {
    "trackingnet": Server(title="TrackingNet", dataset="trackingnet", count=511),
    "got10k": Server(
        title="GOT-10k test",
        dataset="got10k_test",
        count=180,
        names=lambda: (f"GOT-10k_Test_{number:06d}" for number in range(1, 181)),
        layout="sequence",
        runs=(1, 3),
        decimals=4,
    ),
    "lasot": Server(
        title="LaSOT test",
        dataset="lasot",
        count=280,
        names=lambda: official_table("lasot"),
        layout="tracker",
        decimals=4,
    ),
    "eval-ai": Server(title="a challenge on EvalAI", decimals=4),
}


def targets_of(server: Server, sequences: Iterable[Sequence] | None = None) -> list[Target]:
    """What an archive has to hold: from a data set's annotations, else from the list that is known.

    Returns: empty where nothing is known.
    """
    if sequences is not None:
        return [Target(item.name, len(item), item.init_box) for item in sequences]
    return [Target(name) for name in server.names()]
