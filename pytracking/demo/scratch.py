"""``ebmtrack demo --from-scratch``: from nothing to a success plot, on generated videos and a CPU.

Draws training and test videos, trains the small DiMP-NCE+ network, tracks the test videos with it, with the
same network untrained and with a tracker that repeats the first box, and shows how good each is. Every step
keeps what it has finished, so that a second call only prints the result.
"""

import os
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ebm.exceptions import InputError
from ebm.outputs import Output, require_outputs
from pytracking.demo.steps import FIRST_BOX, Steps, drawn_videos, evaluated, track, write_overlay

if TYPE_CHECKING:
    from pytracking.analysis.extract import Evaluation
    from pytracking.evaluation.data import Sequence as Video
    from pytracking.evaluation.spec import TrackerSpec

__all__ = ["DemoOptions", "run_demo", "untrained"]

MODULE, SETTING = "dimp", "dimp_nce_plus_small"
TRACKER, PARAMETERS = "dimp", "nce_plus_small"
TRAINED, UNTRAINED = "DiMP-NCE+ small, trained", "the same network, untrained"
STEPS = 4


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """What the demo does; None leaves a value to the train setting.

    Attributes:
        workspace: folder of everything that is written.
        scale: size of the generated sets, ``tiny``, ``demo`` or ``full``.
        epochs: epochs of training.
        samples: samples an epoch.
        workers: processes for drawing, loading and tracking; 0 takes the cores there are.
        device: ``auto``, ``cpu``, ``cuda``, ...
    """

    workspace: Path
    scale: str = "demo"
    epochs: int | None = None
    samples: int | None = None
    workers: int = 0
    device: str = "auto"


def run_demo(options: DemoOptions) -> int:
    """Draw, train, track, evaluate, and print where everything is.

    Returns: 0, or the exit code of a training that was stopped.
    """
    from ebm.devices import resolve_device
    from ltr.admin.environment import workspace

    usual = os.path.realpath(workspace())  # asked for now: training sets it for this process
    require_outputs([Output(name="--workspace", path=options.workspace, folder=True)])
    resolve_device(options.device)  # one that is not there is told now, not when the videos are drawn
    steps = Steps(STEPS)
    steps.next("Videos to learn from and to be measured on")
    videos = drawn_videos(options.workspace, options.scale, options.workers)
    steps.next(f"Training {MODULE}/{SETTING}")
    code = _train(options)
    if code:
        return code
    trained = options.workspace / "checkpoints" / "ltr" / MODULE / SETTING
    steps.next(f"Tracking {len(videos)} test videos")
    specs = {
        TRAINED: _spec(_newest(trained), options),
        UNTRAINED: _spec(untrained(options.workspace), options),
    }
    # Last the trained one: `ebmtrack evaluate` takes the newest of two configurations.
    track(videos, {label: specs[label] for label in (UNTRAINED, TRAINED)}, options.workspace, options.workers)
    steps.next("Result")
    evaluation = evaluated(videos, specs, options.workspace)
    _report(evaluation, videos, specs, options)
    print(f"\nDone in {steps.elapsed()}. Track a video of your own:")
    place = "" if str(options.workspace) == usual else f" --workspace {shlex.quote(str(options.workspace))}"
    print(f"  ebmtrack video {TRACKER} {PARAMETERS} VIDEO --box x,y,w,h --out tracked.mp4{place}")
    return 0


def _train(options: DemoOptions) -> int:
    from ebm.devices import resolve_device
    from ltr.run_training import main as train
    from ltr.train_settings.recipe import find_recipe
    from ltr.train_settings.resources import processes_for

    arguments = [MODULE, SETTING, "--datasets", "generated", "--scale", options.scale]
    arguments += ["--workspace", str(options.workspace), "--device", options.device, "--resume", "match"]
    for name, value in (("--epochs", options.epochs), ("--samples", options.samples)):
        arguments += [] if value is None else [name, str(value)]
    if resolve_device(options.device).type == "cpu":
        recipe = find_recipe(MODULE, SETTING)
        share = processes_for(recipe.batch_size, options.workers, recipe.groups)
        arguments += ["--processes", str(share)]
    return train(arguments)


def _newest(folder: Path) -> Path:
    files = sorted(folder.glob("*_ep*.pth.tar"))
    if not files:
        raise InputError(f"Training left no checkpoint in {folder}; run 'ebmtrack train {MODULE} {SETTING}'.")
    return files[-1]


def untrained(workspace: Path, seed: int = 0) -> Path:
    """The network as training with `seed` finds it, saved in the same format.

    Args:
        workspace: the file lies in its folder ``demo``.
        seed: of the train setting.
    """
    from ltr.admin.loading import write_checkpoint
    from ltr.train_settings.build import build_network
    from ltr.train_settings.recipe import find_recipe

    path = workspace / "demo" / f"untrained_seed{seed}.pth.tar"
    if not path.is_file():
        net = build_network(replace(find_recipe(MODULE, SETTING), seed=seed)).net
        content = {"net_type": type(net).__name__, "net": net.state_dict(), "net_info": net.info, "epoch": 0}
        write_checkpoint(path, content | {"constructor": net.constructor})
    return path


def _spec(checkpoint: Path, options: DemoOptions) -> "TrackerSpec":
    from pytracking.evaluation.spec import make_spec

    return make_spec(TRACKER, PARAMETERS, checkpoint=checkpoint, device=options.device)


def _report(
    evaluation: "Evaluation", videos: "list[Video]", specs: "dict[str, TrackerSpec]", options: DemoOptions
) -> None:
    from pytracking.analysis.report import save_report
    from pytracking.analysis.tables import format_table, score_table

    print(format_table(score_table(evaluation)))
    auc = {tracker.label: tracker.score("auc").mean for tracker in evaluation.trackers}
    print(
        f"\nThe trained tracker's AUC is {auc[TRAINED]:.1f}: {auc[TRAINED] - auc[UNTRAINED]:+.1f} against "
        f"the untrained network, {auc[TRAINED] - auc[FIRST_BOX]:+.1f} against the repeated first box."
    )
    folder = options.workspace / "result_plots" / "demo"
    files, no_plots = save_report(evaluation, folder)
    video = _overlay(evaluation, videos, specs, folder)
    if no_plots:
        print(no_plots)
    for path in files:
        if path.name.startswith("success_plot"):
            print(f"success plot  {path}")
    print(f"video         {video}\ncheckpoint    {specs[TRAINED].weights.path}\ntables        {folder}")


def _overlay(
    evaluation: "Evaluation", videos: "list[Video]", specs: "dict[str, TrackerSpec]", folder: Path
) -> Path:
    """A video of the sequence on which training made the greatest difference."""
    by_label = {tracker.label: tracker for tracker in evaluation.trackers}
    gain = by_label[TRAINED].success.mean(axis=(0, 2)) - by_label[UNTRAINED].success.mean(axis=(0, 2))
    video = videos[int(gain.argmax())]
    return write_overlay(video, specs, folder.parents[1], folder / f"{video.name}.mp4")
