"""No command changes a file that it was not told to write, whatever paths it is given.

Every command runs in this process on a small folder of files that exist, are missing, or are links to each
other, and the folder is compared before and after. The checks are the commands' own. What follows them is
replaced only where it would take seconds: plots, training, drawing and the studies; what stands in for those
writes where they would.
"""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ebm.exceptions import EBMError, InputError
from ebm.files import write_atomic
from ebm.fitting.loading import load_fitted
from ebm.tasks.detection.branch import ConfidenceBranch
from ebm.tasks.detection.data.records import DetectionSet
from ebm.tasks.detection.loading import Saved
from ebm.tasks.detection.recipes import find_recipe
from ebm.tasks.detection.results_file import Detections
from ebm.tasks.detection.running import DETECTOR as DETECTED
from ebm.tasks.detection.running import Run
from ltr.admin.checkpoint_io import read_checkpoint
from ltr.dataset.annotations import read_boxes
from ltr.dataset.opening import open_path
from ltr.trainers.checkpoints import CheckpointFolder
from pytracking.cli import main
from pytracking.evaluation.video_io import open_video
from tests.field.calls import (
    COCO,
    DATA,
    FOUND,
    NET,
    VIDEOS,
    Call,
    check,
    convert,
    demo,
    demo_from_scratch,
    doctor,
    evaluate,
    export,
    generate,
    pack,
    refine,
    regress,
    score,
    sheet,
    toy1d,
    track,
    train,
    video,
    video_by_default,
)
from tests.field.trees import NAMES, RUN, Tree, build_tree

COMMANDS: dict[Callable[[str, str, str | None], Call], tuple[int, tuple[str, ...]]] = {
    # how many mixtures of paths are tried, and what the command can read in earnest: every second time
    video: (150, VIDEOS),
    video_by_default: (60, VIDEOS),
    track: (80, DATA),
    evaluate: (80, DATA),
    export: (100, (NET, "to_net/X_ep0001.safetensors", "net/X_ep0001.pth.tar")),
    check: (100, (*DATA, "frames")),
    convert: (40, (*COCO, "coco")),
    refine: (80, COCO),
    score: (60, FOUND),
    pack: (60, (*DATA, "frames")),
    sheet: (80, ("frames", "to_frames")),
    generate: (60, ("frames", "ws")),
    train: (80, (*DATA, "ws")),
    regress: (20, ("out",)),
    toy1d: (20, ("out",)),
    demo: (20, ("out",)),
    demo_from_scratch: (20, ("out",)),
    doctor: (1, ("out",)),
}
STOPPED = (
    train,
    regress,
    toy1d,
    demo,
    demo_from_scratch,
)  # by what stands in for the work, after it has written


@contextlib.contextmanager
def instead_of_training(
    root: Path, recipe: Any, options: Any, *_: Any
) -> Iterator[CheckpointFolder]:  # what a run that starts anew does first, and nothing more
    folder = CheckpointFolder(root / RUN, "DiMPnet", 3)
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.set_aside()
    folder.epoch_file(1).write_bytes(b"a checkpoint")
    raise InputError("no training here")
    yield folder


def instead_of_a_study(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.csv").write_bytes(b"a table")
    raise InputError("no study here")


def a_branch() -> Saved:
    recipe = find_recipe("nce+")
    return Saved(ConfidenceBranch(2, 1, hidden=2, bins=1), recipe, ("", "cat"), (), "")


def nothing_in(data: DetectionSet) -> Run:
    none = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    return Run({image.image_id: none for image in data.images}, images=len(data))


def instead_of_detecting(_: Any, ways: Any, data: DetectionSet, **__: Any) -> dict[str, Run]:
    return {name: nothing_in(data) for name in (DETECTED, *ways)}


def instead_of_a_picture(file: Path, **_: Any) -> Path:
    write_atomic(file, b"a picture")
    return file


def instead_of_drawing(workspace: Path, kind: str, *_: Any, **__: Any) -> dict[str, Path]:
    folder = workspace / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / kind).write_bytes(b"videos")
    return {}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tree(tmp_path_factory.mktemp("field") / "tree")


@pytest.fixture(scope="module", autouse=True)
def cheap() -> Iterator[None]:
    """Stands in for what takes seconds, all of it behind the checks."""
    study = "ebm.tasks.tabular.study.run_study"
    with contextlib.ExitStack() as stack:
        for place, stand_in in (
            ("pytracking.analysis.report.save_plots", lambda *_: []),
            (
                "ltr.admin.loading.load_network",
                lambda path: (mock.Mock(parameters=list), {"epoch": 1, "weights": ""}),
            ),
            ("ltr.train_settings.session.run_output", instead_of_training),
            ("ltr.dataset.generated.sheet.contact_sheet", instead_of_a_picture),
            ("ltr.dataset.generated.workspace.ensure_generated", instead_of_drawing),
            ("ebm.tasks.detection.loading.load_trained", lambda _: a_branch()),
            ("ebm.tasks.detection.loading.load_detector", lambda *_, **__: mock.Mock()),
            ("ebm.tasks.detection.loading.Saved.require_detector", lambda *_: None),
            ("ebm.tasks.detection.running.refine_given", lambda _, __, data, *___, **____: nothing_in(data)),
            ("ebm.tasks.detection.running.run_set", instead_of_detecting),
            (study, lambda plan, folder, show: instead_of_a_study(folder)),
            ("ebm.tasks.toy1d.study.run_study", lambda jobs, store, *_: instead_of_a_study(store.folder)),
            ("pytracking.demo.short.unpacked", lambda folder, *_: instead_of_a_study(folder)),
            ("pytracking.demo.scratch.drawn_videos", lambda workspace, *_: instead_of_a_study(workspace)),
        ):
            stack.enter_context(mock.patch(place, stand_in))
        yield


@contextlib.contextmanager
def inside(template: Path, root: Path) -> Iterator[Tree]:
    """A fresh tree as the current folder, and nothing printed."""
    tree = Tree(template, root)
    quiet = io.StringIO()
    with (
        contextlib.chdir(root),
        mock.patch.dict(os.environ, {"EBMTRACK_WORKSPACE": "runs", "HOME": str(root)}),
        contextlib.redirect_stdout(quiet),
        contextlib.redirect_stderr(quiet),
    ):
        yield tree


def run(argv: list[str]) -> int:
    try:
        return main(argv)
    except SystemExit as stop:
        return int(stop.code or 0)


@st.composite
def mixtures(draw: st.DrawFn, usual: tuple[str, ...]) -> tuple[str, str, str | None]:
    """Three paths, the second often close to the first: itself, below it, or the folder that it lies in."""
    names = st.sampled_from(NAMES)
    first = draw(st.sampled_from(usual) | names)
    near = st.sampled_from((first, f"{first}/new", os.path.dirname(first) or ".", f"./{first}"))
    return first, draw(near | names), draw(st.none() | near | names)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__)
def test_a_command_changes_only_what_it_was_told_to_write(
    command: Callable[[str, str, str | None], Call], template: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    examples, usual = COMMANDS[command]

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(paths=mixtures(usual))
    def holds(paths: tuple[str, str, str | None]) -> None:
        root = tmp_path_factory.mktemp("field") / "tree"
        with inside(template, root) as tree:
            call = command(*paths)
            read = tree.read(call.inputs)
            told = {place for name in call.files for place in (tree.place(name), tree.target(name))}
            below = [tree.target(name) for name in call.folders]
            within = [tree.target(name) for name in call.inputs if os.path.isdir(name)]
            code = run(call.argv)
            changed, added = tree.changed(), tree.added()
        assert code in (0, 1, 2)
        if code == 2 and command not in STOPPED:
            assert (changed, added) == ([], []), call.argv
        for name in changed:
            assert name in told or any(lies_in(name, folder) for folder in below), (call.argv, name)
            assert not tree.before[name].leads_to & read, (call.argv, name)
        for name in added:
            assert name in told or any(lies_in(name, folder) for folder in below), (call.argv, name)
            assert not any(lies_in(name, folder) for folder in within), (call.argv, name)

    holds()


def lies_in(name: str, folder: str) -> bool:
    return folder == "." or f"{name}/".startswith(f"{folder}/")


def frames_of(path: Path) -> None:
    for _ in open_video(path).frames():
        pass


READERS = [load_fitted, read_checkpoint, read_boxes, open_path, frames_of]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_a_reader_changes_nothing(
    reader: Callable[[Path], Any], template: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with inside(template, tmp_path_factory.mktemp("field") / "tree") as tree:
        for name in NAMES:
            with contextlib.suppress(EBMError):
                reader(Path(name))
        assert (tree.changed(), tree.added()) == ([], [])
