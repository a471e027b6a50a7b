"""A real tracker through the runner: the same boxes whatever the order, the process and the neighbours."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ebm.exceptions import DomainError, InputError, NumericalError
from ltr.admin.checkpoint_io import network_fields, write_checkpoint
from ltr.models.tracking.dimpnet import dimpnet_small
from pytracking.evaluation.data import Sequence
from pytracking.evaluation.results import ResultFolder
from pytracking.evaluation.runner import SequenceRunner, track_sequence
from pytracking.evaluation.running import run_dataset
from pytracking.evaluation.spec import TrackerSpec, make_spec
from pytracking.tracker.base import Flag, Tracked
from pytracking.tracker.first_box import FirstBox
from tests.pytracking.evaluation.tiny import otb_layout, write_otb

LENGTHS = {"a": 6, "b": 5, "c": 4}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small.pth.tar"
    torch.manual_seed(0)
    write_checkpoint(path, {"epoch": 0, **network_fields(dimpnet_small())})
    return path


@pytest.fixture
def spec(checkpoint: Path) -> TrackerSpec:
    """The small tracker, made to follow its untrained scores wherever they lead."""
    spec = make_spec("dimp", "nce_plus_small", checkpoint=checkpoint, device="cpu")
    return replace(spec, params=replace(spec.params, target_not_found_threshold=-10.0))


@pytest.fixture
def sequences(tmp_path: Path) -> list[Sequence]:
    root = write_otb(tmp_path / "otb", LENGTHS)
    return [otb_layout(root, "generated").read(name) for name in LENGTHS]


def saved(folder: Path, name: str) -> np.ndarray:
    return ResultFolder(folder).boxes(name)


def test_order_and_workers_do_not_change_a_track(
    sequences: list[Sequence], spec: TrackerSpec, tmp_path: Path
) -> None:
    reports = {
        "all": run_dataset(sequences, spec, results_root=tmp_path / "1", progress=False),
        "reversed": run_dataset(sequences[::-1], spec, results_root=tmp_path / "2", progress=False),
        "alone": run_dataset(sequences[1:2], spec, results_root=tmp_path / "3", progress=False),
        "workers": run_dataset(sequences, spec, results_root=tmp_path / "4", progress=False, workers=2),
    }
    assert not any(report.failed for report in reports.values())
    tracks = {name: saved(report.folder, "b") for name, report in reports.items()}
    for name in ("reversed", "alone", "workers"):
        np.testing.assert_allclose(tracks[name], tracks["all"], atol=2e-3, err_msg=name)
    assert np.abs(tracks["all"] - tracks["all"][0]).max() > 0.5, "the tracker never moved: nothing was tested"


def test_the_manifest_names_weights_and_digest(
    sequences: list[Sequence], spec: TrackerSpec, checkpoint: Path, tmp_path: Path
) -> None:
    report = run_dataset(sequences[:1], spec, results_root=tmp_path / "r", progress=False)
    manifest = ResultFolder(report.folder).manifest()
    assert manifest["checkpoint"]["path"] == str(checkpoint)
    assert len(manifest["checkpoint"]["sha256"]) == 64
    assert manifest["params"]["target_not_found_threshold"] == -10.0
    assert manifest["device"] == "cpu"


def test_other_weights_or_parameters_give_another_hash(spec: TrackerSpec, tmp_path: Path) -> None:
    torch.manual_seed(1)
    write_checkpoint(tmp_path / "other.pth.tar", {"epoch": 0, **network_fields(dimpnet_small())})
    other = make_spec("dimp", "nce_plus_small", checkpoint=tmp_path / "other.pth.tar")
    same_weights = replace(spec, params=replace(spec.params, target_not_found_threshold=-9.0))
    again = replace(spec)
    assert len({spec.hash, other.hash, same_weights.hash}) == 3
    assert again.hash == spec.hash


def test_the_network_is_read_once(
    sequences: list[Sequence], spec: TrackerSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = SequenceRunner(spec, "cpu")
    monkeypatch.setattr("ltr.admin.loading.load_network", lambda *_: pytest.fail("read again"))
    for sequence in sequences:
        runner.run(sequence)


class Odd(FirstBox):
    """Gives a fixed answer on every frame."""

    def __init__(self, box: tuple[float, ...]) -> None:
        super().__init__()
        self.answer = np.array(box)

    def track(self, image: object) -> Tracked:
        return Tracked(box=self.answer, score=0.25, flag=Flag.UNCERTAIN)


def test_scores_and_states_are_kept(sequences: list[Sequence]) -> None:
    result = track_sequence(Odd((1, 2, 3, 4)), sequences[2])
    assert result.states == ("ok", "uncertain", "uncertain", "uncertain")
    assert result.scores.tolist() == [1.0, 0.25, 0.25, 0.25]
    np.testing.assert_array_equal(result.boxes[0], sequences[2].init_box)
    assert (result.times > 0).all()


@pytest.mark.parametrize("box", [(np.nan, 1, 2, 3), (1, 2, -3, 4), (1, 2, np.inf, 4)])
def test_an_answer_that_is_no_box_is_an_error(sequences: list[Sequence], box: tuple[float, ...]) -> None:
    with pytest.raises(NumericalError, match=r"sequence a, frame 1 \(0002.jpg\)"):
        track_sequence(Odd(box), sequences[0])


def test_the_frame_of_a_trackers_error_is_named(sequences: list[Sequence]) -> None:
    outside = replace(sequences[0], ground_truth=sequences[0].ground_truth + (500, 500, 0, 0))
    with pytest.raises(DomainError, match=r"sequence a, frame 0 \(0001.jpg\)"):
        track_sequence(FirstBox(), outside)


def test_a_missing_frame_is_found_before_the_first_is_read(sequences: list[Sequence]) -> None:
    sequences[0].frames[4].unlink()
    counted: list[int] = []
    with pytest.raises(InputError, match=r"0005.jpg is missing: sequence a"):
        track_sequence(FirstBox(), sequences[0], on_frame=lambda: counted.append(1))
    assert not counted


def test_reading_images_is_not_timed(sequences: list[Sequence], monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    from pytracking.evaluation import runner

    read = runner.read_image

    def slowly(*arguments: object, **options: object) -> object:
        time.sleep(0.05)
        return read(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(runner, "read_image", slowly)
    assert track_sequence(FirstBox(), sequences[0]).times.max() < 0.04
