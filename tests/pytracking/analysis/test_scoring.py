"""Many sequences in one pass give what each gives alone, and what a loop over frames gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebm.exceptions import EBMError
from pytracking.analysis.metrics import overlap_thresholds
from pytracking.analysis.protocols import PROTOCOLS, Protocol
from pytracking.analysis.scoring import sequence_curves, sequence_errors, track_curves, track_errors
from pytracking.analysis.truths import Annotation, Truths

ALL = [protocol for variants in PROTOCOLS.values() for protocol in variants.values()]


def drawn(seed: int, sequences: int) -> tuple[list[np.ndarray], list[Annotation]]:
    """Tracks near their annotation; border boxes, hidden targets and boxes without area among them."""
    random = np.random.default_rng(seed)
    tracks, annotations = [], []
    for _ in range(sequences):
        frames = int(random.integers(2, 9))
        truth = random.integers(0, 30, (frames, 4)) + (0.0, 0, 3, 3)
        truth[0, :2] += 1  # every rule has a frame to divide by
        track = truth + random.integers(-3, 4, (frames, 4)) * 0.5
        track[:, 2:] = np.where(random.random((frames, 1)) < 0.2, 0.0, np.maximum(track[:, 2:], 0.5))
        visible = random.random(frames) > 0.2
        visible[:2] = True
        tracks.append(track)
        annotations.append(Annotation(truth, visible))
    return tracks, annotations


@pytest.mark.parametrize("protocol", ALL, ids=lambda p: p.name)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), sequences=st.integers(1, 4))
def test_sequences_do_not_see_each_other(protocol: Protocol, seed: int, sequences: int) -> None:
    tracks, annotations = drawn(seed, sequences)
    whole = track_curves(track_errors(tracks, Truths(annotations, protocol)))
    for number, (track, item) in enumerate(zip(tracks, annotations, strict=True)):
        alone = sequence_curves(sequence_errors(track, item.boxes, protocol, item.visible))
        np.testing.assert_array_equal(whole.success[number], alone.success)
        np.testing.assert_array_equal(whole.precision[number], alone.precision)
        np.testing.assert_array_equal(whole.normalised[number], alone.normalised)
        np.testing.assert_allclose(whole.mean_overlap[number], alone.mean_overlap)


@pytest.mark.parametrize("protocol", ALL, ids=lambda p: p.name)
def test_rates_are_shares_of_frames(protocol: Protocol) -> None:
    tracks, annotations = drawn(3, 5)
    errors = track_errors(tracks, Truths(annotations, protocol))
    curves = track_curves(errors)
    for number, start in enumerate(errors.truths.starts[:-1]):
        rows = slice(start, errors.truths.starts[number + 1])
        for k, threshold in enumerate(overlap_thresholds(protocol.success_thresholds)):
            share = (errors.overlap[rows] > threshold).sum() / errors.denominator[number]
            assert curves.success[number, k] == share
        assert curves.precision[number, 20] == (errors.centre[rows] <= 20).sum() / errors.denominator[number]
        within = (errors.normalised[rows] <= 0.2).sum()
        assert curves.normalised[number, 20] == within / errors.denominator[number]


def test_an_error_names_the_place_and_row_of_the_sequence() -> None:
    tracks, annotations = drawn(1, 3)
    tracks[2][1] = np.nan
    truths = Truths(annotations, PROTOCOLS["default"][""])
    with pytest.raises(EBMError, match=r"c\.txt: row 2 is"):
        track_errors(tracks, truths, ["a.txt", "b.txt", "c.txt"])
