"""What is shown of a picture: the ascent step by step, overlaps, intervals, a corner."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ebm.boxes import box_iou
from ebm.exceptions import InputError
from ebm.tasks.detection.branch import ConfidenceBranch
from ebm.tasks.detection.data.records import DetectionSet
from ebm.tasks.detection.detectors import FasterRCNNDetector
from ebm.tasks.detection.pictures import draw_ascent, draw_boxes
from ebm.tasks.detection.recipes import SETTABLE, BranchRecipe, find_recipe
from ebm.tasks.detection.running import Way, run_set
from ebm.tasks.detection.showing import Shown, find_image, look_at
from ebm.tasks.detection.training import build_branch
from tests.ebm.tasks.detection.small import small_detector, small_set

STEPS = 4


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DetectionSet:
    return small_set(tmp_path_factory.mktemp("pictures"), count=2)


@pytest.fixture(scope="module")
def detector() -> FasterRCNNDetector:
    return small_detector()


def recipe_of(method: str) -> BranchRecipe:
    steps = [f"method.refine.steps={STEPS}", "method.refine.step_length=0.05", "hidden=16"]
    recipe = SETTABLE.set_fields(find_recipe(method, "light"), steps)
    assert isinstance(recipe, BranchRecipe)
    return recipe


def branch_of(recipe: BranchRecipe, detector: FasterRCNNDetector) -> ConfidenceBranch:
    """A branch whose f is steep enough that boxes move."""
    branch = build_branch(recipe, detector, 0).eval()
    with torch.no_grad():
        branch.fc_conf.weight.mul_(1e4)
    return branch


@pytest.fixture(scope="module")
def shown(data: DetectionSet, detector: FasterRCNNDetector) -> Shown:
    recipe = recipe_of("nce+")
    return look_at(detector, branch_of(recipe, detector), recipe, data, data.images[1], 3)


def test_the_ascent_ends_where_refinement_does(
    shown: Shown, data: DetectionSet, detector: FasterRCNNDetector
) -> None:
    recipe = recipe_of("nce+")
    way = Way(branch_of(recipe, detector), recipe, density=True)
    run = run_set(detector, {"refined": way}, data.chosen([1]))["refined"]
    found = run.detections[data.images[1].image_id]
    assert shown.path.shape == (STEPS + 1, 3, 4)
    corners = np.concatenate((shown.path[-1, :, :2], shown.path[-1, :, :2] + shown.path[-1, :, 2:]), 1)
    np.testing.assert_allclose(corners, found.boxes[:3], atol=1e-3)
    np.testing.assert_allclose(shown.scores, found.scores[:3], rtol=1e-6)
    assert shown.ends is not None
    ends = [row["interval95"] for row in run.more[data.images[1].image_id][:3]]
    assert np.abs(shown.path[-1] - shown.path[0]).max() > 0.1  # they have moved
    assert (np.diff(shown.energy, axis=0) >= 0).all()  # and S1 never falls
    width = shown.ends[..., 1] - shown.ends[..., 0]
    assert (width >= 0).all()
    assert np.shape(ends) == shown.ends.shape


def test_overlaps_are_those_with_the_annotated_box_of_the_class(shown: Shown, data: DetectionSet) -> None:
    truth = torch.tensor([[5.0, 6, 35, 44], [20, 10, 40, 31]], dtype=torch.float64)
    np.testing.assert_allclose(shown.truth, truth.numpy())
    for box, name in enumerate(shown.names):
        own = truth[data.names.index(name)]
        np.testing.assert_allclose(shown.nearest[box], own.numpy())
        expected = box_iou(torch.from_numpy(shown.path[:, box].copy()), own)
        np.testing.assert_allclose(shown.overlap[:, box], expected.numpy())


def test_the_corner_is_the_slice_of_f(shown: Shown) -> None:
    grid = shown.corner(0, "top-left", points=16)
    x, y, w, h = shown.path[-1, 0].tolist()
    places = torch.tensor([[[x, y], [x + 0.1 * w, y - 0.05 * h]]], dtype=torch.float64)
    got = grid.log_prob(places)[0]
    boxes = torch.tensor([[x, y, w, h], [x + 0.1 * w, y - 0.05 * h, 0.9 * w, 1.05 * h]])
    per_px = shown.score_of(boxes.double(), 0) - boxes[:, 2:].double().log().sum(-1)
    assert float(got[1] - got[0]) == pytest.approx(float(per_px[1] - per_px[0]), abs=1e-3)
    assert float(shown.score_of(boxes[:1].double(), 0)[0]) == pytest.approx(shown.energy[-1, 0], abs=1e-3)


def test_numbers_of_the_pictures_are_complete(shown: Shown) -> None:
    boxes, ascent = shown.box_curves(), shown.ascent_curves()
    assert boxes["box"].tolist() == [1, 2, 3]
    assert boxes["right_high"].shape == (3,)
    np.testing.assert_array_equal(boxes["after_w"], shown.path[-1, :, 2])
    assert ascent["step"].tolist() == [step for step in range(STEPS + 1) for _ in range(3)]
    np.testing.assert_array_equal(ascent["f"], shown.energy.ravel())


def test_boxes_bars_and_lines_are_drawn(shown: Shown) -> None:
    (axes,) = draw_boxes(shown).axes
    # of each box: the line and its rim before and after, and a bar for each side; two annotated boxes
    assert len(axes.patches) == 3 * (2 + 2 + 4) + 2 * 2
    assert len(draw_boxes(replace(shown, ends=None)).axes[0].patches) == 3 * (2 + 2) + 2 * 2
    left, right = draw_ascent(shown).axes
    np.testing.assert_array_equal(left.lines[1].get_ydata(), shown.energy[:, 1] - shown.energy[0, 1])
    np.testing.assert_array_equal(right.lines[2].get_ydata(), shown.overlap[:, 2])
    unknown = replace(shown, overlap=np.full_like(shown.overlap, np.nan))
    assert len(draw_ascent(unknown).axes) == 1


def test_a_confidence_has_no_intervals(data: DetectionSet, detector: FasterRCNNDetector) -> None:
    recipe = recipe_of("iou-net")
    found = look_at(detector, build_branch(recipe, detector, 0).eval(), recipe, data, data.images[0], 2)
    assert found.ends is None
    assert found.path.shape == (STEPS + 1, 2, 4)


def test_pictures_are_found_by_id_and_name(data: DetectionSet) -> None:
    assert find_image(data, None) is data.images[0]
    assert find_image(data, "2") is find_image(data, "1.png") is data.images[1]
    with pytest.raises(
        InputError, match=r"none of the 2 pictures has the id or the file name 'x'; the first is 1, 0.png"
    ):
        find_image(data, "x")
    with pytest.raises(InputError, match="no pictures"):
        find_image(data.chosen([]), None)


def test_a_picture_without_detections_is_told(
    data: DetectionSet, detector: FasterRCNNDetector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ebm.tasks.detection.detectors.MIN_PROBABILITY", 1.0)
    recipe = recipe_of("nce+")
    with pytest.raises(InputError, match="the detector finds nothing in picture 1, 0.png"):
        look_at(detector, build_branch(recipe, detector, 0), recipe, data, data.images[0])
