"""A target that jumped out of the search area is found again by looking around, and only then."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ltr.models.bbreg.atom import atom_resnet_small
from pytracking.parameter import find_parameters
from pytracking.parameter.atom_params import ATOMParams
from pytracking.tracker import make_tracker
from pytracking.tracker.base import Tracked
from pytracking.tracker.common.geometry import TargetState
from pytracking.tracker.common.second_look import places_around

SMALL = find_parameters("atom", "atom_nce_plus_small")
assert isinstance(SMALL, ATOMParams)
# Confidence is high where the classifier scores above 0.5, whatever the (untrained) energy.
PARAMS = replace(SMALL, confidence_weights=(-10.0, 20.0, 0.0), init_cg_iter=24, size_step=1.001)
BOX = (30.0, 30.0, 20.0, 20.0)
STATE = TargetState.from_box(np.array(BOX), PARAMS.crop_size, PARAMS.search_area_scale)


def test_the_nearest_places_come_first_and_lie_in_the_frame() -> None:
    apart = 0.75 * PARAMS.search_area_scale * 20
    wide = replace(STATE, position=np.array([400.0, 500.0]))
    nearest = np.array([p.position - wide.position for p in places_around(wide, (800, 1000), PARAMS)])
    assert len(np.unique(nearest, axis=0)) == 8
    assert (np.abs(nearest).max(axis=1) == apart).all()
    corner = [p.position for p in places_around(STATE, (120, 120), PARAMS)]
    assert len(corner) == 3  # below, to the right, and between
    assert places_around(STATE, (80, 80), PARAMS) == []


def test_turn_by_turn_the_whole_frame_is_seen() -> None:
    apart = 0.75 * PARAMS.search_area_scale * 20
    turns = [places_around(STATE, (480, 640), PARAMS, turn) for turn in range(20)]
    seen = [p for turn in (0, *range(1, 20, 2)) for p in turns[turn]]
    assert len({tuple(p.position) for p in seen}) == len(seen) == 87  # of 8 x 11, without its own
    for place in np.random.default_rng(0).uniform(0, (480, 640), (50, 2)):
        near = min(np.abs(p.position - place).max() for p in [STATE, *seen])
        assert near <= 0.5 * apart / 0.75  # within a crop
    nearest = [tuple(p.position) for p in turns[0]]  # every other turn
    assert all([tuple(p.position) for p in turn] == nearest for turn in turns[2::2])


def frames(jump: float) -> list[np.ndarray]:
    """A textured square on a grey plane that goes right by some px after two frames."""
    square = np.random.default_rng(0).integers(0, 255, (5, 5, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
    pictures = []
    for x in (30, 32, 34, 34 + jump, 36 + jump):
        picture = np.full((160, 220, 3), 90, np.uint8)
        picture[30:50, int(x) : int(x) + 20] = square
        pictures.append(picture)
    return pictures


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return atom_resnet_small()


def tracked(network: torch.nn.Module, params: ATOMParams, jump: float) -> list[Tracked]:
    tracker = make_tracker("atom", params, network=network, device="cpu")
    pictures = frames(jump)
    tracker.initialize(pictures[0], BOX)
    return [tracker.track(picture) for picture in pictures[1:]]


def test_a_jump_out_of_the_search_area_is_found_by_looking_around(network: torch.nn.Module) -> None:
    looking = replace(PARAMS, second_look_below=0.5)
    without, found = tracked(network, PARAMS, 90), tracked(network, looking, 90)
    assert [t.state for t in found[:2]] == ["ok", "ok"]
    assert without[-1].box[0] < 80
    assert found[-1].box[0] == pytest.approx(126, abs=6)
    assert found[-1].state == "ok"


def test_nothing_changes_while_the_target_is_believed(network: torch.nn.Module) -> None:
    looking = replace(PARAMS, second_look_below=0.5)
    for one, other in zip(tracked(network, PARAMS, 2), tracked(network, looking, 2)):
        np.testing.assert_array_equal(one.box, other.box)
        assert one.state == "ok"
