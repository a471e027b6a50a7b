"""ATOM's classifier as the light sets have it: several layers, no projection, one step of least squares."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ebm.exceptions import DomainError
from ltr.models.bbreg.atom import atom_resnet_small, atomnet_lite
from pytracking.parameter import find_parameters
from pytracking.parameter.atom_params import ATOMParams
from pytracking.parameter.base import LocalizeParams
from pytracking.tracker import make_tracker
from pytracking.tracker.atom.classifier import ATOMClassifier
from pytracking.tracker.base import Flag
from pytracking.tracker.common.geometry import CropView, ScoreGrid, TargetState
from pytracking.tracker.common.localize import localize

CELLS = 16
# Random weights on noise: localisation alone is sure of every peak.
SURE = {
    "advanced_localization": False,
    "init_cg_iter": 5,
    "box_refinement_iter": 2,
    "size_step": 1.1,
}
BOX = np.array([50.0, 50.0, 28.0, 28.0])  # in the middle of a crop of 128 px


def lite(name: str = "nce_plus_lite", **changes: object) -> ATOMParams:
    params = find_parameters("atom", name)
    assert isinstance(params, ATOMParams)
    return replace(params, **({"image_sample_size": 128} | changes))


@pytest.fixture(scope="module")
def net() -> torch.nn.Module:
    torch.manual_seed(0)
    return atomnet_lite(
        backbone_pretrained=False, iou_input_dim=(8, 8), iou_inter_dim=(8, 8), iou_hidden_dim=(8, 8)
    ).eval()


def maps(row: float, column: float) -> dict[str, torch.Tensor]:
    """Backbone maps with one texture at a place, in cells of the finer one, and noise of their own."""
    generator, noises = torch.Generator().manual_seed(0), torch.Generator().manual_seed(int(10 * row))
    levels = {}
    for name, channels, cells in (("stride8", 40, CELLS), ("stride16", 112, CELLS // 2)):
        place = torch.arange(cells) * CELLS / cells + (CELLS / cells - 1) / 2
        spot = torch.outer(torch.exp(-((place - row) ** 2) / 4), torch.exp(-((place - column) ** 2) / 4))
        texture, ground = (torch.randn(1, channels, 1, 1, generator=generator) for _ in range(2))
        noise = 0.3 * torch.randn(1, channels, cells, cells, generator=noises)
        levels[name] = ground + noise + 3 * texture * spot
    return levels


def test_the_features_are_those_of_both_strides_and_the_filter_has_all_their_channels(net) -> None:
    classifier = ATOMClassifier(net, lite())
    features = classifier.features(maps(7.5, 7.5))
    assert features.shape == (1, 152, CELLS, CELLS)
    torch.testing.assert_close(features[:, :40].norm(dim=1), torch.ones(1, CELLS, CELLS))


@pytest.mark.parametrize("move", [(0, 0), (2, -3)])
def test_the_scores_peak_where_the_target_went(net, move: tuple[int, int]) -> None:
    classifier = ATOMClassifier(net, lite(use_augmentation=False))
    features = classifier.features(maps(7.5, 7.5))
    with torch.no_grad():
        classifier.learn(features, BOX[None], torch.Generator())
        scores = classifier.score(classifier.features(maps(7.5 + move[0], 7.5 + move[1])))[0]
    peak = np.unravel_index(scores.argmax(), scores.shape) - np.array(classifier.grid(features).center)
    np.testing.assert_allclose(peak, np.array(move) * 8, atol=4)
    assert 0.3 < scores.max() < 1.2


def test_the_filter_solves_the_least_squares_that_its_parameters_state(net) -> None:
    """With enough steps it is the ridge regression's; one cell decides a 1 x 1 filter of one sample."""
    params = lite(use_augmentation=False, filter_size=(1, 1), filter_reg=0.5, init_cg_iter=60)
    classifier = ATOMClassifier(net, params)
    features = classifier.features(maps(7.5, 7.5)).double()
    with torch.no_grad():
        classifier.learn(features, BOX[None], torch.Generator())
        labels = classifier._fit(features, torch.from_numpy(BOX[None]), torch.ones(1)).labels
    x, y = features[0].flatten(1), labels.flatten()
    exact = torch.linalg.solve(x @ x.T + 0.5 * torch.eye(len(x), dtype=x.dtype), x @ y)
    torch.testing.assert_close(classifier._filter.flatten(), exact, atol=1e-6, rtol=1e-6)


def test_strides_that_a_backbone_has_not_are_named(net) -> None:
    params = lite(classifier_strides=(8, 32), classifier_weights=(1.0, 1.0))
    with pytest.raises(DomainError, match="no layer of stride 32"):
        ATOMClassifier(net, params)
    with pytest.raises(DomainError, match="classifier_weights"):
        lite(classifier_weights=(1.0,))
    with pytest.raises(DomainError, match="compressed_dim"):
        lite(compressed_dim=0)


def test_a_window_of_some_weight_damps_the_border_by_it_at_most() -> None:
    size = 33
    scores = np.ones((1, size, size))
    scores[0, 1, 1] = 1.2
    view = CropView(center=np.array([64.0, 64.0]), scale=1.0, crop_size=(128, 128))
    state = TargetState(
        position=view.center, size=np.array([20.0, 20.0]), scale=1.0, base_size=np.array([20.0, 20.0])
    )
    grid = ScoreGrid(center=(16, 16), cells=(size, size))
    for weight, at_the_border in ((0.0, True), (0.1, True), (0.5, False)):
        params = LocalizeParams(
            window_output=True,
            window_weight=weight,
            advanced_localization=False,
            perform_hn_without_windowing=True,
        )
        found = localize(scores, [view], state, grid, params)
        assert bool(found.position[0] < 10) == at_the_border, weight
        assert found.flag is Flag.NORMAL
        assert found.score == 1.2  # what is told is not damped


@pytest.mark.parametrize("name", ["nce_plus_lite", "multiscale_lite"])
def test_the_light_sets_track(net, name: str) -> None:
    tracker = make_tracker("atom", lite(name, **SURE), network=net, device="cpu")
    frame = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    tracker.initialize(frame, (60, 40, 30, 36))
    result = tracker.track(frame)
    assert np.isfinite(result.box).all()
    assert result.state == "ok"
    assert result.confidence is None
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in tracker.network.feature_extractor.modules())
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in net.feature_extractor.modules())


def test_a_calibrated_confidence_decides_the_state_and_a_lost_box_repeats_the_last(net) -> None:
    frame = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    for bias, state in ((9.0, "ok"), (-0.5, "uncertain"), (-9.0, "lost")):
        net.info = {"confidence_weights": [bias, 0.0, 0.0]}  # as a JSON file has it
        results = []
        for acts in (True, False):
            params = lite(**SURE, confidence_acts=acts)
            tracker = make_tracker("atom", params, network=net, device="cpu")
            tracker.initialize(frame, (60, 40, 30, 36))
            results.append(tracker.track(np.roll(frame, 4, axis=1)))
        assert [result.state for result in results] == [state] * 2
        assert results[0].confidence == pytest.approx(1 / (1 + np.exp(-bias)))
        if state == "lost":
            np.testing.assert_allclose(results[0].box, (60, 40, 30, 36))
            assert abs(results[1].box - (60, 40, 30, 36)).max() > 1  # it only tells
        else:
            np.testing.assert_array_equal(results[0].box, results[1].box)
    net.info = {"feature_stride": 16}


def test_a_network_of_other_layers_is_read_at_the_same_strides() -> None:
    net = atom_resnet_small(iou_inter_dim=(8, 8))
    classifier = ATOMClassifier(net, lite(classifier_strides=(4, 8)))
    assert list(classifier._read.layers) == ["layer1", "layer3"]
