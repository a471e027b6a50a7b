"""The command ``ebmtrack``: a table of commands, each a ``main(argv)`` that returns an exit code.

Nothing heavy is imported before a command is chosen, so that ``ebmtrack --help`` answers at once.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ebm.command import run_guarded
from ebm.extras import require_track
from ebm.lookup import unknown_name

__all__ = ["COMMANDS", "Command", "main"]


@dataclass(frozen=True)
class Command:
    """A command: the module whose ``main(argv) -> int`` runs it, and one line on what it does.

    `tracking` is False where it works with torch and NumPy alone.
    """

    module: str
    summary: str
    tracking: bool = True

    def load(self) -> Callable[[Sequence[str]], int]:
        """The function that runs the command.

        Raises:
            MissingPackageError: if the command needs the extra ``track`` and it is not installed.
        """
        if self.tracking:
            require_track("trackers and their data")
        function: Callable[[Sequence[str]], int] = importlib.import_module(self.module).main
        return function


COMMANDS: dict[str, Command] = {
    "demo": Command("pytracking.demo", "track a real clip, look at it, and fine-tune, in minutes on a CPU"),
    "train": Command("ltr.run_training", "train a network: ebmtrack train dimp dimp_nce_plus"),
    "track": Command("pytracking.run_tracker", "run a tracker on a dataset: ebmtrack track dimp nce_plus"),
    "experiment": Command("pytracking.run_experiment", "run trackers on datasets, and compare them"),
    "video": Command(
        "pytracking.run_video", "track one target or several through a video or a folder of images"
    ),
    "webcam": Command(
        "pytracking.run_webcam", "the same, live: a camera, a stream, frames on standard input"
    ),
    "vot": Command("pytracking.vot.command", "try a tracker in the VOT toolkit, write the toolkit's files"),
    "density": Command("pytracking.run_density", "draw how sure a tracker is of its box in one frame"),
    "calibrate": Command(
        "pytracking.run_calibrate",
        "measure whether a density over boxes is honest, or a network's thresholds and steps",
    ),
    "evaluate": Command("pytracking.evaluate", "tables and plots from results that trackers have left"),
    "playback": Command("pytracking.run_playback", "videos of several trackers' results, with their overlap"),
    "pack": Command(
        "pytracking.leaderboards.pack_command", "write the archive that a leaderboard's server takes"
    ),
    "validate": Command(
        "pytracking.leaderboards.validate_command",
        "say what a leaderboard's server would reject in an archive",
    ),
    "benchmark": Command("pytracking.run_benchmark", "time a tracker's stages on this machine"),
    "generate": Command("ltr.dataset.generated.command", "write generated videos, or a contact sheet"),
    "dataset": Command(
        "pytracking.check_dataset", "check a data set by name, pack it, or convert annotations"
    ),
    "export": Command(
        "pytracking.run_export", "write a trained network as safetensors and JSON, or a tracker as ONNX"
    ),
    "weights": Command("pytracking.run_weights", "list, verify, find and add the weights of trackers"),
    "regress": Command(
        "ebm.tasks.tabular.command",
        "fit and report a table of your own; energies beside other densities",
        tracking=False,
    ),
    "age": Command(
        "ebm.tasks.images.age_command",
        "the age of a face: train, evaluate, the paper's table",
        tracking=False,
    ),
    "pose": Command(
        "ebm.tasks.images.pose_command",
        "three angles of a head: train, evaluate, the paper's table",
        tracking=False,
    ),
    "detect": Command(
        "ebm.tasks.detection.command",
        "energies refine the boxes of a detector; score any results file",
        tracking=False,
    ),
    "toy1d": Command(
        "ebm.tasks.toy1d.command", "the papers' 1D study: table, sweep over M, plots", tracking=False
    ),
    "doctor": Command(
        "pytracking.doctor", "what is installed, which datasets and weights are found", tracking=False
    ),
}


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: ebmtrack COMMAND [arguments]",
            "",
            "Energy-based regression for visual tracking: train, track, evaluate.",
            "",
            "commands:",
            *lines,
            "",
            "examples:",
            "  ebmtrack video clip.mp4 --box 120,80,60,90",
            "  ebmtrack demo",
            "  ebmtrack train dimp dimp_nce_plus --datasets lasot",
            "  ebmtrack track dimp nce_plus --dataset otb --sequence Crossing",
            "  ebmtrack dataset check lasot",
            "  ebmtrack toy1d table --quick",
            "",
            "'ebmtrack COMMAND --help' describes one command.",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the command and its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0 on success, 2 for an input that cannot be used, 130 after Ctrl-C, else the command's own code.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    return run_guarded(lambda: _chosen(arguments))


def _chosen(arguments: list[str]) -> int:
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print(_usage())
        return 0 if arguments else 2
    if arguments[0] in {"-V", "--version"}:
        from importlib.metadata import version

        print(f"ebmtrack {version('ebmtrack')}")
        return 0
    if arguments[0] not in COMMANDS:
        raise unknown_name("command", arguments[0], COMMANDS, "'ebmtrack --help' lists them.")
    return COMMANDS[arguments[0]].load()(arguments[1:])
