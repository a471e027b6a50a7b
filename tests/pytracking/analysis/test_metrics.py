"""Measures that can be checked by hand, and the conformance vectors of the pytracking rule."""

import math

import numpy as np
import pytest

from ebm.exceptions import DomainError, InputError, ShapeError
from pytracking.analysis.metrics import (
    CENTRE_THRESHOLDS,
    NORMALISED_THRESHOLDS,
    OVERLAP_THRESHOLDS,
    centre_error,
    grid_places,
    iou,
    normalised_error,
    overlap_thresholds,
)
from pytracking.analysis.protocols import PROTOCOLS, Protocol, protocol_for
from pytracking.analysis.scoring import sequence_curves, sequence_errors
from pytracking.analysis.truths import has_ground_truth

INF = math.inf
TRUTH = np.array(
    [(10, 10, 20, 20), (12, 10, 20, 20), (0, 10, 20, 20), (14, 10, 20, 20), (0, 0, 0, 0)], dtype=float
)
TRACK = np.array(
    [(0, 0, 5, 5), (12, 12, 20, 20), (0, 10, 20, 20), (14, 10, 0, 20), (3, 3, 4, 4)], dtype=float
)
VISIBLE = np.array([True, True, True, False, True])
ALL_PROTOCOLS = [protocol for variants in PROTOCOLS.values() for protocol in variants.values()]


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((0, 0, 10, 10), 1.0),
        ((0, 0, 5, 5), 0.25),
        ((5, 0, 10, 10), 1 / 3),
        ((10, 0, 10, 10), 0.0),
        ((0, 0, 0, 0), 0.0),
    ],
)
def test_iou_of_boxes_one_can_draw(box: tuple[float, ...], expected: float) -> None:
    assert iou(np.array([box], dtype=float), np.array([(0.0, 0, 10, 10)]))[0] == pytest.approx(expected)


def test_iou_of_two_empty_boxes_is_zero() -> None:
    assert iou(np.zeros((1, 4)), np.zeros((1, 4)))[0] == 0


def test_iou_of_equal_boxes_never_exceeds_one() -> None:
    boxes = np.random.default_rng(0).uniform(0.1, 300, (5000, 4))
    assert iou(boxes, boxes.copy()).max() == 1.0


def test_distances_of_a_three_four_five_triangle() -> None:
    truth, shifted = np.array([(0.0, 0, 10, 20)]), np.array([(3.0, 4, 10, 20)])
    assert centre_error(shifted, truth)[0] == pytest.approx(5.0)
    assert normalised_error(shifted, truth)[0] == pytest.approx(math.hypot(0.3, 0.2))


@pytest.mark.parametrize(
    ("tag", "visible", "overlap", "centre", "normalised"),
    [
        ("otb", None, (1, 0.81818, -1, 0.17647, -1), (0, 2, INF, 14, INF), (0, 0.1, -1, 0.7, -1)),
        ("uav", None, (1, 0.81818, -1, 0.17647, -1), (0, 2, -1, 14, -1), (0, 0.1, -1, 0.7, -1)),
        ("lasot", VISIBLE, (1, 0.81818, -1, -1, -1), (0, 2, INF, INF, INF), (0, 0.1, -1, INF, -1)),
        (
            "lasot_extension_subset",
            VISIBLE,
            (1, 0.81818, -1, -1, -1),
            (0, 2, INF, INF, INF),
            (0, 0.1, -1, -1, -1),
        ),
    ],
)
def test_the_pytracking_rule(
    tag: str, visible: np.ndarray | None, overlap: tuple, centre: tuple, normalised: tuple
) -> None:
    errors = sequence_errors(TRACK, TRUTH, protocol_for("pytracking", tag), visible)
    np.testing.assert_allclose(errors.overlap, overlap, atol=1e-4)
    np.testing.assert_allclose(errors.centre, centre, atol=1e-4)
    np.testing.assert_allclose(errors.normalised, normalised, atol=1e-4)
    assert errors.denominator == 5


def test_the_otb_rule_scores_border_boxes_and_the_first_box_as_saved() -> None:
    errors = sequence_errors(TRACK, TRUTH, protocol_for("otb", "otb"))
    np.testing.assert_allclose(errors.overlap, (0, 0.81818, 1, 0, -1), atol=1e-4)
    assert errors.valid.tolist() == [True, True, True, True, False]


@pytest.mark.parametrize("protocol", ALL_PROTOCOLS, ids=lambda p: p.name)
def test_the_truth_as_tracker_fails_at_the_last_threshold_only(protocol: Protocol) -> None:
    truth = np.array([(5.0, 6, 30, 40), (7, 8, 31, 39), (9, 9, 32, 38)])
    curves = sequence_curves(sequence_errors(truth.copy(), truth, protocol))
    assert curves.success.tolist() == [1.0] * (protocol.success_thresholds - 1) + [0.0]
    assert curves.precision.tolist() == [1.0] * 51
    assert curves.mean_overlap == 1.0


@pytest.mark.parametrize("protocol", ALL_PROTOCOLS, ids=lambda p: p.name)
def test_curves_are_monotone_rates(protocol: Protocol) -> None:
    random = np.random.default_rng(0)
    truth = random.uniform(1, 50, (40, 4)) + (0, 0, 5, 5)
    track = truth + random.uniform(-3, 3, (40, 4))
    curves = sequence_curves(sequence_errors(track, truth, protocol))
    assert (np.diff(curves.success) <= 0).all()
    assert (np.diff(curves.precision) >= 0).all()
    assert (np.diff(curves.normalised) >= 0).all()
    assert 0 < curves.success.mean() < 1


def test_an_overlap_equal_to_the_threshold_is_no_success() -> None:
    truth = np.array([(1.0, 1, 10, 10), (1, 1, 10, 10)])
    half = np.array([(1.0, 1, 10, 10), (1, 1, 5, 10)])
    success = sequence_curves(sequence_errors(half, truth, protocol_for("pytracking", "otb"))).success
    at_half = int(np.flatnonzero(OVERLAP_THRESHOLDS == 0.5)[0])
    assert success[at_half - 1] == 1.0
    assert success[at_half] == 0.5


def test_a_box_without_area_repeats_the_repaired_one_before() -> None:
    truth = np.tile((5.0, 5, 10, 10), (4, 1))
    track = np.array([(5.0, 5, 10, 10), (5, 5, 10, 5), (9, 9, 0, 3), (0, 0, 0, 0)])
    errors = sequence_errors(track, truth, protocol_for("pytracking", "otb"))
    assert errors.overlap.tolist() == [1.0, 0.5, 0.5, 0.5]


def test_a_short_result_is_padded_or_refused_by_tag() -> None:
    errors = sequence_errors(TRACK[:2], TRUTH[:2].repeat(2, axis=0), protocol_for("pytracking", "otb"))
    assert errors.overlap[2:].tolist() == [0.0, 0.0]
    with pytest.raises(InputError, match=r"atom\.txt: 2 rows for 4 frames"):
        sequence_errors(
            TRACK[:2],
            TRUTH[:2].repeat(2, axis=0),
            protocol_for("pytracking", "lasot"),
            source="atom.txt",
        )


def test_a_long_result_is_cut() -> None:
    assert len(sequence_errors(TRACK, TRUTH[:2], protocol_for("pytracking", "lasot")).overlap) == 2


@pytest.mark.parametrize("bad", [(1, 2, math.nan, 3), (1, 2, -3, 4), (1, 2, math.inf, 3)])
def test_a_prediction_that_is_no_box_is_refused_with_its_row(bad: tuple[float, ...]) -> None:
    track = TRACK.copy()
    track[3] = bad
    with pytest.raises(DomainError, match="row 4"):
        sequence_errors(track, TRUTH, protocol_for("pytracking", "otb"))


def test_a_nan_truth_is_invalid_for_uav_and_an_error_elsewhere() -> None:
    truth = TRUTH.copy()
    truth[1] = math.nan
    errors = sequence_errors(TRACK, truth, protocol_for("pytracking", "uav"))
    assert errors.overlap[1] == errors.centre[1] == -1
    with pytest.raises(DomainError, match="row 2 is not finite"):
        sequence_errors(TRACK, truth, protocol_for("pytracking", "otb"))


def test_shapes_are_checked() -> None:
    with pytest.raises(ShapeError, match="expected rows"):
        sequence_errors(TRACK[:, :3], TRUTH, protocol_for("pytracking", "otb"))
    with pytest.raises(ShapeError, match="visibility"):
        sequence_errors(TRACK, TRUTH, protocol_for("pytracking", "otb"), VISIBLE[:2])


def test_a_sequence_without_a_valid_frame_fails_everywhere_but_has_no_mean_overlap() -> None:
    truth = np.zeros((3, 4))
    curves = sequence_curves(sequence_errors(TRACK[:3], truth, protocol_for("pytracking", "otb")))
    assert curves.success.sum() == 0
    assert math.isnan(curves.mean_overlap)


def test_annotation_of_the_first_frame_alone_is_noticed() -> None:
    truth = np.full((3, 4), math.nan)
    truth[0] = 5
    assert not has_ground_truth(truth)
    assert has_ground_truth(TRUTH)


def test_boxes_beyond_all_pictures_miss_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    track = np.tile((10.0, 10, 20, 20), (4, 1))
    truth = track.copy()
    track[2] = 1e300
    track[3] = (1e308, 1e308, 1e308, 1e308)
    errors = sequence_errors(track, truth, protocol_for("pytracking", "otb"))
    assert errors.overlap.tolist() == pytest.approx([1, 1, 0, 0], abs=1e-6)
    assert (errors.centre[2:] > 1e8).all()
    assert not recwarn.list


@pytest.mark.parametrize(
    "thresholds",
    [OVERLAP_THRESHOLDS, overlap_thresholds(101), CENTRE_THRESHOLDS, NORMALISED_THRESHOLDS],
    ids=["overlap", "overlap of GOT-10k", "centre", "normalised"],
)
def test_places_on_a_grid_are_those_of_a_search(thresholds: np.ndarray) -> None:
    random = np.random.default_rng(0).uniform(-0.1, 1.3, 20_000) * thresholds[-1]
    beside = [np.nextafter(thresholds, -1), thresholds, np.nextafter(thresholds, 1e9)]
    odd = np.array([-1.0, 0.0, -0.0, 1e300, math.inf])
    values = np.concatenate([random, *beside, odd])
    np.testing.assert_array_equal(grid_places(values, thresholds), np.searchsorted(thresholds, values))
    assert grid_places(np.array([math.nan]), thresholds)[0] == len(thresholds)
