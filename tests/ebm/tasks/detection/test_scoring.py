"""COCO's scores: by hand, and against a loop that has nothing from the library in it."""

import math

import numpy as np
import pytest

from ebm.exceptions import InputError
from ebm.tasks.detection.data.records import DetectionSet
from ebm.tasks.detection.results_file import Detections
from ebm.tasks.detection.score_tables import score_table
from ebm.tasks.detection.scoring import COLUMNS, Scores, score_detections
from tests.ebm.tasks.detection.sets import drawn, found_of, image_of, set_of

pytest.importorskip("faster_coco_eval")


def overlap(a: np.ndarray, b: np.ndarray, crowd: bool) -> float:
    """Intersection over union; over the detection `a` where `b` is a crowd."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    inside = float(np.prod(np.maximum(sides, 0)))
    own, other = float(np.prod(a[2:] - a[:2])), float(np.prod(b[2:] - b[:2]))
    return inside / (own if crowd else own + other - inside)


def average_precision(
    found: dict[int, Detections], truth: DetectionSet, label: int, least: float, areas: tuple[float, float]
) -> float:
    """COCO's average precision of one category at one overlap, as its description says, in plain loops."""
    rows: list[tuple[float, bool]] = []
    objects = 0
    for image in truth.images:
        of_label = np.flatnonzero(image.labels == label)
        ignored = {
            int(k): bool(image.crowd[k]) or not areas[0] <= image.areas[k] <= areas[1] for k in of_label
        }
        objects += sum(not ignored[int(k)] for k in of_label)
        own = found.get(image.image_id, found_of())
        ranked = [k for k in np.argsort(-own.scores, kind="stable") if own.labels[k] == label][:100]
        taken: set[int] = set()
        for detection in ranked:
            box, best, match = own.boxes[detection].astype(float), least, -1
            for k in sorted(ignored, key=lambda k: ignored[k]):
                if (k in taken and not image.crowd[k]) or (match >= 0 and not ignored[match] and ignored[k]):
                    continue
                value = overlap(box, image.boxes[k].astype(float), bool(image.crowd[k]))
                if value >= best:
                    best, match = value, k
            if match >= 0:
                taken.add(match)
            area = np.prod(box[2:] - box[:2])
            if match < 0 and not areas[0] <= area <= areas[1]:
                continue
            if match < 0 or not ignored[match]:
                rows.append((float(own.scores[detection]), match >= 0))
    if not objects:
        return math.nan
    right = np.cumsum([hit for _, hit in sorted(rows, key=lambda row: -row[0])])
    recall, precision = right / objects, right / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
    return float(np.mean([envelope[place] if place < len(envelope) else 0.0 for place in places]))


@pytest.mark.parametrize("seed", [0, 1])
def test_scores_are_those_of_a_loop(seed: int) -> None:
    truth, found = drawn(seed)
    scores = score_detections(found, truth)
    overlaps = {
        "AP": np.linspace(0.5, 0.95, 10),
        "AP50": [0.5],
        "AP75": [0.75],
        "AP90": [0.9],
        "APs": np.linspace(0.5, 0.95, 10),
        "APm": np.linspace(0.5, 0.95, 10),
        "APl": np.linspace(0.5, 0.95, 10),
    }
    areas = {"APs": (0.0, 32.0**2), "APm": (32.0**2, 96.0**2), "APl": (96.0**2, 1e10)}
    for column, least in overlaps.items():
        bounds = areas.get(column, (0.0, 1e10))
        each = [
            float(np.mean([average_precision(found, truth, label, t, bounds) for t in least]))
            for label in range(4)
        ]
        assert scores[column] == pytest.approx(np.nanmean(each), abs=1e-6), column
        for label in range(3):
            assert scores.categories[label].values[column] == pytest.approx(
                each[label], abs=1e-6, nan_ok=True
            )
    assert math.isnan(scores.categories[3].values["AP"])
    assert (scores.images, scores.categories[3].objects) == (12, 0)
    assert scores.objects == sum(int((~image.crowd).sum()) for image in truth.images)


def test_one_of_two_objects_found_by_hand() -> None:
    """Recall one half with precision one: 51 of 101 recalls; the overlap is 0.8, enough for seven of ten."""
    truth = set_of(image_of(1, [[0, 0, 100, 100], [200, 200, 300, 300]], [0, 0]))
    scores = score_detections({1: found_of(([0, 0, 100, 80], 0.9, 0))}, truth)
    assert scores["AP50"] == scores["AP75"] == pytest.approx(51 / 101)
    assert scores["AP"] == pytest.approx(0.7 * 51 / 101)
    assert scores["AP90"] == 0
    assert scores["APl"] == scores["AP"]
    assert math.isnan(scores["APs"])
    assert scores.categories[0].values["AP50"] == pytest.approx(51 / 101)
    assert (scores.objects, scores.detections) == (2, 1)


def test_a_false_one_first_halves_the_precision_and_a_crowd_forgives() -> None:
    rows = (([400, 400, 500, 470], 0.9, 0), ([0, 0, 100, 100], 0.5, 0))
    plain = image_of(1, [[0, 0, 100, 100]], [0])
    assert score_detections({1: found_of(*rows)}, set_of(plain))["AP50"] == pytest.approx(0.5)
    crowd = image_of(1, [[0, 0, 100, 100], [390, 390, 600, 480]], [0, 0], crowd=[False, True])
    assert score_detections({1: found_of(*rows)}, set_of(crowd))["AP50"] == 1


def test_pictures_without_detections_count_and_foreign_ones_are_refused() -> None:
    truth = set_of(image_of("x", [[0, 0, 9, 9]], [1]), image_of(2, [[0, 0, 9, 9]], [1]))
    assert score_detections({}, truth)["AP"] == 0
    one = {"x": found_of(([0, 0, 9, 9], 0.5, 1))}
    assert score_detections(one, truth)["AP"] == pytest.approx(51 / 101)
    with pytest.raises(InputError, match="1 pictures with detections are not in the set, first 3"):
        score_detections({3: found_of()}, truth)
    with pytest.raises(InputError, match="has no object"):
        score_detections({}, set_of(image_of(1, [], [])))


def test_what_differs_by_rounding_alone_has_gained_nothing() -> None:
    first, second = (Scores(dict.fromkeys(COLUMNS, value), (), 1, 1, 1) for value in (0.3, 0.1 + 0.2))
    for named in ({"a": first, "b": second}, {"a": second, "b": first}):
        assert set(score_table(named).rows[2][1:]) == {"+0.00", "+0"}
    less = Scores(dict.fromkeys(COLUMNS, 0.29999), (), 1, 1, 1)
    assert score_table({"a": first, "b": less}).rows[2][1] == "-0.00"  # less, if only by little
