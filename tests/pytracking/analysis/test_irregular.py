"""What is odd about result files is named, on the published files where they are at hand."""

from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import InputError
from ltr.dataset.annotations import read_boxes
from pytracking.analysis.extract import Evaluation, evaluate
from pytracking.analysis.irregular import far_from, irregularities, summary_of
from pytracking.analysis.protocols import protocol_for
from pytracking.analysis.sources import FolderSource
from pytracking.analysis.tables import format_table, score_table
from pytracking.evaluation.data import Sequence
from pytracking.evaluation.results import ResultFolder
from tests.pytracking.analysis.image_free import without_images
from tests.pytracking.evaluation.tiny import boxes_of

RULE = protocol_for("pytracking", "otb")


def kinds(boxes: np.ndarray, frames: int = 10) -> dict[str, str]:
    found = irregularities(boxes, without_images("a", "otb", boxes_of(frames)), RULE)
    return {item.kind: item.detail for item in found}


def test_a_regular_result_has_nothing_odd() -> None:
    assert kinds(boxes_of(10) + (1.0, -1.0, 0.4, 0)) == {}


def test_every_kind_is_told_with_its_numbers() -> None:
    assert kinds(boxes_of(4)) == {"short": "4 rows for 10 frames"}
    assert kinds(boxes_of(12)) == {"long": "12 rows for 10 frames"}
    assert kinds(boxes_of(10) + (400, 0, 0, 0)) == {"far": "(404, 8, 12, 10) for (4, 8, 12, 10)"}
    gaps = boxes_of(10)
    gaps[[3, 4, 9], 2] = 0
    assert kinds(gaps) == {"empty": "3 repeat the box before"}
    broken = boxes_of(10)
    broken[4], broken[5, 2] = np.nan, -1
    assert kinds(broken) == {"broken": "2 are refused"}


def test_corners_and_uncut_rows_are_recognised() -> None:
    corners = boxes_of(10, start=100.0)
    corners[:, 2:] += corners[:, :2]
    sequence = without_images("a", "otb", boxes_of(10, start=100.0))
    [far] = irregularities(corners, sequence, RULE)
    assert far.detail.endswith("reads like corners x1,y1,x2,y2")
    for order, words in (([1, 0, 3, 2], "y,x,h,w"), ([2, 3, 0, 1], "w,h,x,y")):
        [far] = irregularities(boxes_of(10, start=100.0)[:, order], sequence, RULE)
        assert far.detail.endswith(f"reads like {words}: columns are swapped")
    uncut = np.concatenate([boxes_of(5) + (300, 0, 0, 0), boxes_of(10)])
    assert kinds(uncut)["far"].endswith(
        "row 6 fits: the first 5 rows are of frames that the benchmark leaves out"
    )


@pytest.mark.parametrize(
    ("box", "far"),
    [
        ((11, 9, 5, 5), False),  # counted from 1 instead of 0, a small target
        ((14, 12, 40, 40), False),  # IoU above a half
        ((10, 10, 5, 11), True),
        ((0, 0, 0, 0), True),
        ((np.nan,) * 4, True),
    ],
)
def test_what_is_far(box: tuple[float, ...], far: bool) -> None:
    truth = (10, 10, 5, 5) if box[2] < 40 else (10, 10, 44, 44)
    assert far_from(np.array(box, dtype=float), np.array(truth, dtype=float)) is far


def test_the_summary_counts_and_names_a_few() -> None:
    found = [
        item
        for name in "abcdefg"
        for item in irregularities(boxes_of(4), without_images(name, "otb", boxes_of(5)), RULE)
    ]
    [line] = summary_of("x", found, 9)
    assert line.startswith("x: results of 7 of 9 sequences have fewer rows than frames")
    assert line.endswith("e (4 rows for 5 frames) and 2 more.")


def scored(
    sequences: list[Sequence], published: FolderSource, folder: Path, name: str, rows: list[str]
) -> Evaluation:
    """The evaluation of one sequence whose published result was replaced by other rows."""
    (folder / f"{name}.txt").write_text("\n".join(rows))
    chosen = [sequence for sequence in sequences if sequence.name == name]
    return evaluate(chosen, [FolderSource(published.label, ResultFolder(folder))])


def rows_of(source: FolderSource, name: str) -> list[str]:
    return source.folder.file(name).read_text().splitlines()


def test_the_first_twenty_rows_of_bolt(
    otb100: list[Sequence], otb_results: list[FolderSource], tmp_path: Path
) -> None:
    atom = otb_results[0]
    evaluation = scored(otb100, atom, tmp_path, "Bolt", rows_of(atom, "Bolt")[:20])
    assert "Bolt (20 rows for 350 frames)" in format_table(score_table(evaluation))
    [item] = evaluation.to_json()["trackers"][0]["irregular_results"]
    assert item == {"kind": "short", "sequence": "Bolt", "detail": "20 rows for 350 frames"}
    bolt = [sequence for sequence in otb100 if sequence.name == "Bolt"]
    source = FolderSource("ATOM", ResultFolder(tmp_path))
    with pytest.raises(InputError, match=r"Bolt\.txt: 20 rows for 350 frames, which rule 'otb'"):
        evaluate(bolt, [source], rule="otb")


def test_tiger1_with_its_five_uncut_rows(
    otb100: list[Sequence], otb_results: list[FolderSource], test_data: Path, tmp_path: Path
) -> None:
    uncut = read_boxes(test_data / "eval/otb100/anno/tiger1.txt")
    rows = [",".join(map(str, box)) for box in uncut]
    evaluation = scored(otb100, otb_results[0], tmp_path, "Tiger1", rows)
    assert [(i.kind, i.detail) for i in evaluation.trackers[0].irregular][:1] == [
        ("long", "354 rows for 349 frames")
    ]


def test_the_result_of_another_video_under_this_name(
    otb100: list[Sequence], otb_results: list[FolderSource], tmp_path: Path
) -> None:
    atom = otb_results[0]
    evaluation = scored(otb100, atom, tmp_path, "Deer", rows_of(atom, "Bolt")[:71])
    assert [item.kind for item in evaluation.trackers[0].irregular] == ["far"]
    assert "another video's result" in evaluation.remarks[0]


def test_lasot_with_rows_too_many(
    lasot280: list[Sequence], lasot_results: list[FolderSource], tmp_path: Path
) -> None:
    atom, name = lasot_results[0], lasot280[0].name
    rows = rows_of(atom, name)
    evaluation = scored(lasot280, atom, tmp_path, name, [*rows, *rows[-3:]])
    assert [item.kind for item in evaluation.trackers[0].irregular] == ["long"]
    with pytest.raises(InputError, match="rows for"):
        scored(lasot280, atom, tmp_path, name, rows[:-1])


def test_the_published_results_are_regular_but_for_siamrpns_corners(
    otb100: list[Sequence], otb_results: list[FolderSource]
) -> None:
    atom, siamfc, siamrpn = evaluate(otb100, otb_results, rule="otb").trackers
    assert atom.irregular == siamfc.irregular == ()
    assert len(siamrpn.irregular) == 99  # one target so near the corner that both readings overlap
    assert all("corners" in item.detail for item in siamrpn.irregular)
