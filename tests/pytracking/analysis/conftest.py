"""The published raw results under EBMTRACK_TEST_DATA as sequences and sources."""

from pathlib import Path

import pytest

from ltr.dataset.annotations import read_boxes, read_flags
from pytracking.analysis.sources import FolderSource
from pytracking.evaluation.data import Sequence, plain_name
from pytracking.evaluation.places import official_table
from pytracking.evaluation.results import ResultFolder
from tests.pytracking.analysis.image_free import without_images


@pytest.fixture(scope="session")
def otb100(test_data: Path) -> list[Sequence]:
    """OTB-100 by our own table: file names differ in case and separators, Tiger1 starts at its sixth row."""
    files = {plain_name(path.stem): path for path in (test_data / "eval/otb100/anno").glob("*.txt")}
    rows = official_table("otb")
    return [
        without_images(name, "otb", read_boxes(files[plain_name(name)])[row["omit"] :])
        for name, row in rows.items()
    ]


@pytest.fixture(scope="session")
def lasot280(test_data: Path) -> list[Sequence]:
    """The LaSOT test set with its absent flags."""
    root = test_data / "eval/lasot"
    return [
        without_images(
            name,
            "lasot",
            read_boxes(root / "groundtruth" / f"{name}.txt"),
            ~read_flags(root / "absent" / f"{name}.txt"),
        )
        for name in official_table("lasot")
    ]


@pytest.fixture(scope="session")
def otb_results(test_data: Path) -> list[FolderSource]:
    """ATOM, SiamFC and SiamRPN on OTB-100."""
    root = test_data / "eval/otb100/results"
    return [FolderSource(name, ResultFolder(root / name)) for name in ("ATOM", "SiamFC", "SiamRPN")]


@pytest.fixture(scope="session")
def lasot_results(test_data: Path) -> list[FolderSource]:
    """ATOM and SiamBAN on LaSOT."""
    root = test_data / "eval/lasot/results"
    return [FolderSource(name, ResultFolder(root / name)) for name in ("ATOM", "SiamBAN")]


@pytest.fixture(scope="session")
def uav123_10fps(test_data: Path) -> list[Sequence]:
    """UAV123 at 10 frames per second: every third row of the annotation; NaN where the target is absent."""
    root = test_data / "eval/uav123_10fps"
    names = [path.stem.removesuffix("_KCF") for path in sorted((root / "results/KCF").glob("*.txt"))]
    return [
        without_images(name, "uav", read_boxes(root / f"anno_UAV123_30fps/{name}.txt")[::3]) for name in names
    ]


@pytest.fixture(scope="session")
def uav_results(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[FolderSource]:
    """AutoTrack and KCF, under the sequences' names."""
    sources = []
    for tracker in ("AutoTrack", "KCF"):
        folder = tmp_path_factory.mktemp(tracker)
        for file in (test_data / "eval/uav123_10fps/results" / tracker).glob("*.txt"):
            (folder / f"{file.stem.removesuffix(f'_{tracker}')}.txt").symlink_to(file)
        sources.append(FolderSource(tracker, ResultFolder(folder)))
    return sources
