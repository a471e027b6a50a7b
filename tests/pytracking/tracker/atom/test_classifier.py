"""ATOM's classifier: labels, sample count, schedule, and where its scores say the target is."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ltr.models.bbreg.atom import atom_resnet_small
from pytracking.libs.dcf import gauss_label_1d
from pytracking.parameter import find_parameters
from pytracking.parameter.atom_params import ATOMParams
from pytracking.tracker.atom.classifier import ATOMClassifier, gaussian_labels, label_sigma
from pytracking.tracker.base import Flag

SIDE = 16  # cells of the features
CENTER = np.array([50.0, 50.0, 28.0, 28.0])  # a target in the middle of a crop of 128 px


def atom_params(name: str = "default", **changes: object) -> ATOMParams:
    params = find_parameters("atom", name)
    assert isinstance(params, ATOMParams)
    return replace(params, **changes)


SMALL = atom_params(image_sample_size=128, compressed_dim=8, init_gn_iter=2, init_cg_iter=20)


def blob(rows: list[float], columns: list[float]) -> torch.Tensor:
    """Features ``[N, 6, 16, 16]`` with a textured spot at the given cells, and noise."""
    generator = torch.Generator().manual_seed(0)
    texture = torch.randn(6, 1, 1, generator=generator)
    cells = torch.arange(SIDE)
    spots = [
        torch.outer(torch.exp(-((cells - r) ** 2) / 3), torch.exp(-((cells - c) ** 2) / 3))
        for r, c in zip(rows, columns)
    ]
    features = texture * torch.stack(spots)[:, None]
    return features + 0.05 * torch.randn(features.shape, generator=generator)


def learnt(params: ATOMParams = SMALL) -> ATOMClassifier:
    classifier = ATOMClassifier(atom_resnet_small(), params)
    with torch.no_grad():
        middle = (SIDE - 1) / 2
        classifier.learn(blob([middle], [middle]), CENTER[None], torch.Generator().manual_seed(0))
    return classifier


def test_published_label_width_and_row() -> None:
    params = atom_params()
    box = np.array(
        [115.2, 115.2, 57.6, 57.6]
    )  # a fifth of the crop, its centre half a pixel before the middle
    assert label_sigma(box, params, (18, 18)) == pytest.approx(0.9)
    middle = torch.tensor([[143.5 - 28.3, 143.5 - 28.3, 57.6, 57.6]], dtype=torch.float64)
    label = gaussian_labels(middle, params, (18, 18), 0.9)[0].numpy()
    row = gauss_label_1d(18, 0.9, 0.5)
    np.testing.assert_allclose(label, np.outer(row, row), atol=1e-12)
    np.testing.assert_allclose(label[9, 9:13], [1, 0.5394, 0.0847, 0.0039], atol=5e-5)


def test_a_target_one_cell_on_has_its_label_one_cell_on() -> None:
    boxes = torch.tensor([[40.0, 60.0, 30.0, 20.0], [56.0, 92.0, 30.0, 20.0]])
    labels = gaussian_labels(boxes, atom_params(), (18, 18), 0.9)
    torch.testing.assert_close(labels[1, 2:, 1:], labels[0, :-2, :-1])


def test_the_published_augmentation_gives_thirty_samples() -> None:
    augmentation = atom_params().augmentation
    assert 1 + len(augmentation.relative_shift) + 1 + len(augmentation.blur) + len(augmentation.rotate) == 23
    assert augmentation.dropout == (7, 0.2)


def test_features_have_root_mean_square_one() -> None:
    classifier = ATOMClassifier(atom_resnet_small(), SMALL)
    maps = torch.stack((torch.randn(4, 5, 5), 1e3 * torch.randn(4, 5, 5), torch.zeros(4, 5, 5)))
    features = classifier.features({"layer3": maps})
    torch.testing.assert_close(features.square().mean((1, 2, 3)), torch.tensor([1.0, 1.0, 0.0]))


@pytest.mark.parametrize("move", [(0.0, 0.0), (2.0, -3.0), (-1.5, 0.5)])
def test_the_scores_peak_where_the_target_went(move: tuple[float, float]) -> None:
    classifier = learnt()
    middle = (SIDE - 1) / 2
    features = blob([middle + move[0]], [middle + move[1]])
    scores = classifier.score(features)[0]
    grid = classifier.grid(features)
    assert scores.shape == (128, 128)
    peak = np.unravel_index(scores.argmax(), scores.shape) - np.array(grid.center)
    np.testing.assert_allclose(peak, np.array(move) * 8, atol=2)
    assert 0.6 < scores.max() < 1.1  # the label's peak is 1, the regularisation takes a part


def test_what_is_remembered_and_when_the_filter_changes() -> None:
    classifier = learnt(replace(SMALL, train_skipping=10))
    memory = classifier.memory
    assert memory is not None
    first = memory.weights.count
    sample, before = blob([7.5], [7.5]), classifier._filter

    def update(flag: Flag, frame: int) -> tuple[int, bool]:
        nonlocal before
        with torch.no_grad():
            classifier.update(sample, CENTER, flag, frame, 0.5)
        changed = not torch.equal(before, classifier._filter)
        before = classifier._filter
        return memory.weights.count - first, changed

    assert update(Flag.NORMAL, 2) == (1, False)
    assert update(Flag.HARD_NEGATIVE, 3) == (2, True)
    assert update(Flag.UNCERTAIN, 4) == (2, False)
    assert update(Flag.NOT_FOUND, 11) == (2, True)  # due, whatever the frame shows
    assert update(Flag.NORMAL, 21) == (3, True)


def test_without_updates_nothing_is_remembered() -> None:
    classifier = learnt(replace(SMALL, update_classifier=False))
    before = classifier._filter
    classifier.update(blob([7.5], [7.5]), CENTER, Flag.HARD_NEGATIVE, 2, 0.5)
    assert classifier.memory is None
    assert torch.equal(before, classifier._filter)


def test_equal_seeds_learn_equal_filters() -> None:
    assert torch.equal(learnt()._filter, learnt()._filter)
