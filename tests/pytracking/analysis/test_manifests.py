"""Compared trackers whose runs differ in more than the tracker are told apart by their manifests."""

import copy
import json
from pathlib import Path

from pytracking.analysis.manifests import manifest_differences
from pytracking.analysis.sources import FirstBoxSource, FolderSource
from pytracking.evaluation.results import ResultFolder
from pytracking.evaluation.running import run_dataset
from pytracking.evaluation.spec import make_spec
from tests.pytracking.evaluation.tiny import otb_layout, write_otb

MANIFEST = {
    "versions": {"torch": "2.11.0", "numpy": "2.4.0"},
    "decoder": "opencv 5.0, cv2.imdecode",
    "device": "cpu",
    "seed": 0,
    "params": {"a": 1},
    "checkpoint": {"sha256": "ab" * 32},
    "datasets": {"otb": {"sequences": {"Deer": "d1", "Dog1": "d2"}}},
}


def source(folder: Path, label: str, **changes: object) -> FolderSource:
    manifest = copy.deepcopy(MANIFEST) | changes
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return FolderSource(label, ResultFolder(folder))


def test_equal_runs_have_nothing_to_tell(tmp_path: Path) -> None:
    both = [source(tmp_path / "a", "A"), source(tmp_path / "b", "B", seed=1, params={}, checkpoint=None)]
    assert manifest_differences([*both, FirstBoxSource()], "otb") == []


def test_what_differs_is_told_by_tracker(tmp_path: Path) -> None:
    data = {"otb": {"sequences": {"Deer": "d1", "Dog1": "other"}}}
    other = source(tmp_path / "b", "B", device="cuda:0", versions={"torch": "2.6.0"}, datasets=data)
    assert manifest_differences([source(tmp_path / "a", "A"), other], "otb") == [
        "torch differs: A 2.11.0; B 2.6.0.",
        "device differs: A cpu; B cuda:0.",
        "Images or annotations differ in 1 sequence(s), first Dog1.",
    ]


def test_averaged_runs_of_two_configurations_are_told(tmp_path: Path) -> None:
    runs = [source(tmp_path / "a", "A"), source(tmp_path / "b", "A", checkpoint={"sha256": "cd" * 32})]
    assert manifest_differences(runs, "otb") == ["weights differs: A abababababab, cdcdcdcdcdcd."]


def test_results_from_elsewhere_are_told_beside_ones_with_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    foreign = FolderSource("ATOM", ResultFolder(tmp_path / "x"))
    assert manifest_differences([foreign], "otb") == []
    (line,) = manifest_differences([foreign, source(tmp_path / "a", "A")], "otb")
    assert line == "No manifest, so nothing is known of how it was run: ATOM."


def test_a_run_writes_what_is_compared(tmp_path: Path) -> None:
    layout = otb_layout(write_otb(tmp_path / "otb", {"a": 4, "b": 5}))
    sequences = [layout.read(name) for name in "ab"]
    report = run_dataset(sequences, make_spec("first_box", "default"), results_root=tmp_path, progress=False)
    manifest = ResultFolder(report.folder).manifest()
    assert {"versions", "decoder", "device", "precision", "seed", "params", "git_commit"} <= set(manifest)
    assert manifest["versions"]["torch"]
    assert len(manifest["datasets"]["otb"]["index"]) == 8
    run_dataset(
        sequences[:1], make_spec("first_box", "default"), results_root=tmp_path / "other", progress=False
    )
    part = ResultFolder(tmp_path / "other/first_box" / report.folder.name)
    sources = [FolderSource("whole", ResultFolder(report.folder)), FolderSource("part", part)]
    assert manifest_differences(sources, "otb") == []
