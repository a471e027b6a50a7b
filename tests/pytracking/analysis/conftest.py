"""The published raw results under EBMTRACK_TEST_DATA, opened as a user opens them: annotations alone."""

from pathlib import Path

import pytest

from pytracking.analysis.sources import FolderSource, find_sources
from pytracking.evaluation.data import Sequence
from pytracking.evaluation.datasets import open_dataset


def results_in(folder: Path) -> list[FolderSource]:
    """The trackers of a folder."""
    found = find_sources(str(folder), Path("none"))
    return [source for source in found if isinstance(source, FolderSource)]


@pytest.fixture(scope="session")
def otb100(test_data: Path) -> list[Sequence]:
    """OTB-100: file names differ in case and separators, Tiger1 starts at its sixth row."""
    return open_dataset("otb", test_data / "eval/otb100", images=False)


@pytest.fixture(scope="session")
def lasot280(test_data: Path) -> list[Sequence]:
    """The LaSOT test set with its absent flags."""
    return open_dataset("lasot", test_data / "eval/lasot", images=False)


@pytest.fixture(scope="session")
def uav123_10fps(test_data: Path) -> list[Sequence]:
    """UAV123 at 10 frames per second: every third row of the annotation; NaN where the target is absent."""
    return open_dataset("uav123_10fps", test_data / "eval/uav123_10fps", images=False)


@pytest.fixture(scope="session")
def otb_results(test_data: Path) -> list[FolderSource]:
    """ATOM, SiamFC and SiamRPN on OTB-100."""
    return results_in(test_data / "eval/otb100/results")


@pytest.fixture(scope="session")
def lasot_results(test_data: Path) -> list[FolderSource]:
    """ATOM and SiamBAN on LaSOT."""
    return results_in(test_data / "eval/lasot/results")


@pytest.fixture(scope="session")
def uav_results(test_data: Path) -> list[FolderSource]:
    """AutoTrack and KCF, whose files are called ``bike1_KCF.txt``."""
    return results_in(test_data / "eval/uav123_10fps/results")
