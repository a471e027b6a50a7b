"""Annotators who err: by how much, always alike, and only where they are asked to."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import DomainError
from ltr.data.label_noise import LabelNoise, NoisyLabels, moved_boxes
from ltr.data.video import Annotation
from ltr.train_settings.recipe import find_recipe
from ltr.train_settings.settable import set_fields
from ltr.train_settings.streams import build_sampler

BOX = np.array([20.0, 30.0, 40.0, 10.0], dtype=np.float32)


class Videos:
    """Two videos of fifty equal boxes, the last one hidden."""

    name, is_video, skipped = "two", True, ("one",)

    def __len__(self) -> int:
        return 2

    def sequence_name(self, index: int) -> str:
        return f"v{index}"

    def annotation(self, index: int) -> Annotation:
        there = np.ones(50, dtype=bool)
        return Annotation(np.tile(BOX, (50, 1)), there, there & (np.arange(50) < 49))

    def frame_path(self, index: int, frame: int) -> Path:
        return Path(f"{index}/{frame}.jpg")


def test_the_error_is_as_large_as_asked_for_and_relative_to_the_box() -> None:
    boxes = np.tile(BOX, (20_000, 1))
    moved = moved_boxes(boxes, LabelNoise(centre=0.1, size=0.2), np.random.default_rng(0)).astype(np.float64)
    centre = (moved[:, :2] + moved[:, 2:] / 2 - (40.0, 35.0)) / BOX[2:]
    size = np.log(moved[:, 2:] / BOX[2:])
    np.testing.assert_allclose(centre.std(axis=0), 0.1, rtol=0.03)
    np.testing.assert_allclose(size.std(axis=0), 0.2, rtol=0.03)
    np.testing.assert_allclose(np.abs(np.concatenate((centre, size)).mean(axis=0)), 0.0, atol=0.005)
    correlation = np.corrcoef(np.concatenate((centre, size), axis=1).T) - np.eye(4)
    assert np.abs(correlation).max() < 0.03


def test_one_part_of_the_noise_leaves_the_other_exact() -> None:
    rng = np.random.default_rng(0)
    moved = moved_boxes(BOX[None], LabelNoise(centre=0.1), rng)[0]
    np.testing.assert_allclose(moved[2:], BOX[2:])
    assert (moved[:2] != BOX[:2]).all()
    grown = moved_boxes(BOX[None], LabelNoise(size=0.1), rng)[0]
    np.testing.assert_allclose(grown[:2] + grown[2:] / 2, (40.0, 35.0), atol=1e-4)


def test_a_box_without_area_keeps_none() -> None:
    empty = np.array([[5.0, 6.0, 0.0, 0.0]], dtype=np.float32)
    moved = moved_boxes(empty, LabelNoise(centre=0.3, size=0.3), np.random.default_rng(0))
    np.testing.assert_array_equal(moved, empty)


def test_an_annotator_errs_the_same_way_every_time_and_differs_from_others() -> None:
    noise = LabelNoise(centre=0.1, size=0.1)
    noisy, other = NoisyLabels(Videos(), noise, seed=3), NoisyLabels(Videos(), noise, seed=4)
    first, again = noisy.annotation(0), noisy.annotation(0)
    np.testing.assert_array_equal(first.boxes, again.boxes)
    assert len(np.unique(first.boxes[:, 0])) == 50
    assert (first.boxes != noisy.annotation(1).boxes).any(axis=1).all()
    assert (first.boxes != other.annotation(0).boxes).any(axis=1).all()
    np.testing.assert_array_equal(first.visible, Videos().annotation(0).visible)


def test_everything_but_the_boxes_is_handed_through() -> None:
    noisy = NoisyLabels(Videos(), LabelNoise(centre=0.1))
    assert (len(noisy), noisy.name, noisy.is_video, noisy.skipped) == (2, "two", True, ("one",))
    assert noisy.sequence_name(1) == "v1"
    assert noisy.frame_path(1, 2) == Path("1/2.jpg")


@pytest.mark.parametrize("value", [-0.1, math.inf, math.nan])
def test_an_impossible_noise_is_refused(value: float) -> None:
    with pytest.raises(DomainError, match="label_noise must be finite and not negative"):
        LabelNoise(centre=value)
    with pytest.raises(DomainError, match="label_noise"):
        LabelNoise(size=value)


def test_a_setting_takes_it_for_training_and_validates_on_exact_labels() -> None:
    exact = find_recipe("dimp", "dimp_nce_plus_small")
    assert not exact.label_noise
    noisy = set_fields(exact, ["label_noise.centre=0.1", "label_noise.size=0.05"])
    assert noisy.label_noise == LabelNoise(centre=0.1, size=0.05)
    training = build_sampler(noisy, [Videos()], None, training=True)
    assert isinstance(training.datasets[0], NoisyLabels)
    for recipe, purpose in ((noisy, False), (exact, True)):
        assert isinstance(build_sampler(recipe, [Videos()], None, training=purpose).datasets[0], Videos)


def test_a_checkpoint_older_than_the_field_is_of_the_same_experiment() -> None:
    recipe = find_recipe("dimp", "dimp_nce_plus_small")
    noisy = replace(recipe, label_noise=LabelNoise(centre=0.1))
    assert recipe.fingerprint() == replace(recipe, label_noise=LabelNoise()).fingerprint()
    assert recipe.fingerprint() != noisy.fingerprint()
