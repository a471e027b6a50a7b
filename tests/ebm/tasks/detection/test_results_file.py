"""Results files of any detector: rows that cannot be used are named, all others are used."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ebm.exceptions import DomainError, InputError, ShapeError
from ebm.tasks.detection.results_file import Detections, read_detections, write_detections
from tests.ebm.tasks.detection.sets import image_of, set_of

SET = set_of(image_of(7, [[1, 1, 9, 9]], [0]), image_of("a", [[1, 1, 9, 9]], [1], size=(30, 20)))
GOOD: dict[str, Any] = {"image_id": 7, "category_id": 20, "bbox": [1, 2, 3, 4], "score": 0.5}


def write(tmp_path: Path, *rows: Any) -> Path:
    file = tmp_path / "results.json"
    file.write_text(json.dumps(rows))
    return file


def test_rows_are_grouped_by_picture_in_their_order(tmp_path: Path) -> None:
    rows = [
        GOOD,
        {**GOOD, "image_id": "a", "category_id": 10},
        {**GOOD, "bbox": [-5, 0, 50.5, 9], "score": -3},
    ]
    found, problems = read_detections(write(tmp_path, *rows), SET)
    assert len(problems) == 0
    assert list(found) == [7, "a"]
    assert found[7].boxes.tolist() == [[1, 2, 4, 6], [-5, 0, 45.5, 9]]
    assert found[7].scores.tolist() == [0.5, -3]
    assert found[7].labels.tolist() == [1, 1]
    assert found["a"].labels.tolist() == [0]
    assert [array.dtype for array in vars(found[7]).values()] == [np.float32, np.float32, np.int64]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"bbox": [float("nan"), 2, 3, 4]}, "detections with numbers that are not finite"),
        ({"bbox": [1, 2, 10**400, 4]}, "detections with numbers that are not finite"),
        ({"score": float("inf")}, "detections with numbers that are not finite"),
        ({"bbox": [1, 2, -3, 4]}, "boxes without area or with negative sides"),
        ({"bbox": [1, 2, 3, 0]}, "boxes without area or with negative sides"),
        ({"bbox": [640, 2, 3, 4]}, "boxes outside their picture"),
        ({"bbox": [-3, 2, 3, 4]}, "boxes outside their picture"),
        ({"category_id": 11}, "detections of unknown categories"),
        ({"image_id": 8}, "detections of unknown images"),
        ({"image_id": [7]}, "rows without image_id"),
        ({"bbox": [1, 2, 3]}, "rows without image_id"),
        ({"bbox": None}, "rows without image_id"),
        ({"score": "high"}, "rows without image_id"),
    ],
)
def test_bad_rows_are_counted_and_the_first_is_named(
    tmp_path: Path, change: dict[str, Any], kind: str
) -> None:
    bad = {**GOOD, **change}
    found, problems = read_detections(write(tmp_path, GOOD, bad, bad, GOOD), SET)
    (problem,) = problems
    assert problem.kind.startswith(kind)
    assert problem.count == 2
    assert problem.first.startswith("row 2")
    assert len(found[7]) == 2
    assert len(found["a"]) == 0


@pytest.mark.parametrize(
    ("bbox", "kind"),
    [
        ([1, 2, 3, 0], "boxes without area"),
        ([9, 9, -3, -4], "boxes without area, or with both sides negative, which count as wrong"),
        ([640, 2, 3, 4], "boxes outside their picture, which count as wrong"),
        ([-3, 2, 3, 4], "boxes outside their picture, which count as wrong"),
        ([1, 2, -3, 4], "boxes of a negative area or over 1e10 px^2, which count as neither"),
        ([0, 0, 1e20, 1e9], "boxes of a negative area or over 1e10 px^2, which count as neither"),
    ],
)
def test_what_can_be_scored_is_kept_and_named(tmp_path: Path, bbox: list[float], kind: str) -> None:
    bad = {**GOOD, "bbox": bbox}
    found, problems = read_detections(write(tmp_path, GOOD, bad, bad), SET, to_score=True)
    (problem,) = problems
    assert problem.kind.startswith(kind)
    assert (problem.count, problem.used, len(problems)) == (2, True, 0)
    assert problem.first.startswith("row 2 of image 7")
    assert len(found[7]) == 3
    nothing = {**GOOD, "bbox": [1e31, 0, 1, 1]}
    found, problems = read_detections(write(tmp_path, GOOD, nothing), SET, to_score=True)
    assert (len(found[7]), len(problems)) == (1, 1)


@pytest.mark.parametrize("row", [5, "text", None, [1, 2], {}])
def test_rows_that_are_no_objects_are_named(tmp_path: Path, row: Any) -> None:
    found, problems = read_detections(write(tmp_path, row, GOOD), SET)
    assert "row 1" in str(problems)
    assert len(found[7]) == 1


def test_results_of_another_set_are_refused(tmp_path: Path) -> None:
    rows = [{**GOOD, "image_id": k} for k in range(100, 103)]
    with pytest.raises(
        InputError,
        match="all of its 3 rows are detections of unknown images, which the annotations do not have",
    ):
        read_detections(write(tmp_path, *rows), SET)
    with pytest.raises(InputError, match="all of its 2 rows are detections of unknown categories"):
        read_detections(write(tmp_path, *2 * [{**GOOD, "category_id": 99}]), SET)
    found, problems = read_detections(write(tmp_path), SET)
    assert (len(problems), sum(map(len, found.values()))) == (0, 0)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 10, (50, 4)).astype(np.float32) + np.array([0, 0, 15, 10], dtype=np.float32)
    made = Detections(corners, rng.normal(size=50).astype(np.float32), rng.integers(0, 2, 50))
    write_detections(tmp_path / "a.json", {"a": made}, SET, {"a": [{"density": k} for k in range(50)]})
    found, problems = read_detections(tmp_path / "a.json", SET)
    assert len(problems) == 0
    np.testing.assert_allclose(found["a"].boxes, made.boxes, atol=2e-4)
    np.testing.assert_array_equal(found["a"].scores, made.scores)
    np.testing.assert_array_equal(found["a"].labels, made.labels)
    assert json.loads((tmp_path / "a.json").read_text())[3]["density"] == 3


def test_numbers_that_a_file_cannot_hold_are_refused(tmp_path: Path) -> None:
    bad = Detections(
        np.array([[0, 0, 1, 1], [0, 0, np.nan, 1]], dtype=np.float32),
        np.ones(2, dtype=np.float32),
        np.zeros(2, dtype=np.int64),
    )
    with pytest.raises(DomainError, match="detection 1 of image 7 is not finite"):
        write_detections(tmp_path / "a.json", {7: bad}, SET)
    assert not (tmp_path / "a.json").exists()
    with pytest.raises(ShapeError, match=r"expected boxes \[N, 4\]"):
        Detections(bad.boxes, bad.scores[:1], bad.labels)


def test_a_large_file_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    """What a row costs is measured: the rows of Python that ``json.load`` makes take over 500 bytes each."""
    import tracemalloc

    text = json.dumps(GOOD)
    count = 20_000
    (tmp_path / "a.json").write_text("[" + ",".join([text] * count) + "]")
    tracemalloc.start()
    found, problems = read_detections(tmp_path / "a.json", SET)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found[7]) == count
    assert len(problems) == 0
    assert peak < 400 * count
