"""Samples and batches for training: by hand, the same in any worker, and from any step on."""

from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ebm.exceptions import DomainError, InputError
from ebm.tasks.detection.data.records import DetectionSet
from ebm.tasks.detection.data.training import (
    Batches,
    Resizing,
    Sample,
    TrainingPictures,
    load_sample,
    training_loader,
)
from tests.ebm.tasks.detection.sets import draw, image_of, set_of

SMALL = Resizing(20, 40)


@pytest.fixture
def shapes(tmp_path: Path) -> DetectionSet:
    """Five lying pictures and four upright ones."""
    sizes = [(60, 40)] * 5 + [(40, 60)] * 4
    return set_of(
        *(
            image_of(k, [[1, 2, 30, 38]], [k % 2], size=size, path=draw(tmp_path / f"{k}.png", *size, seed=k))
            for k, size in enumerate(sizes)
        )
    )


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ((640, 480), (1067, 800)),  # the shorter side decides
        ((480, 640), (800, 1067)),
        ((1000, 200), (1333, 267)),  # the longer one does
        ((1, 5000), (1, 1333)),
    ],
)
def test_sizes_keep_the_shape_between_both_bounds(given: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert Resizing().size(*given) == wanted
    assert Resizing(800, 1333, enlarge=False).size(64, 48) == (64, 48)


def test_a_sample_by_hand(tmp_path: Path) -> None:
    pixels = np.zeros((40, 60, 3), dtype=np.uint8)
    pixels[10:20, 40:60, 0] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    image = image_of(1, [[40, 10, 60, 20]], [1], size=(60, 40), path=tmp_path / "a.png")
    plain = load_sample(image)
    assert plain.picture.shape == (3, 40, 60)
    assert plain.picture[0].nonzero().amin(0).tolist() == [10, 40]
    assert plain.picture.max() == 1
    flipped = load_sample(image, flip=True)
    assert flipped.boxes.tolist() == [[0, 10, 20, 20]]
    assert flipped.picture[0].nonzero().amax(0).tolist() == [19, 19]
    half = load_sample(image, SMALL)
    assert half.boxes.tolist() == [[20, 5, 30, 10]]
    assert half.scale.tolist() == [0.5, 0.5]
    assert half.picture.shape == (3, 20, 30)
    assert half.picture[0, 5:10, 20:].min() > 0.7 > 0.3 > half.picture[0, :4].max()


def test_a_turned_picture_and_one_of_another_size(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((40, 60, 3), dtype=np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    for size in ((40, 60), (60, 40)):
        sample = load_sample(image_of(1, [], [], size=size, path=tmp_path / "a.jpg"))
        assert tuple(sample.picture.shape[:0:-1]) == size
        assert sample.boxes.shape == (0, 4)
    with pytest.raises(InputError, match="its annotation is of 600 x 400 px"):
        load_sample(image_of(1, [], [], size=(600, 400), path=tmp_path / "a.jpg"))
    with pytest.raises(InputError, match="is missing"):
        load_sample(image_of(1, [], [], path=tmp_path / "nowhere.jpg"))


def test_an_epoch_has_every_picture_once_in_batches_of_one_shape(shapes: DetectionSet) -> None:
    batches = Batches(shapes, 2, seed=3)
    assert batches.steps_per_epoch == 3 + 2
    for epoch in range(3):
        made = batches.of_epoch(epoch)
        assert len(made) == 5
        assert Counter(place for batch in made for _, place in batch) == Counter(range(9))
        assert {epoch for batch in made for epoch, _ in batch} == {epoch}
        for batch in made:
            assert len({shapes.images[place].width for _, place in batch}) == 1
    assert batches.of_epoch(0) != [[(0, place) for _, place in batch] for batch in batches.of_epoch(1)]
    assert batches.of_epoch(0) != Batches(shapes, 2, seed=4).of_epoch(0)


def test_batches_go_on_from_any_step(shapes: DetectionSet) -> None:
    whole = list(islice(Batches(shapes, 2), 14))
    for iteration in (0, 1, 4, 5, 11):
        epoch, step = Batches(shapes, 2).place_of(iteration)
        assert list(islice(Batches(shapes, 2, epoch=epoch, step=step), 3)) == whole[iteration : iteration + 3]
    with pytest.raises(InputError, match="an epoch has 5 steps of 2; there is no 5"):
        Batches(shapes, 2, step=5)


def same(one: Sample, other: Sample) -> bool:
    return (
        torch.equal(one.picture, other.picture)
        and torch.equal(one.boxes, other.boxes)
        and (one.image_id, one.flipped) == (other.image_id, other.flipped)
    )


def test_workers_and_a_resumed_run_make_no_difference(shapes: DetectionSet) -> None:
    pictures = TrainingPictures(shapes, SMALL, seed=1)
    state = torch.get_rng_state()
    alone = list(islice(training_loader(pictures, Batches(shapes, 2)), 12))
    assert torch.equal(state, torch.get_rng_state())
    helped = list(islice(training_loader(pictures, Batches(shapes, 2), workers=2), 12))
    resumed = list(islice(training_loader(pictures, Batches(shapes, 2, epoch=1, step=2)), 5))
    for one, other in zip(alone, helped, strict=True):
        assert all(map(same, one, other))
    for one, other in zip(alone[7:], resumed, strict=True):
        assert all(map(same, one, other))
    flips = [sample.flipped for batch in alone for sample in batch]
    assert 0 < sum(flips) < len(flips)


def test_flips_come_as_often_as_asked(shapes: DetectionSet) -> None:
    for flip in (0.0, 1.0):
        pictures = TrainingPictures(shapes, SMALL, flip=flip)
        assert {pictures[0, place].flipped for place in range(9)} == {bool(flip)}
    pictures = TrainingPictures(shapes, SMALL)
    drawn = [pictures[epoch, 0].flipped for epoch in range(100)]
    assert 30 < sum(drawn) < 70


def test_what_cannot_be_trained_on_is_refused(shapes: DetectionSet) -> None:
    with pytest.raises(InputError, match="no picture with an object"):
        TrainingPictures(shapes.chosen([]), SMALL)
    with pytest.raises(InputError, match="no picture with an object"):
        Batches(shapes.chosen([]), 2)
    with pytest.raises(DomainError, match="is a probability"):
        TrainingPictures(shapes, SMALL, flip=1.5)
    with pytest.raises(DomainError, match="less than the shorter"):
        Resizing(800, 600)
    with pytest.raises(DomainError, match="seed"):
        Batches(shapes, 2, seed=-1)


def test_real_photos_are_batched(test_data: Path) -> None:
    from ebm.tasks.detection.data.opening import open_detection_set

    found, _ = open_detection_set(test_data / "coco/tiny_coco", "val")
    learnt = found.for_training()
    pictures = TrainingPictures(learnt, Resizing(96, 160))
    for batch in islice(training_loader(pictures, Batches(learnt, 2)), 3):
        for sample in batch:
            height, width = sample.picture.shape[1:]
            assert min(height, width) == 96 or max(height, width) == 160
            assert (sample.boxes >= 0).all()
            assert (sample.boxes[:, 2] <= width + 1e-3).all()
            assert (sample.boxes[:, 3] <= height + 1e-3).all()
