"""The command that measures what belongs to a network."""

from dataclasses import replace
from pathlib import Path

import pytest

import pytracking
from ebm.exceptions import InputError
from ltr.admin.loading import load_network, read_checkpoint, write_checkpoint
from ltr.dataset.generated.plans import TestPlan, adapted_plan
from pytracking.cli import main
from pytracking.demo import untrained
from pytracking.parameter import find_parameters
from pytracking.parameter.dimp_params import DiMPParams
from pytracking.run_calibrate_tracker import HELD_OUT_SEED, _chosen, build_parser
from pytracking.tracker import make_tracker
from pytracking.tracker.common.network_info import ASCENT, MEASURED, carried
from pytracking.utils.stated import set_of_weights, store_stated
from tests.pytracking.evaluation.tiny import write_lasot, write_otb

SET = ["--tracker", "dimp", "--parameter", "nce_plus_small"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def measured(weights: Path) -> Path:
    """A copy that states a threshold and step lengths."""
    params = find_parameters("dimp", "nce_plus_small")
    assert isinstance(params, DiMPParams)
    conditions = {name: getattr(params, name) for name in ("score_preprocess", *ASCENT)}
    values = {"target_not_found_threshold": 0.3, "box_refinement_step_length": [1e-3, 4e-3]}
    path = weights.with_name("measured.pth.tar")
    store_stated(path, weights, {MEASURED: conditions | values})
    return path


def test_measures_on_several_sets_prints_what_was_tried_and_stores(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    walks = write_otb(tmp_path / "walks", {"walk_a": 5, "walk_b": 5, "run": 4}, generated=False)
    hidden = write_lasot(tmp_path / "hidden", {"square-1": 4})
    before, stored = weights.read_bytes(), tmp_path / "stored.pth.tar"
    command = [
        "calibrate",
        "tracker",
        str(weights),
        *SET,
        "--stride",
        "2",
        "--frames",
        "4",
        "--device",
        "cpu",
    ]
    data = [f"folder={walks}/walk_*", f"generated_lasot={hidden}"]
    named = [part for each in data for part in ("--dataset", each)]
    assert main([*command, *named, "--store", str(stored)]) == 0
    said = capsys.readouterr().out
    assert "Measured on 12 frames of 3 sequences" in said
    assert "IoU before refinement" in said
    for name in ("box_refinement_step_length", "target_not_found_threshold"):
        assert said.count(f"\n{name}") == 1
    assert "lost when gone" in said
    assert "\n0.0015 / 0.0015 " in said
    assert weights.read_bytes() == before
    network, fields = load_network(stored)
    plain, _ = load_network(weights)
    known = network.info.pop(MEASURED)
    assert f"\nweights  {stored}, which carry {carried({MEASURED: known}) or 'nothing new'}\n" in said
    assert network.info == (plain.info or {})
    assert fields["net_type"] == "DiMPnet"
    taken = {"box_refinement_step_length", "target_not_found_threshold"} & set(known)
    verdicts = said.count("is taken: better")
    assert len(taken) == verdicts


def test_generated_videos_are_not_those_of_the_test_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def drawn(workspace: Path, kind: str, *, plan: TestPlan) -> dict[str, Path]:
        asked.append((kind, plan.seed))
        return {"otb": tmp_path / "o", "lasot": tmp_path / "l"}

    monkeypatch.setattr("ltr.dataset.generated.workspace.ensure_generated", drawn)
    monkeypatch.setattr("ltr.dataset.generated.ensure_generated", drawn, raising=False)
    parse = build_parser().parse_args
    both = [("generated", tmp_path / "o", ""), ("generated_lasot", tmp_path / "l", "")]
    assert _chosen(parse(["w"])) == both
    mixed = _chosen(parse(["w", "--dataset", "generated", "--dataset", "folder=/v/davis_*"]))
    assert mixed == [both[0], ("folder", Path("/v"), "davis_*")]
    assert asked == [("test", HELD_OUT_SEED)] * 2
    assert adapted_plan("test", "demo").seed != HELD_OUT_SEED
    assert _chosen(parse(["w", "--dataset", "generated=/g"])) == [("generated", Path("/g"), "")]
    assert len(asked) == 2


def test_trackers_use_what_the_weights_carry(measured: Path) -> None:
    tracker = pytracking.load("dimp", "nce_plus_small", checkpoint=measured, device="cpu")
    assert tracker.params.target_not_found_threshold == 0.3
    assert tracker.params.box_refinement_step_length == (1e-3, 4e-3)
    assert any("Measured for these weights" in note for note in tracker.notes)
    params = replace(find_parameters("dimp", "nce_plus_small"), calibration_from_network=False)
    own = make_tracker("dimp", params, checkpoint=measured, device="cpu")
    assert own.params.target_not_found_threshold == 0.15


def test_exports_keep_them(measured: Path, tmp_path: Path) -> None:
    assert main(["export", str(measured), "--out", str(tmp_path)]) == 0
    (exported,) = tmp_path.glob("*.safetensors")
    tracker = pytracking.load("dimp", "nce_plus_small", checkpoint=exported, device="cpu")
    assert tracker.params.box_refinement_step_length == (1e-3, 4e-3)


def test_show_names_what_is_in_force_and_where_it_is_from(
    measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", "tracker", str(measured), *SET, "--show"]) == 0
    said = capsys.readouterr().out
    (row,) = (line.split() for line in said.splitlines() if line.startswith("target_not_found"))
    assert row[1:] == ["0.15", "0.3"]
    assert "Measured for these weights: target_not_found_threshold 0.3 (parameter set: 0.15)" in said


def test_a_threshold_alone_is_measured_with_the_lengths_that_the_weights_carry(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_otb(tmp_path / "otb", {"Walk": 3})
    stored = tmp_path / "stored.pth.tar"
    command = ["calibrate", "tracker", str(measured), *SET, "--dataset", f"folder={root}", "--device", "cpu"]
    assert main([*command, "--only", "threshold", "--store", str(stored)]) == 0
    said = capsys.readouterr().out
    assert "\n0.15 " in said  # the set's own is where it starts
    assert "box_refinement_step_length (0.001, 0.004)" in said
    record = read_checkpoint(stored)["net_info"][MEASURED]
    assert record["box_refinement_step_length"] == [1e-3, 4e-3]
    assert "target_not_found_threshold" not in record  # one sequence: no gain counts, and the old one is gone


def test_densities_and_trackers_state_side_by_side(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_otb(tmp_path / "otb", {"Walk": 5})
    both = tmp_path / "both.pth.tar"
    command = ["calibrate", "density", "dimp", "nce_plus_small", "--checkpoint", str(measured)]
    data = ["--dataset", "folder", "--root", str(root), "--stride", "2", "--device", "cpu"]
    assert main([*command, *data, "--store", str(both)]) == 0
    info = read_checkpoint(both)["net_info"]
    assert info[MEASURED] == read_checkpoint(measured)["net_info"][MEASURED]
    assert "density_temperature" in info


def test_the_set_is_that_of_the_train_setting(weights: Path, tmp_path: Path) -> None:
    fields = {key: value for key, value in read_checkpoint(weights).items() if key != "format"}
    trained = tmp_path / "trained.pth.tar"
    write_checkpoint(trained, fields | {"settings": {"module": "dimp", "name": "dimp50"}})
    assert set_of_weights(trained) == ("dimp", "dimp50")
    assert set_of_weights(trained, parameter="dimp50_vot18") == ("dimp", "dimp50_vot18")
    write_checkpoint(trained, fields | {"settings": {"module": "dimp", "name": "none_such"}})
    with pytest.raises(InputError, match="No parameter set looks for"):
        set_of_weights(trained)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ([], "does not say by which train setting"),
        ([*SET, "--dataset", "folder"], "give its folder with --dataset folder=DIR"),
        ([*SET, "--dataset", "folder=otb/Run*"], "No sequence matches 'Run*'"),
        ([*SET, "--dataset", "folder=otb", "--store", "w.pth.tar"], "is the weights"),
        ([*SET, "--dataset", "folder=otb", "--stride", "99"], "No frame to refine a box in"),
        (["--tracker", "dimp", "--parameter", "nce_minus"], "nce_plus"),
    ],
)
def test_what_cannot_be_is_refused(
    more: list[str],
    words: str,
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.pth.tar").symlink_to(weights)
    write_otb(tmp_path / "otb", {"Walk": 3})
    assert main(["calibrate", "tracker", "w.pth.tar", *more]) == 2
    assert words in capsys.readouterr().err
