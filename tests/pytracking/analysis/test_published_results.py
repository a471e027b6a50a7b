"""Published raw results give the published figures."""

import pytest

from pytracking.analysis.extract import evaluate
from pytracking.analysis.sources import FirstBoxSource, FolderSource
from pytracking.evaluation.data import Sequence


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        # The figures of the papers and of the OTB toolkit.
        ("otb", {"ATOM": 66.70, "SiamFC": 58.68, "SiamRPN": 62.92}),
        # The pytracking rule drops boxes that touch the border, and replaces the first box: there SiamRPN's
        # files hold corners instead of a size.
        ("pytracking", {"ATOM": 66.68, "SiamFC": 58.65, "SiamRPN": 63.17}),
    ],
)
def test_otb100_auc(
    otb100: list[Sequence], otb_results: list[FolderSource], rule: str, expected: dict[str, float]
) -> None:
    evaluation = evaluate(otb100, otb_results, rule=rule)
    got = {tracker.label: round(tracker.score("auc").mean, 2) for tracker in evaluation.trackers}
    assert got == expected
    assert len(evaluation.sequences) == 100
    assert not evaluation.left_out


@pytest.mark.parametrize("rule", ["pytracking", "lasot", "pysot"])
def test_lasot_by_the_rules_that_let_absent_frames_fail(
    lasot280: list[Sequence], lasot_results: list[FolderSource], rule: str
) -> None:
    evaluation = evaluate(lasot280, lasot_results, rule=rule)
    got = {
        tracker.label: [round(tracker.score(s).mean, 2) for s in ("auc", "precision", "norm_precision")]
        for tracker in evaluation.trackers
    }
    assert got == {"ATOM": [51.43, 50.54, 57.68], "SiamBAN": [51.43, 52.07, 59.84]}


@pytest.mark.parametrize("rule", ["default", "got10k", "trackingnet"])
def test_lasot_by_the_rules_that_leave_absent_frames_out(
    lasot280: list[Sequence], lasot_results: list[FolderSource], rule: str
) -> None:
    evaluation = evaluate(lasot280, lasot_results, rule=rule)
    assert round(evaluation.trackers[0].score("auc").mean, 2) == 52.60
    assert 18346 <= evaluation.unscored <= 18349  # got10k scores three boxes without area


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("otb", {"AutoTrack": [47.72, 67.14], "KCF": [26.45, 40.62]}),  # NaN frames fail, and are hits
        ("default", {"AutoTrack": [48.20, 65.40], "KCF": [26.71, 38.56]}),  # NaN frames left out
    ],
)
def test_uav123_at_10_fps(
    uav123_10fps: list[Sequence], uav_results: list[FolderSource], rule: str, expected: dict[str, list]
) -> None:
    evaluation = evaluate(uav123_10fps, uav_results, rule=rule)
    got = {
        tracker.label: [round(tracker.score(name).mean, 2) for name in ("auc", "precision")]
        for tracker in evaluation.trackers
    }
    assert got == expected
    assert len(evaluation.sequences) == 123
    assert evaluation.unscored == 853


def test_every_published_tracker_beats_the_first_box(
    otb100: list[Sequence], otb_results: list[FolderSource]
) -> None:
    evaluation = evaluate(otb100, [*otb_results, FirstBoxSource()])
    assert evaluation.ranked()[-1].label == "first_box"
    assert evaluation.ranked()[-1].score("auc").mean < 30
