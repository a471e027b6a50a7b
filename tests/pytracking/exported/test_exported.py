"""A tracker as ONNX graphs: the boxes of torch, without torch."""

import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pytracking
from ebm.exceptions import EBMError, InputError, MissingPackageError, UnknownNameError
from ebm.integrity.json_files import read_sealed_json, write_sealed_json
from ltr.models.tracking.dimpnet import dimpnet_small, dimpnet_small_simple, klcedimpnet_small
from pytracking.cli import main
from pytracking.exported.graphs import graphs_of
from pytracking.exported.names import DESCRIPTION
from pytracking.exported.samples import sample_inputs
from pytracking.exported.write import compared, exported_graph, require_exportable, write_tracker
from pytracking.parameter.dimp import dimp_small, nce_plus_small, prdimp_small, super_dimp_simple_small
from pytracking.tracker.base import Tracked
from tests.formula import fill
from tests.once import made_once
from tests.pytracking.evaluation.tiny import boxes_of, draw_frames
from tests.pytracking.exported.made import export
from tests.pytracking.tracker.test_contract import BOX, frame
from tests.pytracking.tracker.test_same_tracks import read_frames

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

# Every unrolled step costs a second of export: the ascent here is short.
QUICK = {
    "box_refinement_iter": 2,
    "net_opt_iter": 2,
    "net_opt_update_iter": 2,
    "train_skipping": 3,
    "target_not_found_threshold": 0.0,  # weights by formula score low
}
NO_TORCH = """
import sys
from importlib.machinery import ModuleSpec
class Refusal:
    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self) if name.partition(".")[0] in ("torch", "torchvision") else None
    def create_module(self, spec):
        raise AssertionError(f"{spec.name} is imported")
    def exec_module(self, module):
        pass
sys.meta_path.insert(0, Refusal())
"""


@pytest.fixture(scope="module")
def quick_set() -> Iterator[None]:
    """The set of this module with short ascents, for everything that looks it up by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nce_plus_small, "PARAMS", replace(nce_plus_small.PARAMS, **QUICK))
        yield


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, quick_set: None) -> Path:
    """A folder that the command made; the checkpoint lies beside it."""
    made = made_once(
        tmp_path_factory,
        "exported-dimp",
        lambda place: export(place, dimpnet_small(), "dimp", "nce_plus_small"),
    )
    return made / "out"


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(exported, tmp_path / "tracker"))


def pair(folder: Path, **options: object) -> tuple[object, object]:
    """The tracker in ONNX Runtime and on torch."""
    checkpoint = folder.parent / "net.pth.tar"
    return load(folder, **options), pytracking.load("dimp", "nce_plus_small", checkpoint, "cpu", **options)


def assert_alike(ours: list[Tracked], torchs: list[Tracked]) -> None:
    for a, b in zip(ours, torchs, strict=True):
        np.testing.assert_allclose(a.box, b.box, atol=0.02)
        assert a.score == pytest.approx(b.score, abs=1e-4)
        assert a.flag is b.flag


def test_the_boxes_are_those_of_torch(exported: Path) -> None:
    found = []
    for tracker in pair(exported, seed=3):
        tracker.initialize(frame(0), BOX)
        found.append([tracker.track(frame(t)) for t in range(1, 9)])
    assert_alike(*found)
    assert np.abs(found[0][-1].box - BOX).max() > 1, "a track that stays where it began shows nothing"


def follow(led: Any, on_torch: Any) -> None:
    """Give one tracker what the other knows: where the target is, the filter, and the memory."""
    led._state = on_torch._state
    led.classifier._filter = on_torch.classifier._filter.numpy().copy()
    memory, known = led.classifier.memory, on_torch.classifier.memory
    memory.weights = copy.deepcopy(known.weights)
    memory._features[:], memory._boxes[:] = known._features.numpy(), known._boxes.numpy()


def test_boxes_on_real_frames(exported: Path, test_data: Path) -> None:
    """Sixty frames: with weights by formula the tracks would part by themselves, at ties between peaks."""
    frames = read_frames(test_data / "otb" / "Crossing", 61)
    ours, torchs = pair(exported)
    for tracker in (ours, torchs):
        tracker.initialize(frames[0], (205, 151, 17, 50))
    assert_same_filter(ours, torchs)
    states = set()
    for image in frames[1:]:
        follow(ours, torchs)
        found, expected = ours.track(image), torchs.track(image)
        np.testing.assert_allclose(found.box, expected.box, atol=0.1)
        assert found.flag is expected.flag
        assert_same_filter(ours, torchs)
        states.add(found.state)
    assert states >= {"ok", "uncertain"}


def assert_same_filter(ours: Any, torchs: Any) -> None:
    filters = ours.classifier._filter, torchs.classifier._filter.numpy()
    np.testing.assert_allclose(*filters, atol=1e-3 * np.abs(filters[1]).max())


def test_several_targets_and_the_compat_arithmetic(exported: Path) -> None:
    found = []
    for tracker in pair(exported, compat=True):
        tracker.initialize(frame(0), {1: BOX, 2: (150.0, 60.0, 40.0, 30.0)})
        tracks = [tracker.track(frame(t)) for t in range(1, 4)]
        found.append([track[target] for track in tracks for target in (1, 2)])
    assert_alike(*found)


def test_what_the_description_says(exported: Path) -> None:
    about = read_sealed_json(exported / DESCRIPTION)
    assert about["opset"] == 20
    assert about["parameters"]["image_sample_size"] == 128  # what the checkpoint states about itself
    assert about["graphs"]["backbone"]["inputs"] == {"images": ["N", 128, 128, 3]}
    assert about["graphs"]["box_refine"]["inputs"]["starts"] == [1, 10, 4]
    assert about["graphs"]["filter_step"]["inputs"]["features"] == ["N", 64, 16, 16]
    assert about["network"]["source"] == "net.pth.tar"
    assert all(graph["difference"] < 1e-3 for graph in about["graphs"].values())


def test_it_tracks_without_importing_torch(exported: Path, tmp_path: Path) -> None:
    folder = exported
    draw_frames(tmp_path / "walk", boxes_of(4), size=(120, 160))
    frames = np.stack([frame(t) for t in range(4)])
    np.save(tmp_path / "frames.npy", frames)
    code = NO_TORCH + (
        "import json, numpy as np, pytracking\n"
        "from pytracking.cli import main\n"
        f"frames = np.load({str(tmp_path / 'frames.npy')!r})\n"
        f"tracker = pytracking.load('dimp', 'nce_plus_small', {str(folder)!r}, engine='onnx')\n"
        f"tracker.initialize(frames[0], {BOX})\n"
        "print(json.dumps([tracker.track(image).box.tolist() for image in frames[1:]]))\n"
        f"place = ['--out', {str(tmp_path / 'o.mp4')!r}, '--checkpoint', {str(folder)!r}]\n"
        "place += ['--engine', 'onnx', '--box', '4,8,12,10']\n"
        f"assert main(['video', 'dimp', 'nce_plus_small', {str(tmp_path / 'walk')!r}, *place]) == 0\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tracker = pytracking.load("dimp", "nce_plus_small", folder.parent / "net.pth.tar", "cpu")
    tracker.initialize(frames[0], BOX)
    expected = [tracker.track(image).box for image in frames[1:]]
    np.testing.assert_allclose(json.loads(done.stdout.splitlines()[0]), expected, atol=0.02)
    assert "in ONNX Runtime: 1 thread" in done.stdout
    assert len((tmp_path / "o.csv").read_text().splitlines()) == 5


def load(folder: object, **options: object) -> object:
    return pytracking.load("dimp", "nce_plus_small", folder, engine="onnx", **options)


def test_folders_that_cannot_be_used(folder: Path) -> None:
    with pytest.raises(InputError, match="no folder .*none; .*ebmtrack export onnx"):
        load(folder / "none")
    with pytest.raises(InputError, match="checkpoint DIR"):
        load(None)
    with pytest.raises(InputError, match="dimp nce_plus_small, not dimp dimp50"):
        pytracking.load("dimp", "dimp50", folder, engine="onnx")
    with pytest.raises(InputError, match="exported tracker.*--engine onnx"):
        pytracking.load("dimp", "nce_plus_small", folder)
    (folder / "scores.onnx").rename(folder / "away")
    with pytest.raises(InputError, match=r"scores\.onnx .*is missing; copy the whole folder"):
        load(folder)
    (folder / DESCRIPTION).unlink()
    with pytest.raises(InputError, match="has no tracker.json"):
        load(folder)


def test_a_graph_that_was_changed(folder: Path) -> None:
    graph = folder / "box_refine.onnx"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    with pytest.raises(InputError, match=r"box_refine\.onnx is damaged: its checksum"):
        load(folder)


def resealed(folder: Path, **changes: object) -> Path:
    about = read_sealed_json(folder / DESCRIPTION)
    write_sealed_json(folder / DESCRIPTION, about | changes)
    return folder


def test_another_opset_format_or_parameter(folder: Path) -> None:
    about = read_sealed_json(folder / DESCRIPTION)
    with pytest.raises(InputError, match="opset 17, and this program reads .* opset 20"):
        load(resealed(folder, opset=17))
    resealed(folder, opset=20)
    with pytest.raises(InputError, match="does not know: colour"):
        load(resealed(folder, parameters=about["parameters"] | {"colour": 1}))
    with pytest.raises(InputError, match="no description of a tracker"):
        load(resealed(folder, parameters=about["parameters"], filter_size=None))
    resealed(folder, filter_size=[4, 4])
    kept = {name: graph for name, graph in about["graphs"].items() if name != "box_refine"}
    with pytest.raises(InputError, match=r"tracker\.json: It names no graph box_refine"):
        load(resealed(folder, parameters=about["parameters"], graphs=kept))


def test_a_graph_that_onnxruntime_refuses(folder: Path) -> None:
    import onnx

    from ebm.integrity.checksums import sha256_of

    model = onnx.load(folder / "scores.onnx")
    model.opset_import[0].version = 9999
    onnx.save(model, folder / "scores.onnx")
    about = read_sealed_json(folder / DESCRIPTION)
    about["graphs"]["scores"]["sha256"] = sha256_of(folder / "scores.onnx")
    write_sealed_json(folder / DESCRIPTION, about)
    with pytest.raises(InputError, match=r"cannot load .*scores\.onnx: .*9999"):
        load(folder)


def test_what_an_exported_tracker_has_not(folder: Path) -> None:
    with pytest.raises(InputError, match="densities .*engine='torch'"):
        load(folder, with_covariance=True)
    with pytest.raises(InputError, match="runs on the CPU, not on device 'cuda'"):
        load(folder, device="cuda")
    with pytest.raises(UnknownNameError, match="engine 'onxx'.*'onnx'"):
        pytracking.load("dimp", "nce_plus_small", folder, engine="onxx")  # type: ignore[arg-type]
    tracker = load(folder)
    tracker.initialize(frame(0), BOX)
    with pytest.raises(InputError, match="engine='torch'"):
        tracker.track(frame(1)).density.confidence  # noqa: B018


def test_weights_are_chosen_when_it_is_exported(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_frames(tmp_path / "walk", boxes_of(2))
    options = ["--box", "4,8,12,10", "--engine", "onnx", "--checkpoint", str(folder), "--weights", "net"]
    place = ["--out", str(tmp_path / "o.mp4")]
    assert main(["video", "dimp", "nce_plus_small", str(tmp_path / "walk"), *options, *place]) == 2
    assert "chosen when it is exported" in capsys.readouterr().err


def test_without_onnxruntime(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingPackageError, match=r"onnxruntime .*'ebmtrack\[onnx\]'"):
        load(folder)


def test_a_tracker_that_cannot_be_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "onnx", "first_box", "default", "--out", str(tmp_path / "out")]) == 2
    assert "Tracker first_box cannot be exported: it has no network" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_part_that_cannot_be_exported(tmp_path: Path) -> None:
    net = dimpnet_small()
    net.bb_regressor.fc3_rt.relu = None
    params = require_exportable("dimp", nce_plus_small.PARAMS)
    with pytest.raises(EBMError, match="head of the box branch"):
        write_tracker(
            tmp_path, net, params, tracker="dimp", parameter="nce_plus_small", source={"source": "net"}
        )
    assert not (tmp_path / DESCRIPTION).exists()


PARTS = {  # what other networks and sets have in a form of their own
    "probabilities of cells": (prdimp_small, klcedimpnet_small, "filter_step", {}),
    "given labels": (super_dimp_simple_small, dimpnet_small_simple, "filter_step", {}),
    "ascent in pixels": (dimp_small, dimpnet_small, "box_refine", {"box_refinement_iter": 1}),
}


@pytest.mark.parametrize("part", PARTS)
def test_parts_of_other_networks(part: str) -> None:
    """What the other parameter sets have beside the parts above."""
    module, make, name, changes = PARTS[part]
    net = make()
    fill(net)
    net.eval().requires_grad_(False)
    params = replace(module.PARAMS, **changes)
    with torch.no_grad():
        graphs = graphs_of(net, params)
        batches = sample_inputs(graphs, params)[name]
        written = compared(name, graphs[name], batches, exported_graph(name, graphs[name], batches[0]))
    assert written.difference < 1e-4 * (1 + written.largest)
    assert written.largest > 0


@pytest.mark.parametrize("nowhere", [None, 0.5])
def test_the_softmax_of_scores(nowhere: float | None) -> None:
    """Against torch's, with one more outcome."""
    from pytracking.tracker.dimp.classifier import DiMPClassifier

    net = klcedimpnet_small()
    net.classifier.filter_optimizer.softmax_reg = nowhere
    maps = torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(0)) * 60
    flat = maps.flatten(1)
    more = flat if nowhere is None else torch.cat((flat, torch.full((2, 1), nowhere)), 1)
    expected = more.softmax(1)[:, :30].reshape(2, 5, 6)
    found = DiMPClassifier(net, prdimp_small.PARAMS)._softmax(maps.numpy())
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-12)
