"""Generated sets in the workspace: reuse, atomic building, layouts, faults."""

import json
from pathlib import Path

import pytest

from ebm.exceptions import InputError, UnknownNameError
from ltr.dataset.generated import ensure_generated
from ltr.dataset.generated import workspace as module
from tests.ltr.drawn import tiny_sets
from tests.once import made_once


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "tiny-workspace", tiny_sets)


def test_a_finished_set_is_reused_and_not_drawn_again(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr(module, "write_training_set", refuse)
    roots = ensure_generated(workspace, "train", "tiny", progress=False)
    assert set(roots) == {"lasot", "got10k", "trackingnet", "coco"}
    assert all((root / "generated.json").is_file() for root in roots.values())


def test_an_interrupted_set_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(root: Path, *_: object, **__: object) -> None:
        (root / "lasot").mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_training_set", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ensure_generated(tmp_path, "train", "tiny", progress=False)
    assert list((tmp_path / "generated").iterdir()) == []


def test_a_half_built_set_is_built_anew(tmp_path: Path) -> None:
    roots = ensure_generated(tmp_path, "test", "tiny", progress=False)
    index = roots["lasot"] / "generated.json"
    content = index.read_text()
    index.unlink()
    assert ensure_generated(tmp_path, "test", "tiny", progress=False)["lasot"] == roots["lasot"]
    assert index.read_text() == content
    index.write_text(content.replace('"name": "', '"name": "x', 1))  # damaged
    ensure_generated(tmp_path, "test", "tiny", progress=False)
    assert index.read_text() == content


def test_a_full_disk_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ltr.dataset.generated.layouts.write_frames", full)
    with pytest.raises(InputError, match="disk is full"):
        ensure_generated(tmp_path, "test", "tiny", workers=1, progress=False)
    assert list((tmp_path / "generated").iterdir()) == []


def test_unknown_kinds_and_scales_name_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="train"):
        ensure_generated(tmp_path, "trian", "tiny")
    with pytest.raises(UnknownNameError, match="tiny"):
        ensure_generated(tmp_path, "train", "tinny")


def test_training_and_test_sets_share_no_scene(workspace: Path) -> None:
    seeds: dict[str, list[int]] = {"train": [], "test": []}
    for file in (workspace / "generated").glob("*/*/generated.json"):
        content = json.loads(file.read_text())
        seeds[content["kind"]] += [entry["seed"] for entry in content["sequences"] if "seed" in entry]
    assert seeds["train"]
    assert seeds["test"]
    assert not set(seeds["train"]) & set(seeds["test"])
