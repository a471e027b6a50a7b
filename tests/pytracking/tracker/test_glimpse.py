"""What a watched tracker keeps of a frame: the crop's place, the map's place, the way of the boxes."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ebm.predict import refine_boxes
from pytracking.tracker.base import Flag
from pytracking.tracker.common.box_ascent import Ascents
from pytracking.tracker.common.geometry import CropView, ScoreGrid, TargetState
from pytracking.tracker.common.glimpse import Glimpse, Search
from pytracking.tracker.common.localize import Localization
from tests.pytracking.tracker.test_several import BOXES, build, frame

FOUND = {"target_not_found_threshold": -1e9}


@pytest.mark.parametrize("name", ["dimp", "atom"])
def test_watching_changes_no_track(name: str) -> None:
    plain, watched = build(name, changes=FOUND), build(name, changes=FOUND)
    watched.watched = True
    for tracker in (plain, watched):
        tracker.initialize(frame(0), BOXES[1])
    assert watched.glimpse is None
    for time in (1, 2):
        expected, tracked = plain.track(frame(time)), watched.track(frame(time))
        np.testing.assert_array_equal(tracked.box, expected.box)
        assert plain.glimpse is None
        glimpse = watched.glimpse
        assert isinstance(glimpse, Glimpse)
        assert glimpse.found.flag is tracked.flag
        assert glimpse.scores.max() == pytest.approx(glimpse.found.score)
        assert glimpse.crop.dtype == np.uint8
        assert glimpse.crop.shape[:2] == glimpse.view.crop_size


def test_the_way_begins_at_the_starts_and_ends_at_the_box() -> None:
    tracker = build("dimp", changes=FOUND | {"iounet_k": 1})
    tracker.watched = True
    tracker.initialize(frame(0), BOXES[1])
    tracked = tracker.track(frame(1))
    glimpse = tracker.glimpse
    steps, starts, four = glimpse.path.shape
    assert (steps, four) == (tracker.params.box_refinement_iter + 1, 4)
    assert starts == tracker.params.num_init_random_boxes + 1
    assert glimpse.energies.shape == (steps, starts)
    assert np.isfinite(glimpse.energies[:-1]).all()
    ends = np.abs(glimpse.path[-1] - tracked.box).max(axis=1)
    assert ends.min() < 0.51, "half a pixel of the crop at most, where the size is held to limits"
    assert np.abs(glimpse.path[-1] - glimpse.path[0]).max() > 0


def test_several_targets_have_a_glimpse_each_and_a_lost_one_no_way() -> None:
    tracker = build("dimp")
    tracker.watched = True
    tracker.initialize(frame(0), {1: BOXES[1]})
    tracker.add("car", BOXES["car"])
    tracker.track(frame(1))
    kept = {target: each.glimpse for target, each in tracker.targets.items()}
    assert set(kept) == {1, "car"}
    for glimpse in kept.values():
        assert (len(glimpse.path) == 0) == (glimpse.found.flag is Flag.NOT_FOUND)
        assert glimpse.learnt == glimpse.found.flag.may_train
    assert tracker.glimpse is None


def test_a_map_lies_where_its_cells_are() -> None:
    """Six cells of 4 x 2 px over a crop of 24 px in a quarter of the frame's resolution."""
    view = CropView(center=np.array([100.0, 200.0]), scale=2.0, crop_size=(24, 12))
    search = Search(
        found=Localization(
            position=np.array([100.0, 200.0]), flag=Flag.NORMAL, scale_index=0, score=1.0, presence=1.0
        ),
        view=view,
        before=TargetState.from_box(np.array([190.0, 90, 20, 20]), (24, 12), 5.0),
        frame=(400, 400),
        features=torch.zeros(1),
        maps=[],
        crop=np.full((24, 12, 3), 254.7, dtype=np.float32),
        scores=np.zeros((6, 6), dtype=np.float32),
        grid=ScoreGrid(center=(2.5, 2.5), cells=(6, 6)),
    )
    glimpse = search.glimpse(None, None, Flag.UNCERTAIN)
    np.testing.assert_allclose(glimpse.map_box, [200.5 - 12, 100.5 - 24, 24, 48])
    assert glimpse.crop.max() == 255
    assert glimpse.path.shape == (0, 0, 4)
    assert glimpse.remembered is None
    assert not glimpse.learnt  # the place was sure, the confidence was not


class Parabola:
    """-(y - 3)^2 summed, with a gradient of its own."""

    def __call__(self, y: Tensor) -> Tensor:
        return -((y - 3) ** 2).sum(-1)

    def value_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self(y), -2 * (y - 3)


@pytest.mark.parametrize("score_fn", [Parabola(), lambda y: -((y - 3) ** 2).sum(-1)], ids=["own", "autograd"])
@pytest.mark.parametrize("rule", [{}, {"on_decrease": "undo", "decay": 0.5}, {"backtrack": True}])
def test_ascents_are_noted_step_by_step(score_fn: Parabola, rule: dict[str, object]) -> None:
    starts = torch.tensor([[1.0, 1, 2, 2], [5, 5, 4, 4]], dtype=torch.float64)
    noted = Ascents(score_fn)
    options = {"space": "default", "steps": 3, "step_length": 0.01} | rule
    expected, _ = refine_boxes(score_fn, starts, **options)
    ends, _ = refine_boxes(noted, starts, **options)
    torch.testing.assert_close(ends, expected, rtol=0, atol=0)
    (first, first_scores), (second, _) = noted.paths(ends[:, None])
    assert first.shape == second.shape == (4, 1, 4)
    np.testing.assert_allclose(first[0, 0], starts[0])
    np.testing.assert_allclose(second[-1, 0], expected[1])
    np.testing.assert_allclose(first_scores[0, 0], float(score_fn(starts[:1])[0]))
    assert (np.diff(np.abs(first[:, 0] - 3).sum(-1)) < 0).all()
