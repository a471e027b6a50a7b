"""The weights that are installed: whole, as their cards say, and as good on real videos as they were.

New weights need no change here but of `BANDS`.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

import pytracking
from ebm.integrity.checksums import sha256_of
from ltr.data.image_loader import read_image
from ltr.run_training import build_parser
from ltr.train_settings.recipe import find_recipe
from pytracking.analysis.metrics import iou
from pytracking.demo.clip_files import CLIP
from pytracking.evaluation.datasets import open_dataset
from pytracking.evaluation.video_io import open_video
from pytracking.parameter import find_parameters
from pytracking.parameter.default import DEFAULT_PARAMETERS, DEFAULT_TRACKER
from pytracking.weights.shipped import FOLDER, Shipped, shipped
from pytracking.weights.verifying import verify_shipped

INSTALLED = {found.card.name: found for found in shipped()}
BANDS = {"atom_nce_plus_lite": (65.0, 95.0)}
"""AUC on the demo's clip, every fourth frame; a repeated first box has 24."""
LIMIT = 12e6  # bytes of all weights
CARDS_AGREE = 6.0  # points of AUC: other processors round otherwise, and a track may part from there
STRIDE = 4

each = pytest.mark.parametrize("name", INSTALLED)


def test_the_default_tracker_is_among_them_and_all_are_small() -> None:
    used = {(found.card.tracker, found.card.parameters) for found in INSTALLED.values()}
    assert (DEFAULT_TRACKER, DEFAULT_PARAMETERS) in used
    assert sum(found.size for found in INSTALLED.values()) < LIMIT
    assert BANDS.keys() == INSTALLED.keys()


@each
def test_every_promise_of_the_card_holds(name: str) -> None:
    found, network = verify_shipped(name)
    assert sha256_of(found.path) == found.card.weights_sha256
    assert not network.training


@each
def test_the_card_says_what_it_must(name: str) -> None:
    card = INSTALLED[name].card
    module, setting = card.recipe.split("/")
    assert find_recipe(module, setting).network.constructor == card.network
    words = card.command.split()
    trained = build_parser().parse_args(words[words.index("train") + 1 :])
    assert (trained.module, trained.name) == (module, setting)
    assert f"{name}.pth.tar" in find_parameters(card.tracker, card.parameters).network_files
    assert card.seeds
    assert card.hardware
    assert card.hours
    assert card.failures
    assert all(row["licence"] for row in card.data)
    assert all(0 <= float(row["AUC"]) <= 100 for row in card.results)
    page = (FOLDER / f"{name}.card.md").read_text(encoding="utf-8")
    assert page == card.markdown()


def auc(found: Shipped, frames: Iterable[np.ndarray], truth: np.ndarray) -> float:
    """Area under the success curve of a track, in percent; T frames and boxes ``[T, 4]``."""
    tracker = pytracking.load(found.card.tracker, found.card.parameters, found.path, device="cpu")
    images = iter(frames)
    tracker.initialize(next(images), tuple(truth[0]))
    boxes = np.array([truth[0], *(tracker.track(image).box for image in images)])
    assert boxes.shape == truth.shape
    return float(100 * (iou(boxes, truth)[:, None] > np.linspace(0, 1, 21)).mean())


@pytest.mark.slow
@each
def test_the_clip_is_tracked_as_well_as_it_was(name: str) -> None:
    low, high = BANDS[name]
    truth = np.loadtxt(CLIP.with_suffix(".txt"), delimiter=",")[::STRIDE]
    images = (image for number, image in enumerate(open_video(CLIP).frames()) if number % STRIDE == 0)
    assert low < auc(INSTALLED[name], images, truth) < high


@pytest.mark.slow
@each
def test_a_real_sequence_has_the_auc_that_the_card_states(name: str, test_data: Path) -> None:
    found = INSTALLED[name]
    stated = {row["sequence"]: float(row["AUC"]) for row in found.card.results}
    if "Crossing" not in stated:
        pytest.skip("the card does not report this sequence")
    (video,) = open_dataset("otb", test_data / "otb", sequences=["Crossing"])
    images = (read_image(path, sequence=video.name, frame=number) for number, path in enumerate(video.frames))
    assert auc(found, images, video.ground_truth) == pytest.approx(stated["Crossing"], abs=CARDS_AGREE)
