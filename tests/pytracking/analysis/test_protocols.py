"""Each rule of each protocol on five frames, with figures that can be worked out by hand.

The target stands still at (10, 10, 20, 20) and is tracked perfectly; each test changes one thing. A rate is
given as a fraction of frames: success at IoU > 0.5, precision at 20 px and normalised precision at 0.2.
"""

from fractions import Fraction as F
from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import DomainError, EBMError, InputError
from pytracking.analysis.extract import evaluate
from pytracking.analysis.metrics import overlap_thresholds
from pytracking.analysis.protocols import PROTOCOLS, protocol_for, rules
from pytracking.analysis.scoring import sequence_curves, sequence_errors
from pytracking.evaluation.data import Sequence
from tests.pytracking.analysis.image_free import Unfiled

NAN = float("nan")
BOX = (10.0, 10, 20, 20)
REFUSED = None
Rates = tuple[F, F, F] | None


def still(frames: int = 5) -> np.ndarray:
    return np.tile(BOX, (frames, 1))


def rates(
    rule: str, tag: str, track: np.ndarray, truth: np.ndarray, visible: np.ndarray | None = None
) -> Rates:
    protocol = protocol_for(rule, tag)
    try:
        curves = sequence_curves(sequence_errors(track, truth, protocol, visible))
    except EBMError:
        return REFUSED
    half = int(np.searchsorted(overlap_thresholds(protocol.success_thresholds), 0.5))
    found = (curves.success[half], curves.precision[20], curves.normalised[20])
    a, b, c = (F(float(rate)).limit_denominator(10) for rate in found)
    return a, b, c


ALL = (F(1), F(1), F(1))


@pytest.mark.parametrize(
    ("rule", "tag", "expected"),
    [
        ("pytracking", "otb", (F(4, 5), F(4, 5), F(1))),
        ("pytracking", "uav", (F(4, 5), F(1), F(1))),
        ("pytracking", "lasot", (F(4, 5), F(4, 5), F(1))),
        ("lasot", "lasot", (F(4, 5), F(1), F(1))),
        ("uav", "uav", (F(4, 5), F(1), F(1))),
        ("otb", "otb", ALL),
        ("pysot", "otb", ALL),
        ("got10k", "otb", ALL),
        ("got10k", "got10k_val", ALL),
        ("trackingnet", "trackingnet", ALL),
        ("default", "otb", ALL),
    ],
)
@pytest.mark.parametrize("box", [(0.0, 10, 20, 20), (10.0, -2, 20, 20)])
def test_a_box_at_the_border(rule: str, tag: str, expected: Rates, box: tuple[float, ...]) -> None:
    truth = still()
    truth[2] = box
    assert rates(rule, tag, truth.copy(), truth) == expected


@pytest.mark.parametrize(
    ("rule", "tag", "expected"),
    [
        ("pytracking", "otb", REFUSED),
        ("pytracking", "uav", (F(4, 5), F(1), F(1))),
        ("lasot", "lasot", (F(4, 5), F(1), F(1))),
        ("uav", "uav", (F(4, 5), F(1), F(1))),
        ("otb", "uav", (F(4, 5), F(1), F(1))),
        ("pysot", "uav", (F(4, 5), F(1), F(1))),
        ("got10k", "uav", ALL),
        ("trackingnet", "uav", ALL),
        ("default", "uav", ALL),
    ],
)
def test_a_frame_without_annotation(rule: str, tag: str, expected: Rates) -> None:
    truth = still()
    truth[2] = NAN
    assert rates(rule, tag, still(), truth) == expected


@pytest.mark.parametrize(
    ("rule", "tag", "expected"),
    [
        ("pytracking", "lasot", (F(4, 5), F(4, 5), F(4, 5))),
        ("pytracking", "lasot_extension_subset", (F(4, 5), F(4, 5), F(1))),
        ("lasot", "lasot", (F(4, 5), F(4, 5), F(4, 5))),
        ("pysot", "lasot", (F(4, 5), F(4, 5), F(4, 5))),
        ("otb", "lasot", (F(4, 5), F(4, 5), F(4, 5))),  # it does not know the flags: the track is far off
        ("uav", "lasot", (F(4, 5), F(4, 5), F(4, 5))),
        ("got10k", "lasot", ALL),
        ("got10k", "got10k_val", ALL),
        ("trackingnet", "lasot", ALL),
        ("default", "lasot", ALL),
    ],
)
def test_a_hidden_target_that_the_track_loses(rule: str, tag: str, expected: Rates) -> None:
    track, visible = still(), np.array([True, True, False, True, True])
    track[2] += (500, 0, 0, 0)
    assert rates(rule, tag, track, still(), visible) == expected


@pytest.mark.parametrize(("rule", "expected"), [("otb", ALL), ("uav", ALL), ("lasot", (F(4, 5),) * 3)])
def test_a_hidden_target_that_the_track_keeps(rule: str, expected: Rates) -> None:
    visible = np.array([True, True, False, True, True])
    assert rates(rule, "lasot", still(), still(), visible) == expected


@pytest.mark.parametrize(
    ("rule", "tag", "expected"),
    [
        *((rule, "otb", ALL) for rule in ("pytracking", "lasot", "uav", "got10k")),
        ("got10k", "got10k_val", ALL),  # of the four frames that count
        *((rule, "otb", (F(4, 5),) * 3) for rule in ("otb", "pysot", "trackingnet", "default")),
    ],
)
def test_a_wrong_first_box(rule: str, tag: str, expected: Rates) -> None:
    track = still()
    track[0] = (300, 300, 20, 20)
    assert rates(rule, tag, track, still()) == expected


def test_the_first_frame_counts_but_for_got10k() -> None:
    track = still()
    track[1] = (300, 300, 20, 20)
    assert rates("got10k", "otb", track, still()) == (F(4, 5),) * 3
    assert rates("got10k", "got10k_val", track, still()) == (F(3, 4),) * 3


@pytest.mark.parametrize(
    ("rule", "tag", "expected"),
    [
        *((rule, "otb", ALL) for rule in ("pytracking", "lasot", "uav")),  # repeats the box before
        *((rule, "otb", (F(4, 5), F(1), F(4, 5))) for rule in ("otb", "pysot", "got10k", "trackingnet")),
        ("default", "otb", (F(4, 5),) * 3),
    ],
)
def test_a_prediction_without_width(rule: str, tag: str, expected: Rates) -> None:
    track = still()
    track[3] = (10, 10, 0, 20)  # its centre is 10 px off, half a width
    assert rates(rule, tag, track, still()) == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        *((rule, REFUSED) for rule in ("pytracking", "default")),
        *((rule, ALL) for rule in ("lasot", "uav")),
        *((rule, (F(4, 5),) * 3) for rule in ("otb", "pysot", "got10k", "trackingnet")),
    ],
)
@pytest.mark.parametrize("bad", [(NAN,) * 4, (10.0, 10, -20, 20)])
def test_a_prediction_that_is_no_box(rule: str, expected: Rates, bad: tuple[float, ...]) -> None:
    track = still()
    track[3] = bad
    assert rates(rule, "otb", track, still()) == expected


@pytest.mark.parametrize(
    ("rule", "tag", "short", "long"),
    [
        ("pytracking", "otb", (F(4, 5), F(1), F(4, 5)), ALL),  # see below
        ("pytracking", "lasot", REFUSED, ALL),
        ("lasot", "lasot", REFUSED, ALL),
        ("uav", "uav", REFUSED, ALL),
        ("got10k", "otb", ALL, ALL),
        ("got10k", "got10k_val", ALL, ALL),
        *((rule, "otb", REFUSED, REFUSED) for rule in ("otb", "pysot", "trackingnet", "default")),
    ],
)
def test_four_and_six_rows_for_five_frames(rule: str, tag: str, short: Rates, long: Rates) -> None:
    truth = still()
    if rule == "pytracking" and tag == "otb":
        truth = np.tile((2.0, 2, 20, 20), (5, 1))  # its centre: 17 px from the appended box
    assert rates(rule, tag, truth[:4], truth) == short
    assert rates(rule, tag, np.concatenate([truth, truth[:1] + 500]), truth) == long


@pytest.mark.parametrize("rule", rules())
def test_an_overlap_of_a_third_passes_7_of_21_thresholds(rule: str) -> None:
    track = still() + (10, 0, 0, 0)
    success = sequence_curves(sequence_errors(track, still(), protocol_for(rule, "otb"))).success
    first_is_given = protocol_for(rule, "otb").first_frame == "truth"
    assert success.mean() == pytest.approx((4 * 7 + 20) / 5 / 21 if first_is_given else 7 / 21)


def test_got10k_has_101_thresholds_of_its_own() -> None:
    track = still() + (10, 0, 0, 0)
    success = sequence_curves(sequence_errors(track, still(), protocol_for("got10k", "got10k_val"))).success
    assert success.mean() == pytest.approx(34 / 101)  # 0, 0.01 ... 0.33


def of_tag(name: str, tag: str, frames: int, kind: str | None = None, size: tuple | None = None) -> Sequence:
    paths = tuple(Path(f"{number}.jpg") for number in range(frames))
    return Sequence(name, tag, paths, still(frames), object_class=kind, image_size=size)


class Shifted(Unfiled):
    """Perfect on short sequences, 10 px off (IoU 1/3) on those of more than 5 frames."""

    label = "shifted"

    def has(self, sequence: Sequence) -> bool:
        return True

    def boxes(self, sequence: Sequence) -> np.ndarray:
        return sequence.ground_truth + ((10, 0, 0, 0) if len(sequence) > 5 else 0)

    def fps(self, sequence: Sequence) -> float | None:
        return None


def test_frames_weigh_the_same_on_got10k_and_classes_in_its_mao() -> None:
    sequences = [of_tag("a", "got10k_val", 5, "car"), of_tag("b", "got10k_val", 9, "dog")]
    tracker = evaluate(sequences, [Shifted()], rule="got10k").trackers[0]
    assert tracker.score("ao").mean == pytest.approx(100 * (4 * 1 + 8 / 3) / 12)
    assert tracker.score("sr50").mean == pytest.approx(100 * 4 / 12)
    assert tracker.score("mao").mean == pytest.approx(100 * (1 + 1 / 3) / 2)
    unnamed = evaluate([of_tag("a", "got10k_val", 5)], [Shifted()], rule="got10k").trackers[0]
    assert f"{unnamed.score('mao'):.2f}" == "-"


def test_boxes_of_got10k_end_at_the_border_of_the_image() -> None:
    inside = evaluate([of_tag("a", "got10k_val", 9, size=(30, 40))], [Shifted()], rule="got10k").trackers[0]
    # Of (20, 10, 20, 20) the left half lies inside: it shares 10 of 20 columns with (10, 10, 20, 20).
    assert inside.score("ao").mean == pytest.approx(50.0)


def test_normalised_precision_of_trackingnet_is_a_mean_over_thresholds() -> None:
    class Off(Shifted):
        label = "off"

        def boxes(self, sequence: Sequence) -> np.ndarray:
            return sequence.ground_truth + (5.1, 0, 0, 0)  # 0.255 widths: hits at 0.26 ... 0.50

    sequences = [of_tag("a", "otb", 5)]
    trackingnet = evaluate(sequences, [Off()], rule="trackingnet").trackers[0]
    assert trackingnet.score("norm_precision").mean == pytest.approx(100 * 25 / 51)
    assert evaluate(sequences, [Off()], rule="otb").trackers[0].score("norm_precision").mean == 0


def test_a_sequence_without_a_frame_to_divide_by_is_named() -> None:
    with pytest.raises(DomainError, match="here: no frame .* rule 'default'"):
        sequence_curves(
            sequence_errors(
                still(), still(), protocol_for("default", "otb"), np.zeros(5, dtype=bool), source="here"
            )
        )


def test_a_short_result_that_is_refused_says_so() -> None:
    with pytest.raises(InputError, match="4 rows for 5 frames, which rule 'otb'"):
        sequence_errors(still(4), still(), protocol_for("otb", "otb"))


@pytest.mark.parametrize("rule", PROTOCOLS)
def test_every_rule_describes_itself(rule: str) -> None:
    for protocol in PROTOCOLS[rule].values():
        assert protocol.name == rule
        assert len(protocol.summary) > 40
