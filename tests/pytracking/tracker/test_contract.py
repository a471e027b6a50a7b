"""What every tracker promises, held by each member of TRACKERS on a synthetic video."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from ebm.exceptions import DomainError, EBMError, InputError, UnknownNameError
from ltr.models.bbreg.atom import atom_resnet_small
from ltr.models.tracking.dimpnet import dimpnet_small
from pytracking.parameter import find_parameters, parameter_names
from pytracking.parameter.atom_params import ATOMParams
from pytracking.parameter.base import Params
from pytracking.parameter.dimp_params import DiMPParams
from pytracking.tracker import TRACKERS, make_tracker
from pytracking.tracker.base import Tracked, Tracker

BOX = (60.0, 80.0, 30.0, 36.0)
GEOMETRY = {
    "image_sample_size": 128,
    "search_area_scale": 5.0,
    "crop_type": "inside_major",
    "max_scale_change": 1.5,
    "feature_stride": 8,
}
Make = Callable[..., Tracker]


def frame(time: int) -> np.ndarray:
    """A red and blue card that moves 3 px a frame over a grainy background, ``[240, 320, 3]``."""
    image = 90 + np.random.default_rng(1).integers(0, 40, (240, 320, 3), dtype=np.uint8)
    x, y = int(BOX[0]) + 3 * time, int(BOX[1]) + time
    image[y : y + 36, x : x + 30] = (220, 60, 40)
    image[y + 8 : y + 20, x + 8 : x + 20] = (20, 40, 230)
    return image


def network(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    net = dimpnet_small()
    net.info = dict(GEOMETRY)
    return net


def atom_network(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    net = atom_resnet_small()
    net.info = dict(GEOMETRY)
    return net


def atom_params(**changes: object) -> ATOMParams:
    params = find_parameters("atom", "atom_nce_plus")
    assert isinstance(params, ATOMParams)
    return replace(params, **({"init_cg_iter": 12} | changes))


def dimp_params(**changes: object) -> DiMPParams:
    params = find_parameters("dimp", "nce_plus")
    assert isinstance(params, DiMPParams)
    return replace(params, **changes)


def build(name: str, *, params: Params | None = None, **options: object) -> Tracker:
    if name == "dimp":
        return make_tracker(name, params or dimp_params(), network=network(), device="cpu", **options)
    if name == "atom":
        return make_tracker(name, params or atom_params(), network=atom_network(), device="cpu", **options)
    return make_tracker(name, params or Params(), device="cpu", **options)


def run(tracker: Tracker, frames: int = 4) -> list[Tracked]:
    tracker.initialize(frame(0), BOX)
    return [tracker.track(frame(t)) for t in range(1, frames + 1)]


def assert_same(first: list[Tracked], second: list[Tracked]) -> None:
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.box, b.box)
        assert (a.score, a.flag) == (b.score, b.flag)


EVERY = pytest.mark.parametrize("name", sorted(TRACKERS))


@EVERY
def test_results_have_the_promised_types(name: str) -> None:
    tracker = build(name)
    for result in run(tracker):
        assert result.box.dtype == np.float64
        assert result.box.shape == (4,)
        assert np.isfinite(result.box).all()
        assert (result.box[2:] > 0).all()
        assert isinstance(result.score, float)
        assert 0 <= result.score <= 1
        assert result.state in ("ok", "uncertain", "lost")
        assert result.covariance is None
    assert isinstance(tracker.notes, tuple)


@EVERY
def test_equal_seeds_give_equal_tracks_whatever_came_before(name: str) -> None:
    tracker = build(name, seed=3)
    first = run(tracker)
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002
    assert_same(first, run(tracker))
    assert_same(first, run(build(name, seed=3)))


@EVERY
def test_frames_and_boxes_are_not_changed(name: str) -> None:
    image, box = frame(0), np.array(BOX)
    tracker = build(name)
    tracker.initialize(image, box)
    result = tracker.track(image)
    np.testing.assert_array_equal(image, frame(0))
    np.testing.assert_array_equal(box, BOX)
    result.box[:] = -1
    assert (tracker.track(image).box[2:] > 0).all()


@EVERY
def test_grey_frames_and_a_callers_inference_mode_are_fine(name: str) -> None:
    tracker = build(name)
    with torch.inference_mode():
        tracker.initialize(frame(0)[..., 0], list(BOX))
        assert tracker.track(frame(1)[..., 0]).box.shape == (4,)


@EVERY
@pytest.mark.parametrize(
    ("image", "box", "error"),
    [
        (frame(0).astype(np.float32), BOX, InputError),
        (frame(0), (10, 10, 0, 5), DomainError),
        (frame(0), (10, 10, np.nan, 5), DomainError),
        (frame(0), (400, 10, 10, 5), DomainError),
    ],
)
def test_a_bad_start_is_refused(name: str, image: np.ndarray, box: tuple, error: type[EBMError]) -> None:
    with pytest.raises(error):
        build(name).initialize(image, box)


@EVERY
def test_a_bad_frame_is_refused_and_the_track_goes_on(name: str) -> None:
    tracker, spared = build(name), build(name)
    tracker.initialize(frame(0), BOX)
    with pytest.raises(InputError):
        tracker.track(frame(1) / 255)
    spared.initialize(frame(0), BOX)
    assert_same([tracker.track(frame(1))], [spared.track(frame(1))])


@EVERY
def test_tracking_before_a_start_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="initialize"):
        build(name).track(frame(0))


@EVERY
def test_a_target_at_the_corner_of_a_tiny_frame(name: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    tracker = build(name)
    tracker.initialize(image, (-2, -2, 8, 6))
    assert np.isfinite(tracker.track(image).box).all()
    assert np.isfinite(tracker.track(image[:16, :20]).box).all()


def test_unknown_tracker() -> None:
    with pytest.raises(UnknownNameError, match="'dimp'"):
        make_tracker("dipm", Params())


def test_a_tracker_refuses_another_trackers_parameters() -> None:
    with pytest.raises(InputError, match="ATOMParams"):
        make_tracker("atom", dimp_params(), network=atom_network(), device="cpu")
    with pytest.raises(InputError, match="DiMPParams"):
        make_tracker("dimp", Params(), network=network(), device="cpu")


def test_first_box_repeats_its_box() -> None:
    for result in run(build("first_box")):
        np.testing.assert_array_equal(result.box, BOX)
        assert (result.score, result.state) == (1.0, "ok")


@pytest.mark.parametrize("name", ["atom", "dimp"])
def test_the_classifier_follows_the_target_even_with_random_features(name: str) -> None:
    make = {"atom": atom_params, "dimp": dimp_params}[name]
    tracker = build(name, params=make(use_iou_net=False))
    results = run(tracker, 30)
    truth = np.array([[BOX[0] + 3 * t, BOX[1] + t] for t in range(1, 31)])
    error = np.linalg.norm(np.stack([r.box[:2] for r in results]) - truth, axis=1)
    assert error.max() < 12  # the card moves 95 px
    assert [r.state for r in results].count("ok") > 25


def test_geometry_of_the_network_wins_over_the_parameter_set() -> None:
    tracker = build("dimp")
    assert tracker.params.image_sample_size == 128
    assert tracker.params.search_area_scale == 5.0
    assert any("image_sample_size 128" in note and "352" in note for note in tracker.notes)
    fixed = dimp_params(geometry_from_network=False, image_sample_size=160)
    assert build("dimp", params=fixed).params.image_sample_size == 160
    same = dimp_params(image_sample_size=128, search_area_scale=5.0)
    assert build("dimp", params=same).notes == ()


def test_an_unusable_geometry_is_the_checkpoints_fault() -> None:
    net = network()
    net.info = {"image_sample_size": 3}
    with pytest.raises(InputError, match="net_info.*image_sample_size"):
        make_tracker("dimp", dimp_params(), network=net, device="cpu")


def test_covariance_is_positive_and_changes_no_track() -> None:
    plain, rich = run(build("dimp")), run(build("dimp", with_covariance=True))
    assert_same(plain, rich)
    for result in rich:
        if result.state != "lost":
            assert result.covariance is not None
            assert result.covariance.shape == (4, 4)
            np.testing.assert_allclose(result.covariance, result.covariance.T, rtol=1e-9)
            assert np.linalg.eigvalsh(result.covariance).min() > -1e-9


def test_several_search_scales() -> None:
    params = dimp_params(scale_factors=(0.9, 1.0, 1.1), use_iou_net=False)
    results = run(build("dimp", params=params), 10)
    assert all(np.isfinite(r.box).all() for r in results)


@pytest.mark.parametrize(
    "changes",
    [
        {"update_classifier": False},
        {"use_augmentation": False},
        {"score_preprocess": "softmax", "target_not_found_threshold": 0.0},
        {"score_preprocess": "exp"},
        {"iounet_augmentation": True},
        {"window_output": True},
        {"low_score_opt_threshold": 10.0, "net_opt_low_iter": 1},
        {"box_refinement_space": "default", "box_refinement_step_length": (1.0, 0.5)},
        {"sample_memory_size": 8},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_options_of_the_parameter_set(changes: dict[str, object]) -> None:
    results = run(build("dimp", params=dimp_params(**changes)))
    assert all(np.isfinite(r.box).all() for r in results)


@pytest.mark.parametrize("name", parameter_names("atom"))
def test_every_atom_set_tracks_the_same_way_twice(name: str) -> None:
    params = find_parameters("atom", name)
    assert isinstance(params, ATOMParams)
    params = replace(params, init_cg_iter=12, target_not_found_threshold=-1e9)
    if params.classifier_strides:  # the small network has no stride of 16
        params = replace(params, classifier_strides=(4, 8))
    first = run(build("atom", params=params, seed=1), 3)
    assert_same(first, run(build("atom", params=params, seed=1), 3))
    assert all(np.isfinite(r.box).all() for r in first)


@pytest.mark.parametrize(
    "changes",
    [
        {"update_classifier": False},
        {"use_augmentation": False},
        {"filter_size": (3, 3)},
        {"response_floor": None},
        {"init_cg_iter": 0},
        {"iounet_augmentation": True},
        {"window_output": True, "perform_hn_without_windowing": True},
        {"box_refinement_step_decay": 0.5},
        {"sample_memory_size": 8},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_options_of_atom(changes: dict[str, object]) -> None:
    results = run(build("atom", params=atom_params(**changes)), 3)
    assert all(np.isfinite(r.box).all() for r in results)


def test_a_lost_target_keeps_its_box_and_learns_nothing() -> None:
    tracker = build("dimp", params=dimp_params(target_not_found_threshold=1e6))
    results = run(tracker)
    for result in results:
        np.testing.assert_allclose(result.box, BOX)
        assert result.state == "lost"
    assert tracker.classifier.memory.weights.count == 15


def test_two_trackers_share_a_network_without_disturbing_each_other() -> None:
    net = network()
    alone = run(make_tracker("dimp", dimp_params(), network=net, device="cpu"))
    first = make_tracker("dimp", dimp_params(), network=net, device="cpu")
    second = make_tracker("dimp", dimp_params(), network=net, device="cpu", seed=5)
    first.initialize(frame(0), BOX)
    second.initialize(frame(3), (69.0, 83.0, 30.0, 36.0))
    mixed = []
    for t in range(1, 5):
        mixed.append(first.track(frame(t)))
        second.track(frame(3 + t))
    assert_same(alone, mixed)
