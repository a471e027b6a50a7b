"""A training sample: shapes, geometry, and which decisions belong to a sample or to a frame."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ebm.exceptions import DomainError, UnknownNameError
from ltr.data.crops import reduced_region, sample_target_adaptive
from ltr.data.image_loader import open_image
from ltr.data.processing import (
    DiMPProcessing,
    Frame,
    ProcessingConfig,
    RawSample,
    TrackingSample,
    jittered_box,
)
from ltr.data.proposals import ProposalConfig
from ltr.data.transforms import PUBLISHED_MIRROR
from tests.ltr.layouts import write_image

BOX = np.array([40, 90, 60, 40], dtype=np.float32)
SMALL = ProcessingConfig(output_sz=128, proposals=ProposalConfig(num_samples=16))
STILL = replace(
    SMALL,
    center_jitter_train=0.0,
    center_jitter_test=0.0,
    scale_jitter_train=0.0,
    scale_jitter_test=0.0,
    flip_sample=0.0,
    flip_frame=0.0,
    grayscale=0.0,
    brightness_jitter=0.0,
)


def red_square() -> np.ndarray:
    """A dark coloured frame of 320 x 240 px with a red target."""
    image = np.full((240, 320, 3), (10, 40, 20), dtype=np.uint8)
    image[90:130, 40:100] = (250, 60, 20)
    return image


def raw(frames: int = 2) -> RawSample:
    frame = Frame(red_square(), BOX)
    return RawSample("lasot", "cat-1", [frame] * frames, [frame] * (frames + 1))


def process(config: ProcessingConfig, seed: int = 0, frames: int = 2) -> TrackingSample:
    generator = torch.Generator().manual_seed(seed)
    return DiMPProcessing(config)(raw(frames), np.random.default_rng(seed), generator)


def test_shapes_and_types() -> None:
    sample = process(SMALL)
    expected = {
        "train_images": (2, 3, 128, 128),
        "train_gain": (2,),
        "train_anno": (2, 4),
        "train_label": (2, 9, 9),
        "test_images": (3, 3, 128, 128),
        "test_gain": (3,),
        "test_anno": (3, 4),
        "test_label": (3, 9, 9),
        "test_proposals": (3, 17, 4),
        "proposal_log_q": (3, 17),
        "gt_log_density": (3, 17),
    }
    for key, shape in expected.items():
        value = sample[key]  # type: ignore[literal-required]
        assert tuple(value.shape) == shape, key
        assert value.dtype == (torch.uint8 if "images" in key else torch.float32), key
    assert (sample["dataset"], sample["sequence"]) == ("lasot", "cat-1")
    assert expected.keys() | {"dataset", "sequence"} == sample.keys()


@pytest.mark.parametrize("seed", range(12))
def test_the_target_is_in_its_box_whatever_the_augmentation(seed: int) -> None:
    sample = process(replace(SMALL, grayscale=0.0), seed)
    for part in ("train", "test"):
        for image, box in zip(sample[f"{part}_images"], sample[f"{part}_anno"], strict=True):  # type: ignore[literal-required]
            lit = (image[0] > 130).nonzero()
            x0, y0, x1, y1 = box[0], box[1], box[0] + box[2], box[1] + box[3]
            low = torch.tensor([y0, x0]).clamp(0, 128)
            high = torch.tensor([y1, x1]).clamp(0, 128)
            torch.testing.assert_close(lit.amin(0).float(), low, rtol=0, atol=1.0)
            torch.testing.assert_close(lit.amax(0).float() + 1, high, rtol=0, atol=1.0)


def test_without_augmentation_it_is_the_plain_crop() -> None:
    sample = process(STILL)
    crop, _ = sample_target_adaptive(red_square(), BOX, 6.0, 128, "inside_major", 1.5)
    for image in sample["train_images"]:
        np.testing.assert_array_equal(image.permute(1, 2, 0).numpy(), crop)
    assert (sample["train_gain"] == 1).all()


def test_labels_peak_at_the_target() -> None:
    sample = process(STILL)
    centre = sample["train_anno"][0, :2] + sample["train_anno"][0, 2:] / 2
    peak = sample["train_label"][0].argmax()
    torch.testing.assert_close(
        torch.tensor([peak % 9, peak // 9]).float(), (centre / 16).round(), rtol=0, atol=0
    )


def test_sample_decisions_are_shared_and_frame_decisions_are_not() -> None:
    def is_grey(images: torch.Tensor) -> list[bool]:
        return [bool((image[0] == image[1]).all()) for image in images]

    def is_flipped(annos: torch.Tensor) -> list[bool]:
        return [bool((anno - straight).abs().max() > 1e-3) for anno in annos]

    straight = process(STILL)["train_anno"][0]
    mirrored = process(replace(STILL, flip_sample=1.0))["train_anno"][0]
    assert (straight - mirrored).abs().max() > 1  # the crop is pushed inside, so the target is off its centre
    for seed in range(6):
        grey = process(replace(STILL, grayscale=0.5, flip_sample=0.5), seed, frames=4)
        assert len({*is_grey(grey["train_images"]), *is_grey(grey["test_images"])}) == 1
        assert len({*is_flipped(grey["train_anno"]), *is_flipped(grey["test_anno"])}) == 1
    mixed = process(replace(STILL, flip_frame=0.5, brightness_jitter=0.2), 1, frames=12)
    assert len(set(is_flipped(mixed["train_anno"]))) == 2
    assert len(mixed["train_gain"].unique()) == 12
    assert 0.8 <= mixed["train_gain"].min() < mixed["train_gain"].max() <= 1.2


def test_both_flips_together_cancel() -> None:
    both = process(replace(STILL, flip_sample=1.0, flip_frame=1.0))
    assert torch.equal(both["train_images"], process(STILL)["train_images"])


def test_the_mirror_is_exact_unless_the_published_one_is_asked_for() -> None:
    straight, exact, published = (
        process(replace(STILL, **changes))["train_anno"][0]
        for changes in ({}, {"flip_sample": 1.0}, {"flip_sample": 1.0, "flip_margin": PUBLISHED_MIRROR})
    )
    torch.testing.assert_close(exact[0], 128 - (straight[0] + straight[2]))
    torch.testing.assert_close(exact - published, torch.tensor([1.0, 0, 0, 0]))


def test_validation_keeps_sample_decisions_and_drops_frame_decisions() -> None:
    config = replace(STILL, flip_sample=1.0, flip_frame=1.0, brightness_jitter=0.2)
    validation, training = process(replace(config, training=False)), process(config)
    assert (validation["train_gain"] == 1).all()
    assert (training["train_gain"] != 1).all()
    assert torch.equal(validation["train_images"], training["train_images"].flip(-1))


def test_jitter_has_the_stated_spread() -> None:
    rng = np.random.default_rng(0)
    boxes = np.stack([jittered_box(BOX, 3.0, 0.25, rng) for _ in range(4000)]).astype(np.float64)
    log_size = np.log(boxes[:, 2:] / BOX[2:])
    np.testing.assert_allclose(log_size.std(axis=0), 0.25, rtol=0.05)
    shift = boxes[:, :2] + boxes[:, 2:] / 2 - (BOX[:2] + BOX[2:] / 2)
    relative = shift / np.sqrt(boxes[:, 2:].prod(axis=1, keepdims=True))
    assert np.abs(relative).max() <= 1.5
    np.testing.assert_allclose(relative.std(axis=0), 3 / np.sqrt(12), rtol=0.05)
    np.testing.assert_allclose(jittered_box(BOX, 0.0, 0.0, rng), BOX)


def test_images_lie_channels_last_so_that_nothing_was_transposed() -> None:
    images = process(SMALL)["train_images"]
    assert images.permute(0, 2, 3, 1).is_contiguous()


def test_the_crop_must_be_whole_cells() -> None:
    with pytest.raises(DomainError, match=r"multiple of feature_stride \(16\), got 130"):
        DiMPProcessing(replace(SMALL, output_sz=130))


def test_a_frame_without_a_target_is_an_error() -> None:
    frame = Frame(red_square(), np.array([1, 1, 0, 5], dtype=np.float32))
    with pytest.raises(DomainError, match="four finite numbers"):
        DiMPProcessing(STILL)(
            RawSample("d", "s", [frame], [frame]), np.random.default_rng(0), torch.Generator()
        )


def test_reduced_decoding_shows_the_same_crop(tmp_path: Path) -> None:
    file = tmp_path / "big.jpg"
    coarse = np.random.default_rng(3).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    cv2.imwrite(str(file), cv2.resize(coarse, (1280, 720), interpolation=cv2.INTER_CUBIC))
    box = np.array([400, 300, 180, 130], dtype=np.float32)
    samples = {}
    for decode in ("exact", "reduced"):
        config = ProcessingConfig(
            decode=decode,
            output_sz=128,
            grayscale=0.0,
            scale_jitter_train=0.1,
            scale_jitter_test=0.1,
            proposals=ProposalConfig(num_samples=4),
        )
        image = open_image(file)
        image.keep = True
        raw = RawSample("d", "s", [Frame(image, box)] * 2, [Frame(image, box)] * 2)
        samples[decode] = DiMPProcessing(config)(
            raw, np.random.default_rng(0), torch.Generator().manual_seed(0)
        )
        assert set(image._pixels) == ({1} if decode == "exact" else {4})
    exact, reduced = samples["exact"], samples["reduced"]
    difference = (exact["train_images"].float() - reduced["train_images"].float()).abs()
    assert difference.mean() < 2.5
    assert (exact["test_anno"] - reduced["test_anno"]).abs().max() < 1.0


def test_reduced_decoding_of_small_crops_is_exact(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg", size=(96, 64))
    box = np.array([30, 20, 20, 14], dtype=np.float32)
    results = []
    for decode in ("exact", "reduced"):
        config = ProcessingConfig(decode=decode, output_sz=96, proposals=ProposalConfig(num_samples=4))
        frames = [Frame(open_image(tmp_path / "a.jpg"), box)]
        raw = RawSample("d", "s", frames, frames)
        results.append(
            DiMPProcessing(config)(raw, np.random.default_rng(0), torch.Generator().manual_seed(0))
        )
    assert torch.equal(results[0]["train_images"], results[1]["train_images"])
    assert torch.equal(results[0]["test_anno"], results[1]["test_anno"])


def test_how_far_an_image_may_be_reduced() -> None:
    assert reduced_region((-7, 3, 705, 705), (352, 352)) == ((-8, 2, 704, 704), 2)
    assert reduced_region((5, 5, 703, 703), (352, 352)) == ((5, 5, 703, 703), 1)
    assert reduced_region((0, 0, 100, 100), (352, 352)) == ((0, 0, 100, 100), 1)
    assert reduced_region((9, 9, 9000, 9000), (352, 352)) == ((8, 8, 9000, 9000), 8)
    with pytest.raises(UnknownNameError, match="did you mean 'reduced'"):
        DiMPProcessing(ProcessingConfig(decode="reduce"))  # type: ignore[arg-type]
