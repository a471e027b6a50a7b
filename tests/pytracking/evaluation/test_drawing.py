"""Boxes and text land where they belong."""

import math

import numpy as np
import pytest

from pytracking.evaluation.drawing import draw_box, draw_text, text_size


def grey(height: int = 60, width: int = 80) -> np.ndarray:
    return np.full((height, width, 3), 128, dtype=np.uint8)


def test_a_box_is_an_outline() -> None:
    image = grey()
    draw_box(image, np.array((20.0, 10, 30, 20)), (255, 0, 0), width=2)
    assert image[10, 35].tolist() == [255, 0, 0]  # top
    assert image[29, 35].tolist() == [255, 0, 0]  # bottom: row y + h - 1
    assert image[20, 20].tolist() == [255, 0, 0]
    assert image[20, 49].tolist() == [255, 0, 0]
    assert (image[16:24, 26:44] == 128).all()
    assert (image[45:, :] == 128).all()


def test_a_dashed_box_has_gaps_but_keeps_its_corners() -> None:
    image, solid = grey(200, 200), grey(200, 200)
    box = np.array((20.0, 20, 150, 150))
    draw_box(image, box, (0, 255, 0), dashed=True)
    draw_box(solid, box, (0, 255, 0))
    green, whole = ((i[20, 20:170] == (0, 255, 0)).all(axis=-1) for i in (image, solid))
    assert whole.all()
    assert 0.3 < green.mean() < 0.8
    assert green[0]
    assert green[-1]


@pytest.mark.parametrize(
    "box",
    [(-500, -500, 30, 30), (70, 50, 1e9, 1e9), (-1e12, 0, 5, 5), (math.nan, 1, 2, 3), (5, 5, 0, 0)],
)
@pytest.mark.parametrize("dashed", [False, True])
def test_boxes_outside_or_beyond_all_measure_do_no_harm(box: tuple[float, ...], dashed: bool) -> None:
    draw_box(grey(), np.array(box, dtype=float), (1, 2, 3), dashed=dashed)


def test_text_covers_what_it_says() -> None:
    image = grey()
    draw_text(image, "ok 0.93", (4, 5), (255, 255, 255), 14)
    width, height = text_size("ok 0.93", 14)
    changed = np.argwhere((image != 128).any(axis=-1))
    assert len(changed) > 20
    assert changed[:, 0].min() >= 5
    assert changed[:, 0].max() < 5 + height
    assert changed[:, 1].min() >= 4
    assert changed[:, 1].max() < 4 + width


@pytest.mark.parametrize("at", [(-10, -5), (75, 55), (500, 500), (-500, -500)])
def test_text_at_the_border_is_cut(at: tuple[int, int]) -> None:
    draw_text(grey(), "some words", at, (0, 0, 0), 14, backed=True)
