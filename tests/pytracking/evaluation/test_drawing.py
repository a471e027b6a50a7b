"""Boxes and text land where they belong."""

import argparse
import math

import numpy as np
import pytest

from pytracking.evaluation.draw_option import DEFAULT_PARTS, parse_parts
from pytracking.evaluation.drawing import TargetColours, draw_box, draw_text, text_size
from pytracking.evaluation.frame_drawing import FrameDrawer, draw_ellipses
from pytracking.evaluation.video_tables import Row


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


BOX = np.array((60.0, 50, 40, 60))
SURE = np.diag((9.0, 16.0, 4.0, 1.0))


def row(shift: float = 0.0, state: str = "ok", covariance: np.ndarray | None = SURE) -> Row:
    return Row(BOX + (shift, 0, 0, 0), 0.9, state, covariance)


def changed(parts: tuple[str, ...], rows: list[Row]) -> np.ndarray:
    """Where the last of some frames differs from the picture."""
    drawer = FrameDrawer(parts)
    for number, each in enumerate(rows):
        image = drawer.drawn(grey(200, 240), number, {None: each})
    return (image != 128).any(axis=-1)


def test_every_part_is_drawn_by_itself() -> None:
    rows = [row(shift) for shift in (0.0, 20.0, 40.0)]
    box, trace, density, state = (changed((part,), rows) for part in ("box", "trace", "density", "state"))
    assert box[50, 120]  # the upper side
    assert not box[79, 120]  # the middle
    assert trace[79, 80:119].all()  # from the first centre to the last
    assert not trace[79, 125:].any()
    assert state[:30].any()
    assert not state[30:].any()
    assert not density[100, 110:128].any()  # between the corners and off the centre
    assert (changed(DEFAULT_PARTS, rows) == box | state).all()


def test_ellipses_hold_nine_tenths_of_where_a_corner_may_be() -> None:
    image, box = grey(1200, 1000), 5 * BOX
    draw_ellipses(image, box, 100 * SURE, (255, 0, 0), width=2)
    covered = (image != 128).any(axis=-1)
    drawn = np.random.default_rng(0).multivariate_normal(box, 100 * SURE, 4000)
    for u, v in ((0, 0), (1, 0), (0, 1), (1, 1)):
        x, y = np.round(drawn[:, :2] + drawn[:, 2:] * (u, v) - 0.5).astype(int).T
        assert 0.88 < covered[y, x].mean() < 0.94  # the outline has a width
    assert not covered[800:].any()


@pytest.mark.parametrize("spoilt", [np.full((4, 4), np.nan), -SURE, np.diag((1e30,) * 4)])
def test_what_is_no_covariance_does_no_harm(spoilt: np.ndarray) -> None:
    assert changed(("density",), [row(covariance=spoilt)]).shape == (200, 240)
    assert not changed(("density",), [row(covariance=None)]).any()


def test_a_trace_skips_lost_frames_and_forgets_targets_that_are_gone() -> None:
    lost = changed(("trace",), [row(0), row(100, "lost"), row(20)])
    assert not lost[79, 110:].any()
    drawer = FrameDrawer(("trace",))
    drawer.drawn(grey(200, 240), 0, {1: row(0), 2: row(90)})
    drawer.drawn(grey(200, 240), 1, {2: row(90)})
    again = drawer.drawn(grey(200, 240), 2, {1: row(20), 2: row(90)})
    ids = (again[40:50] != 128).any()
    assert ids
    assert (again[79, 70:95] == 128).all()  # target 1 is new


def test_parts_are_named_with_commas() -> None:
    assert parse_parts("state, box") == ("box", "state")
    with pytest.raises(argparse.ArgumentTypeError, match="'densty'; did you mean 'density'"):
        parse_parts("box,densty")
    with pytest.raises(argparse.ArgumentTypeError, match="box,trace,density,state"):
        parse_parts(",")


def test_colours_of_states_and_targets() -> None:
    colours = TargetColours()
    assert colours.of(None, "ok") != colours.of(None, "lost")
    assert colours.of(7, "ok") == colours.of(7, "lost") != colours.of(8, "ok")
