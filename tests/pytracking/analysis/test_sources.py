"""Words of a command line become results."""

import os
from pathlib import Path

import pytest

from ebm.exceptions import UnknownNameError
from pytracking.analysis.sources import FirstBoxSource, FolderSource, find_sources


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Results of dimp: nce_plus in two configurations, the newer with two runs; kld_is in one."""
    names = ["nce_plus-aaaaaaaa", "nce_plus_000-bbbbbbbb", "nce_plus_001-bbbbbbbb", "kld_is-cccccccc"]
    for age, name in enumerate(names):
        folder = tmp_path / "results/dimp" / name
        folder.mkdir(parents=True)
        (folder / "Deer.txt").write_text("1\t2\t3\t4\n")
        os.utime(folder / "Deer.txt", (1000 + age, 1000 + age))
    return tmp_path / "results"


def folders(found: list) -> list[str]:
    return [source.folder.path.name for source in found]


def test_a_tracker_means_all_runs_of_its_newest_configuration(root: Path) -> None:
    found = find_sources("dimp/nce_plus", root)
    assert folders(found) == ["nce_plus_000-bbbbbbbb", "nce_plus_001-bbbbbbbb"]
    assert {source.label for source in found} == {"dimp/nce_plus"}


def test_a_hash_names_one_configuration(root: Path) -> None:
    assert folders(find_sources("dimp/nce_plus-aaaaaaaa", root)) == ["nce_plus-aaaaaaaa"]
    assert len(find_sources("dimp/nce_plus-bbbbbbbb", root)) == 2
    assert folders(find_sources("dimp/nce_plus_001-bbbbbbbb", root)) == ["nce_plus_001-bbbbbbbb"]


def test_a_folder_and_a_label(root: Path, tmp_path: Path) -> None:
    (tmp_path / "ATOM").mkdir()
    assert find_sources(str(tmp_path / "ATOM"), root)[0].label == "ATOM"
    labelled = find_sources(f"Danelljan et al.={tmp_path / 'ATOM'}", root)
    assert [source.label for source in labelled] == ["Danelljan et al."]
    assert isinstance(labelled[0], FolderSource)
    assert {s.label for s in find_sources("ours=dimp/nce_plus", root)} == {"ours"}


def test_the_first_box_needs_no_results(tmp_path: Path) -> None:
    assert find_sources("first_box", tmp_path) == [FirstBoxSource()]
    assert find_sources("still=first_box", tmp_path)[0].label == "still"


def test_unknown_results_suggest_near_ones(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"'dimp/nce_plus'"):
        find_sources("dimp/nce_pluss", root)
    with pytest.raises(UnknownNameError, match="Results are looked for in"):
        find_sources("dimp/nce_plus", tmp_path / "none")
