"""ATOM in ONNX Runtime: its filter is fitted in numpy, with the boxes of torch and without torch."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import pytracking
from ebm.exceptions import InputError
from ebm.integrity.json_files import read_sealed_json
from ltr.models.bbreg.atom import atom_resnet_small
from pytracking.cli import main
from pytracking.evaluation.results import ResultFolder
from pytracking.exported.graphs import graphs_of
from pytracking.exported.names import DESCRIPTION
from pytracking.exported.samples import sample_inputs
from pytracking.exported.write import compared, exported_graph
from pytracking.parameter.atom import atom_nce_plus_small, nce_plus_lite
from tests.formula import fill
from tests.once import made_once
from tests.pytracking.evaluation.tiny import write_otb
from tests.pytracking.exported.made import export
from tests.pytracking.exported.test_exported import NO_TORCH, assert_alike
from tests.pytracking.tracker.test_contract import BOX, frame

# Short ascents, which take a second of export a step, and a fit that does not make much of rounding: sixty
# steps, as published, carry float32 0.02 of the highest score away from float64, with torch and without,
# and so do five on a filter that fits already. The rest as published: projection, bent scores.
QUICK = {
    "box_refinement_iter": 1,
    "init_cg_iter": 12,
    "cg_iter": 2,
    "hard_negative_cg_iter": 2,
    "train_skipping": 3,
    "target_not_found_threshold": -1e9,
}
SET = ("atom", "atom_nce_plus_small")


@pytest.fixture(scope="module", autouse=True)
def quick_set() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atom_nce_plus_small, "PARAMS", replace(atom_nce_plus_small.PARAMS, **QUICK))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, quick_set: None) -> Path:
    """A folder that the command made; the checkpoint lies beside it."""
    made = made_once(
        tmp_path_factory, "exported-atom", lambda place: export(place, atom_resnet_small(), *SET)
    )
    return made / "out"


def test_the_boxes_are_those_of_torch(folder: Path) -> None:
    found = []
    for options in ({"checkpoint": folder, "engine": "onnx"}, {"checkpoint": folder.parent / "net.pth.tar"}):
        tracker = pytracking.load(*SET, device="cpu", seed=3, **options)
        tracker.initialize(frame(0), BOX)
        found.append([tracker.track(frame(t)) for t in range(1, 8)])
    assert_alike(*found)
    assert np.abs(found[0][-1].box - BOX).max() > 1, "a track that stays where it began shows nothing"
    assert tracker.classifier.memory.weights.count > 30, "nothing was learnt after the first frame"


def test_it_tracks_without_importing_torch(folder: Path, tmp_path: Path) -> None:
    code = NO_TORCH + (
        "import json, numpy as np, pytracking\n"
        f"tracker = pytracking.load(*{SET}, {str(folder)!r}, engine='onnx')\n"
        f"frames = np.load({str(tmp_path / 'frames.npy')!r})\n"
        f"tracker.initialize(frames[0], {{1: {BOX}, 2: (150.0, 60.0, 40.0, 30.0)}})\n"
        "print(json.dumps([each.box.tolist() for each in tracker.track(frames[1]).values()]))\n"
        "assert 'torch' not in sys.modules\n"
    )
    np.save(tmp_path / "frames.npy", np.stack([frame(0), frame(1)]))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tracker = pytracking.load(*SET, folder.parent / "net.pth.tar", "cpu")
    tracker.initialize(frame(0), {1: BOX, 2: (150.0, 60.0, 40.0, 30.0)})
    expected = [each.box for each in tracker.track(frame(1)).values()]
    np.testing.assert_allclose(json.loads(done.stdout), expected, atol=0.02)


def test_what_the_description_says(folder: Path) -> None:
    about = read_sealed_json(folder / DESCRIPTION)
    assert about["tracker"] == "atom"
    assert sorted(about["graphs"]) == ["backbone", "box_reference", "box_refine"]
    assert about["graphs"]["backbone"]["outputs"] == ["features", "fine", "coarse"]
    assert "filter_size" not in about
    with pytest.raises(InputError, match="holds the tracker atom atom_nce_plus_small, not dimp"):
        pytracking.load("dimp", "nce_plus_small", folder, engine="onnx")


def test_sequences_are_run_and_their_results_are_kept_apart(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_otb(tmp_path / "otb", {"Walk": 4, "Run": 3})
    named = ["track", *SET, "--dataset", "generated", "--root", str(root), "--results", str(tmp_path / "r")]
    assert main([*named, "--engine", "onnx", "--checkpoint", str(folder), "--threads", "2"]) == 0
    assert "exported from net.pth.tar, atom atom_nce_plus_small" in capsys.readouterr().out
    assert main([*named, "--checkpoint", str(folder.parent / "net.pth.tar"), "--device", "cpu"]) == 0
    ours, torchs = sorted((tmp_path / "r/atom").iterdir(), key=lambda path: path.stat().st_mtime)
    for name in ("Walk", "Run"):
        boxes = [ResultFolder(path).boxes(name) for path in (ours, torchs)]
        np.testing.assert_allclose(*boxes, atol=0.02)
    assert main([*named, "--engine", "onnx", "--checkpoint", str(folder), "--device", "cuda"]) == 2
    assert "runs on the CPU" in capsys.readouterr().err


def test_a_classifier_of_several_layers() -> None:
    net = atom_resnet_small(iou_inter_dim=(8, 8))
    fill(net)
    net.eval().requires_grad_(False)
    changes = {"classifier_strides": (4, 8), "image_sample_size": 128, "use_iou_net": False}
    params = replace(nce_plus_lite.PARAMS, **changes)
    with torch.no_grad():
        graphs = graphs_of(net, params)
        assert list(graphs) == ["backbone"]
        batches = sample_inputs(graphs, params)["backbone"]
        content = exported_graph("backbone", graphs["backbone"], batches[0])
        written = compared("backbone", graphs["backbone"], batches, content)
    assert written.difference < 1e-4 * (1 + written.largest)
