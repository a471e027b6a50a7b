"""Two things under one name: told apart, or refused; never averaged."""

import json
from pathlib import Path

import pytest

from ebm.exceptions import InputError
from pytracking.analysis.extract import evaluate
from pytracking.analysis.gathering import gather_sources, refuse_shared_labels
from pytracking.analysis.sources import FirstBoxSource, FolderSource
from pytracking.evaluation.results import ResultFolder
from tests.pytracking.analysis.image_free import without_images
from tests.pytracking.evaluation.tiny import boxes_of


def fill(folder: Path, manifest: dict | None = None) -> Path:
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("".join("\t".join(map(str, box)) + "\n" for box in boxes_of(5)))
    if manifest is not None:
        (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def labels(words: list[str | Path], root: Path) -> list[str]:
    return [source.label for source in gather_sources(map(str, words), root)]


def test_two_folders_of_one_name_are_two_rows(tmp_path: Path) -> None:
    words = [fill(tmp_path / "t" / tracker / "default") for tracker in ("atom", "siamban")]
    sources = gather_sources(map(str, words), tmp_path / "none")
    assert [source.label for source in sources] == ["atom/default", "siamban/default"]
    evaluation = evaluate([without_images("a", "otb", boxes_of(5))], sources)
    assert [tracker.score("auc").std for tracker in evaluation.trackers] == [None, None]


def test_names_that_differ_in_capitals_alone_are_told_apart(tmp_path: Path) -> None:
    words = [fill(tmp_path / "ours" / "ATOM"), fill(tmp_path / "theirs" / "atom")]
    assert labels(words, tmp_path / "none") == ["ours/ATOM", "theirs/atom"]


def test_one_label_for_two_trackers_is_refused(tmp_path: Path) -> None:
    one, two = fill(tmp_path / "one"), fill(tmp_path / "two")
    for second in ("X", "x"):
        with pytest.raises(InputError, match="two trackers.*LABEL=RESULTS"):
            gather_sources([f"X={one}", f"{second}={two}"], tmp_path / "none")
    with pytest.raises(InputError, match="no label before"):
        gather_sources([f"={one}"], tmp_path / "none")
    with pytest.raises(InputError, match="two trackers"):  # in Python as on the command line
        refuse_shared_labels([FolderSource("X", ResultFolder(one)), FolderSource("X", ResultFolder(two))])


def test_a_label_of_the_user_is_kept_and_the_other_gives_way(tmp_path: Path) -> None:
    one, two = fill(tmp_path / "a" / "net"), fill(tmp_path / "b" / "net")
    assert labels([f"net={one}", two], tmp_path / "none") == ["net", "b/net"]


def test_a_result_counts_once(tmp_path: Path) -> None:
    one = fill(tmp_path / "one")
    (tmp_path / "link").symlink_to(one)
    (tmp_path / "x").mkdir()
    twice = [[one, one], [one, tmp_path / "x/../one"], [one, tmp_path / "link"], [f"one={one}", one]]
    for words in [*twice, ["first_box", "first_box"]]:
        with pytest.raises(InputError, match="named twice"):
            labels(words, tmp_path / "none")


def test_pytrackings_runs_are_runs(tmp_path: Path) -> None:
    for number in range(3):
        fill(tmp_path / "atom" / f"default_{number:03d}")
    fill(tmp_path / "atom" / "default_more")
    found = gather_sources([str(tmp_path / "atom/default")], tmp_path / "none")
    assert [source.label for source in found] == ["default"] * 3
    assert len({source.tracker for source in found}) == 1
    two = [f"ATOM={tmp_path / 'atom' / name}" for name in ("default_000", "default_001")]
    assert labels(list(two), tmp_path / "none") == ["ATOM", "ATOM"]
    with pytest.raises(InputError, match="two trackers"):
        gather_sources([two[0], f"ATOM={tmp_path / 'atom/default_more'}"], tmp_path / "none")


def manifest(sha: str, seed: int = 0) -> dict:
    return {
        "tracker": "dimp",
        "parameter": "net",
        "params": {"scale": 5},
        "seed": seed,
        "checkpoint": {"sha256": sha, "weights": "auto"},
    }


def test_seeds_are_runs_and_checkpoints_are_not(tmp_path: Path) -> None:
    root = tmp_path / "results"
    for name, sha, seed in (("aaaaaaaa", "one", 0), ("bbbbbbbb", "two", 0), ("cccccccc", "two", 1)):
        fill(root / "dimp" / f"net-{name}", manifest(sha, seed))
    found = gather_sources(["dimp/net"], root)
    assert [source.folder.path.name for source in found if isinstance(source, FolderSource)] == [
        "net-bbbbbbbb",
        "net-cccccccc",
    ]
    evaluation = evaluate([without_images("a", "otb", boxes_of(5))], found)
    assert "2 configurations" in evaluation.remarks[0]
    assert "net-aaaaaaaa" in evaluation.remarks[0]
    with pytest.raises(InputError, match="two trackers"):
        gather_sources(["X=dimp/net-aaaaaaaa", "X=dimp/net-bbbbbbbb"], root)
    assert labels(["X=dimp/net-bbbbbbbb", "X=dimp/net-cccccccc"], root) == ["X", "X"]


def test_what_was_just_run_keeps_its_name_beside_its_namesakes(tmp_path: Path) -> None:
    root = tmp_path / "results"
    own = FolderSource("dimp/net", ResultFolder(fill(root / "dimp" / "net-aaaaaaaa", manifest("one"))))
    assert gather_sources(["dimp/net"], root, [own]) == [own]
    other = fill(tmp_path / "dimp" / "net")
    assert [s.label for s in gather_sources([f"dimp/net={other}"], root)] == ["dimp/net"]
    fill(root / "dimp" / "net_001-bbbbbbbb", manifest("two"))
    found = gather_sources(["dimp/net-bbbbbbbb", "first_box"], root, [own])
    assert [source.label for source in found] == ["dimp/net", "dimp/net-bbbbbbbb", "first_box"]
    assert isinstance(found[-1], FirstBoxSource)
