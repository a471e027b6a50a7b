"""``ebmtrack demo``: the installed weights on a real clip, then a minute of fine-tuning on drawn videos.

Every step keeps what it has finished, so that a second call only prints the result.
"""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ebm.exceptions import InputError
from ebm.outputs import Output, require_outputs
from pytracking.demo.clip_files import CLIP, FPS, NAME, first_box, unpacked
from pytracking.demo.steps import Steps, drawn_videos, evaluated, track, write_overlay
from pytracking.parameter.default import DEFAULT_PARAMETERS, DEFAULT_TRACKER

if TYPE_CHECKING:
    from pytracking.evaluation.data import Sequence as Video
    from pytracking.evaluation.spec import TrackerSpec

__all__ = ["ShortOptions", "run_short_demo"]

MODULE, SETTING = "bbreg", "atom_nce_plus_lite"
WITHOUT_ENERGY = "multiscale_lite"
SHIPPED, TUNED = "installed weights", "the same, fine-tuned"
NO_ENERGY = "without the box energy"
STEPS = 5
RATE = 2e-5  # a fiftieth of the setting's: the weights are good, and a minute is short
MOST_SAMPLES = 4096  # more than fit into a minute
DENSITY_FRAME = 60
TINY_FRAMES, TINY_DENSITY_FRAME = 10, 2


@dataclass(frozen=True, kw_only=True)
class ShortOptions:
    """What the demo does.

    Attributes:
        workspace: folder of everything that is written.
        scale: size of the generated sets; ``tiny`` shortens the clip too.
        samples: of fine-tuning, None for as many as fit into `train_time`.
        train_time: of fine-tuning, e.g. ``60s``.
        workers: processes for drawing and tracking.
        device: ``auto``, ``cpu``, ``cuda``, ...
    """

    workspace: Path
    scale: str = "short"
    samples: int | None = None
    train_time: str = "60s"
    workers: int = 1
    device: str = "auto"

    @property
    def tiny(self) -> bool:
        """Whether this is only a look whether everything works."""
        return self.scale == "tiny"

    @property
    def folder(self) -> Path:
        """Of tables, plots, video and density."""
        return self.workspace / "result"

    @property
    def clip(self) -> Path:
        """Root of the clip's images."""
        return self.workspace / ("clip-tiny" if self.tiny else "clip")


def run_short_demo(options: ShortOptions) -> int:
    """Track the clip, draw a density, fine-tune, compare, and print where everything is.

    Returns: 0, or the exit code of a training that was stopped.
    """
    from ebm.devices import resolve_device
    from ltr.admin.environment import workspace
    from ltr.trainers.time_limit import parse_duration

    usual = os.path.realpath(workspace())  # asked for now: training sets it for this process
    parse_duration(options.train_time)  # as the device: told now
    require_outputs([Output(name="--workspace", path=options.workspace, folder=True)])
    resolve_device(options.device)
    steps = Steps(STEPS)
    steps.next("A real clip, tracked with the weights that are installed")
    clip = unpacked(options.clip, TINY_FRAMES if options.tiny else None)
    shipped = _spec(DEFAULT_PARAMETERS, _installed(), options)
    print(f"{CLIP}: {len(clip)} of its frames")
    track([clip], {SHIPPED: shipped}, options.workspace, options.workers)
    steps.next("How sure it is of its box: the energy, as a density")
    density = _density(shipped, options)
    steps.next(f"Drawing videos, and fine-tuning on them for {options.train_time}")
    drawn = drawn_videos(options.workspace, options.scale, options.workers)
    code = _fine_tune(options)
    if code:
        return code
    steps.next("Tracking the clip and videos that were drawn for testing")
    tuned = {SHIPPED: shipped, TUNED: _spec(DEFAULT_PARAMETERS, _newest(options), options)}
    specs = {**tuned, NO_ENERGY: _spec(WITHOUT_ENERGY, _installed(), options)}
    track([clip, *drawn], tuned, options.workspace, options.workers)
    track([clip], {NO_ENERGY: specs[NO_ENERGY]}, options.workspace, options.workers)
    steps.next("Result")
    _report(clip, drawn, specs, density, options)
    given = str(options.workspace.parent)
    place = "" if given == usual else f" --workspace {shlex.quote(given)}"
    box = ",".join(f"{value:g}" for value in first_box())
    print(
        f"\nDone in {steps.elapsed()}. The same clip by hand, and a video of your own:\n"
        f"  ebmtrack video {shlex.quote(str(CLIP))} --box {box} --out tracked.mp4\n"
        f"  ebmtrack video VIDEO --box x,y,w,h --out tracked.mp4\n"
        f"Training from nothing, about ten minutes:\n  ebmtrack demo --from-scratch{place}"
    )
    return 0


def _installed() -> Path:
    from pytracking.weights.shipped import find_shipped

    found = find_shipped(SETTING)
    if found is None:
        raise InputError(f"The weights {SETTING} are not installed; install the package again.")
    return found.path


def _spec(parameters: str, checkpoint: Path, options: ShortOptions) -> "TrackerSpec":
    from pytracking.evaluation.spec import make_spec

    return make_spec(DEFAULT_TRACKER, parameters, checkpoint=checkpoint, device=options.device)


def _density(shipped: "TrackerSpec", options: ShortOptions) -> Path | None:
    """The picture of one frame; None where matplotlib is not installed."""
    from importlib.util import find_spec

    from pytracking.run_density import main as draw

    assert shipped.weights.path is not None
    path = options.folder / "density.png"
    if path.is_file() and path.stat().st_mtime > shipped.weights.path.stat().st_mtime:
        return path
    if find_spec("matplotlib") is None:
        print("matplotlib is not installed, so there is no picture: pip install 'ebmtrack[eval]'")
        return None
    options.folder.mkdir(parents=True, exist_ok=True)
    frame = TINY_DENSITY_FRAME if options.tiny else DENSITY_FRAME
    words = [DEFAULT_TRACKER, DEFAULT_PARAMETERS, NAME, "--dataset", "folder", "--root", str(options.clip)]
    words += ["--frame", str(frame), "--out", str(path), "--checkpoint", str(shipped.weights.path)]
    if draw([*words, "--device", options.device]):
        raise InputError("The density could not be drawn; see above.")
    return path


def _fine_tune(options: ShortOptions) -> int:
    from ltr.run_training import main as train

    words = [MODULE, SETTING, "--init-weights", str(_installed()), "--datasets", "generated"]
    words += ["--scale", options.scale, "--workspace", str(options.workspace), "--device", options.device]
    words += ["--epochs", "1", "--samples", str(options.samples or MOST_SAMPLES), "--no-validate"]
    words += ["--max-time", options.train_time, "--set", f"optimiser.groups.0.lr={RATE:g}"]
    # Else a minute moves the norms' statistics by a fifth towards the drawn videos and the weights by a
    # thousandth, and both kinds of videos are tracked worse.
    return train([*words, "--set", "network.still_norms=True", "--resume", "match"])


def _newest(options: ShortOptions) -> Path:
    from ltr.admin.loading import latest_checkpoint

    return latest_checkpoint(options.workspace / "checkpoints" / "ltr" / MODULE / SETTING)


def _report(
    clip: "Video",
    drawn: "list[Video]",
    specs: "dict[str, TrackerSpec]",
    density: Path | None,
    options: ShortOptions,
) -> None:
    from pytracking.analysis.report import save_report
    from pytracking.analysis.tables import format_table, score_table

    plots = {}
    tuned = {label: specs[label] for label in (SHIPPED, TUNED)}
    for title, folder, videos, measured in (
        (f"The clip, {len(clip)} frames; the weights have not seen it", "clip", [clip], specs),
        (f"{len(drawn)} drawn videos; fine-tuning saw others like them", "drawn", drawn, tuned),
    ):
        evaluation = evaluated(videos, measured, options.workspace)
        print(f"\n{title}\n{format_table(score_table(evaluation))}")
        files, no_plots = save_report(evaluation, options.folder / folder)
        plots[folder] = [str(path) for path in files if path.name == "success_plot.png"]
        if no_plots:
            print(no_plots)
    shown = {label: specs[label] for label in (SHIPPED, NO_ENERGY)}
    video = write_overlay(clip, shown, options.workspace, options.folder / "clip.mp4", FPS)
    print(
        "\nA minute of fine-tuning shows how training works, not what it can do: one run, few videos, and\n"
        "batch norms that keep their statistics (network.still_norms).\n"
        f"video         {video}"
    )
    for name, paths in plots.items():
        for path in paths:
            print(f"success plot  {path} ({name})")
    if density is not None:
        print(f"density       {density}")
    print(f"fine-tuned    {specs[TUNED].weights.path}")
