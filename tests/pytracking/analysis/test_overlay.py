"""Overlay videos hold every track and a legend."""

from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import InputError
from pytracking.analysis.overlay import GROUND_TRUTH, overlay_frames, write_overlay_video
from pytracking.evaluation.drawing import PALETTE, TRUTH_COLOUR
from pytracking.evaluation.video_io import open_video
from tests.pytracking.evaluation.tiny import boxes_of, draw_frames


def grey_frames(count: int) -> list[np.ndarray]:
    return [np.full((240, 320, 3), 128, dtype=np.uint8)] * count


def colours_in(image: np.ndarray) -> set[tuple[int, ...]]:
    return set(map(tuple, image.reshape(-1, 3).tolist()))


def test_every_track_has_its_colour_on_the_frame_and_in_the_legend() -> None:
    truth = np.tile((20.0, 20, 50, 60), (2, 1))
    tracks = {"ours": truth + (60, 0, 0, 0), GROUND_TRUTH: truth, "other": truth + (120, 0, 0, 0)}
    frame = next(overlay_frames(grey_frames(2), tracks, min_width=320))
    assert frame.shape[1] == 320
    assert frame.shape[0] > 240
    image, legend = frame[:240], frame[240:]
    assert image[40, 20].tolist() == list(TRUTH_COLOUR)
    assert image[40, 80].tolist() == list(PALETTE[0])
    assert image[40, 140].tolist() == list(PALETTE[1])
    assert {TRUTH_COLOUR, PALETTE[0], PALETTE[1]} <= colours_in(legend)


def test_small_frames_are_enlarged_with_their_boxes() -> None:
    box = np.array([(20.0, 20, 50, 60)])
    frame = next(overlay_frames(grey_frames(1), {"x": box}, min_width=640))
    assert frame.shape[1] == 640
    assert frame[80, 40].tolist() == list(PALETTE[0])


def test_the_legend_keeps_its_height_and_holds_long_names() -> None:
    tracks = {f"a_tracker_with_a_long_name_{k}": np.tile((5.0, 5, 9, 9), (12, 1)) for k in range(9)}
    frames = list(overlay_frames(grey_frames(12), tracks, title="a sequence", min_width=320))
    assert len({frame.shape for frame in frames}) == 1
    assert set(PALETTE) <= colours_in(frames[0][240:])


def test_the_overlap_stands_behind_the_name_in_its_colour_and_moves_nothing() -> None:
    tracks = {"ours": np.tile((20.0, 20, 50, 60), (3, 1)), "other": np.tile((90.0, 20, 50, 60), (3, 1))}
    overlap = {"ours": np.array([0.75, 1.0, np.nan])}
    with_it = list(overlay_frames(grey_frames(3), tracks, overlap=overlap, min_width=320))
    without = next(overlay_frames(grey_frames(3), tracks, min_width=320))
    inked = [(frame[240:] == PALETTE[0]).all(axis=-1).sum() for frame in (*with_it, without)]
    assert inked[0] > inked[2] > inked[3]  # digits, a dash, the swatch alone
    assert len({frame.shape for frame in with_it}) == 1
    swatches = [np.argwhere((frame[240:] == PALETTE[1]).all(axis=-1)).min(axis=0) for frame in with_it]
    assert len({tuple(place) for place in swatches}) == 1


def test_every_so_many_frames_keep_their_numbers_and_boxes() -> None:
    boxes = np.stack([(20.0 + 10 * k, 20, 50, 60) for k in range(5)])
    frames = list(overlay_frames(grey_frames(5), {"x": boxes}, min_width=320, step=2))
    assert [frame[40, x].tolist() for frame, x in zip(frames, (20, 40, 60), strict=True)] == [
        list(PALETTE[0])
    ] * 3


def test_absent_boxes_are_not_drawn() -> None:
    frame = next(overlay_frames(grey_frames(1), {"x": np.full((1, 4), np.nan)}, min_width=320))
    assert (frame[:240] == 128).all()


def test_a_video_is_written_from_files(tmp_path: Path) -> None:
    draw_frames(tmp_path / "img", boxes_of(5))
    files = sorted((tmp_path / "img").iterdir())
    path = write_overlay_video(
        files, {GROUND_TRUTH: boxes_of(5)}, tmp_path / "out.mp4", 10, title="walk", min_width=128
    )
    frames = list(open_video(path).frames())
    assert len(frames) == 5
    assert frames[0].shape[1] == 128


def test_a_short_track_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ours has 2 boxes, frame 2"):
        write_overlay_video(grey_frames(3), {"ours": boxes_of(2)}, tmp_path / "out.mp4")


def test_no_frames_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no frames"):
        write_overlay_video([], {}, tmp_path / "out.mp4")
