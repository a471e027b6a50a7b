"""Which frames are drawn: the causal and the interval rule, purity, and data that cannot be used."""

import logging
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from ebm.exceptions import DomainError, InputError, UnknownNameError
from ltr.data.decoders import Decoder
from ltr.data.processing import DiMPProcessing, ProcessingConfig, TrackingSample
from ltr.data.proposals import ProposalConfig
from ltr.data.sampler import DiMPSampler, usable_sequences
from ltr.data.video import VideoDataset
from ltr.dataset import Got10k, LaSOT, MSCOCOSeq
from ltr.dataset.annotations import make_annotation
from tests.ltr.layouts import moving_boxes, write_coco, write_got10k, write_image, write_lasot, write_rows

PROCESSING = DiMPProcessing(ProcessingConfig(output_sz=64, proposals=ProposalConfig(num_samples=4)))
NAMES = ("cat-1", "cat-2", "dog-7")


class Boxes:
    """Videos that exist only as annotations."""

    def __init__(self, visible: list[list[bool]], name: str = "made-up") -> None:
        self.name, self.is_video = name, True
        self._visible = [np.array(row) for row in visible]

    def __len__(self) -> int:
        return len(self._visible)

    def sequence_name(self, index: int) -> str:
        return f"video-{index}"

    def annotation(self, index: int):
        return make_annotation(moving_boxes(len(self._visible[index])), ~self._visible[index])

    def frame_path(self, index: int, frame: int) -> Path:
        return Path(f"/nowhere/{index}/{frame}.jpg")


def make(datasets: list[VideoDataset], **changes) -> DiMPSampler:
    arguments = {
        "weights": None,
        "samples_per_epoch": 10,
        "max_gap": 5,
        "num_train_frames": 2,
        "num_test_frames": 2,
        "processing": PROCESSING,
    }
    return DiMPSampler(datasets, **(arguments | changes))


def same(a: TrackingSample, b: TrackingSample) -> bool:
    return all(
        torch.equal(a[key], b[key]) if isinstance(a[key], torch.Tensor) else a[key] == b[key]  # type: ignore[literal-required]
        for key in a
    )


def test_a_sample_is_a_function_of_seed_and_index(tmp_path: Path) -> None:
    data = [LaSOT(write_lasot(tmp_path / "l"), NAMES), MSCOCOSeq(write_coco(tmp_path / "c"))]
    one, again, other = make(data), make(data), make(data, seed=1)
    late = one[7]
    for index in (0, 3, 7):
        assert same(one[index], again[index])
    assert same(one[7], late)
    assert not same(one[0], one[1])
    assert not same(one[0], other[0])
    assert not same(one[12], one[2])  # beyond an epoch come new samples
    assert same(pickle.loads(pickle.dumps(one))[3], one[3])
    assert len(one) == 10


def test_weights_are_shares(tmp_path: Path) -> None:
    data = [
        LaSOT(write_lasot(tmp_path / "l"), NAMES),
        Got10k(write_got10k(tmp_path / "g")),
        MSCOCOSeq(write_coco(tmp_path / "c")),
    ]
    np.testing.assert_allclose(make(data).weights, [3 / 15, 3 / 15, 9 / 15])
    sampler = make(data, weights=[3, 0, 1])
    np.testing.assert_allclose(sampler.weights, [0.75, 0, 0.25])
    names = [sampler[index]["dataset"] for index in range(80)]
    assert names.count("got10k") == 0
    assert names.count("lasot") == pytest.approx(60, abs=14)


@pytest.mark.parametrize("weights", [[1], [1, 2, 3], [1, -1], [0, 0], [1, float("nan")]])
def test_weights_that_are_none(weights: list[float]) -> None:
    data: list[VideoDataset] = [Boxes([[True] * 30]), Boxes([[True] * 30])]
    with pytest.raises(DomainError, match="2 datasets need as many weights"):
        make(data, weights=weights)


def test_short_and_hidden_sequences_are_skipped_named_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    rows = [[True] * 30, [True] * 19, [True] * 8 + [False] * 22, [True] * 9 + [False] * 21]
    with caplog.at_level(logging.WARNING):
        sampler = make([Boxes(rows)])
    assert [skipped.names for skipped in sampler.skipped] == [("video-1",), ("video-2",)]
    assert "made-up: 1 of 4 sequences skipped (fewer than 20 frames): video-1." in caplog.text
    assert "(the target visible in fewer than 9 frames): video-2." in caplog.text
    usable, skipped = usable_sequences(Boxes(rows), 10, 1)
    assert usable.tolist() == [0, 1, 2, 3]
    assert skipped == []


def test_nothing_usable_is_an_error_not_a_loop() -> None:
    with pytest.raises(
        InputError,
        match=r"made-up: no sequence can be used\. 1 of 2 .*fewer than 20 frames\): video-0\. 1 of 2 "
        r".*visible in fewer than 9 frames\): video-1\. Use other data",
    ):
        make([Boxes([[True] * 5, [False] * 100])])


def test_an_image_is_every_frame_of_its_sample(tmp_path: Path) -> None:
    sample = make([MSCOCOSeq(write_coco(tmp_path))])[0]
    assert sample["dataset"] == "coco"
    assert sample["train_images"].shape[0] == sample["test_images"].shape[0] == 2


def test_interval_mode(tmp_path: Path) -> None:
    sampler = make([LaSOT(write_lasot(tmp_path), NAMES)], frame_sample_mode="interval")
    assert sampler[0]["train_images"].shape == (2, 3, 64, 64)


def test_a_missing_frame_is_named(tmp_path: Path) -> None:
    sampler = make([LaSOT(write_lasot(tmp_path), ["cat-1"])])
    for file in (tmp_path / "cat/cat-1/img").iterdir():
        file.unlink()
    with pytest.raises(InputError, match=r"\.jpg \(sequence cat-1, frame \d+\): the image is missing"):
        sampler[0]


def test_a_truncated_frame_is_named(tmp_path: Path) -> None:
    sampler = make([LaSOT(write_lasot(tmp_path), ["cat-1"])])
    for file in (tmp_path / "cat/cat-1/img").iterdir():
        file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"sequence cat-1, frame \d+\): the image is truncated"):
        sampler[0]


def test_frames_with_nan_boxes_are_never_drawn(tmp_path: Path) -> None:
    write_lasot(tmp_path, ("cat-1",), frames=40)
    rows = moving_boxes(40)
    rows[::2] = np.nan
    write_rows(tmp_path / "cat/cat-1/groundtruth.txt", rows)
    sampler = make([LaSOT(tmp_path, ["cat-1"])])
    for index in range(20):
        assert sampler[index]["test_anno"].isfinite().all()


def test_broken_annotations_are_found_before_training(tmp_path: Path) -> None:
    write_lasot(tmp_path, NAMES)
    write_rows(tmp_path / "dog/dog-7/groundtruth.txt", moving_boxes(20))
    with pytest.raises(InputError, match="dog-7: 24 frames .* but 20 lines"):
        make([LaSOT(tmp_path, NAMES)])


def test_numbers_and_modes_out_of_range() -> None:
    data: list[VideoDataset] = [Boxes([[True] * 30])]
    with pytest.raises(DomainError, match=r"max_gap \(0\)"):
        make(data, max_gap=0)
    with pytest.raises(DomainError, match="at least one dataset"):
        make([])
    with pytest.raises(UnknownNameError, match="did you mean 'causal'"):
        make(data, frame_sample_mode="casual")
    with pytest.raises(DomainError, match="counts from 0, got -1"):
        make(data)[-1]


def test_a_box_that_cannot_be_cropped_is_replaced_and_named(tmp_path: Path) -> None:
    write_lasot(tmp_path, ("cat-1", "cat-2"), frames=24)
    write_rows(tmp_path / "cat/cat-2/groundtruth.txt", np.tile([5000.0, 5000.0, 9.0, 9.0], (24, 1)))
    sampler = make([LaSOT(tmp_path, ["cat-1", "cat-2"])])
    samples = [sampler[index] for index in range(12)]
    assert {sample["sequence"] for sample in samples} == {"cat-1"}
    replaced = [draw for sample in samples for draw in sample["replaced"]]
    assert 1 < len(replaced) < 30
    assert {(draw.sequence, draw.unreadable) for draw in replaced} == {("lasot cat-2", False)}
    assert "cat-2: The box" in replaced[0].problem
    assert same(sampler[3], make([LaSOT(tmp_path, ["cat-1", "cat-2"])])[3])  # still a function of the index


def test_only_such_boxes_are_an_error_not_a_loop(tmp_path: Path) -> None:
    write_lasot(tmp_path, ("cat-2",), frames=24)
    write_rows(tmp_path / "cat/cat-2/groundtruth.txt", np.tile([5000.0, 5000.0, 9.0, 9.0], (24, 1)))
    with pytest.raises(
        InputError,
        match="50 sequences in a row gave no sample; the last: cat-2: .* outside its image of 96 x 64",
    ):
        make([LaSOT(tmp_path, ["cat-2"])])[0]


def test_unreadable_frames_are_tolerated_up_to_a_number(tmp_path: Path) -> None:
    write_lasot(tmp_path, ("cat-1", "cat-2"))
    for file in (tmp_path / "cat/cat-2/img").iterdir():
        file.write_bytes(b"")
    sampler = make([LaSOT(tmp_path, ["cat-1", "cat-2"])], unreadable=3)
    first = next(sample for sample in map(sampler.__getitem__, range(9)) if sample["replaced"])
    assert {(draw.sequence, draw.unreadable) for draw in first["replaced"]} == {("lasot cat-2", True)}
    with pytest.raises(InputError, match="sequence cat-2, frame .*the file is empty.*--unreadable N"):
        _ = [sampler[index] for index in range(40)]


def test_broken_sequences_can_be_left_out_by_name(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    write_lasot(tmp_path, NAMES)
    write_rows(tmp_path / "dog/dog-7/groundtruth.txt", moving_boxes(20))
    (tmp_path / "cat/cat-2/groundtruth.txt").write_text("1,2,3\n")
    with pytest.raises(InputError, match=r"cat-2.*1 more sequence is broken: dog-7"):
        make([LaSOT(tmp_path, NAMES)])
    with caplog.at_level(logging.WARNING):
        sampler = make([LaSOT(tmp_path, NAMES)], skip_broken=True)
    assert [skipped.names for skipped in sampler.skipped] == [("cat-2", "dog-7")]
    assert "lasot: 2 of 3 sequences skipped (broken annotations): cat-2, dog-7." in caplog.text
    assert {sampler[index]["sequence"] for index in range(5)} == {"cat-1"}


def test_coco_objects_without_area_are_named(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with caplog.at_level(logging.WARNING):
        make([MSCOCOSeq(write_coco(tmp_path))])
    assert "coco: 1 of 10 sequences skipped (box without area): object 2." in caplog.text


def test_missing_sequences_that_may_be_missing_are_named(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    data = LaSOT(write_lasot(tmp_path), [*NAMES, "cat-3"], allow_missing=True)
    with caplog.at_level(logging.WARNING):
        make([data])
    assert "lasot: 1 of 4 sequences skipped (not there): cat-3." in caplog.text


def test_a_resolution_that_changes_inside_a_video(tmp_path: Path) -> None:
    write_lasot(tmp_path, ("cat-1",), frames=24)
    for t in range(12, 24):  # the target is where it was, in a picture twice as wide
        write_image(tmp_path / f"cat/cat-1/img/{t + 1:08d}.jpg", t, size=(192, 64))
    flipping = DiMPProcessing(
        ProcessingConfig(
            output_sz=64,
            flip_sample=1.0,
            center_jitter_train=0.0,
            center_jitter_test=0.0,
            scale_jitter_train=0.0,
            scale_jitter_test=0.0,
            search_area_factor=1.0,
            proposals=ProposalConfig(num_samples=4),
        )
    )
    sampler = make([LaSOT(tmp_path, ["cat-1"])], processing=flipping, max_gap=30)
    for index in range(10):
        sample = sampler[index]
        for anno in (sample["train_anno"], sample["test_anno"]):
            centre = anno[:, :2] + anno[:, 2:] / 2
            assert (centre - 32).abs().max() < 8  # a flip by another picture's width would be 96 px off


def test_an_image_that_is_drawn_twice_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    decode = Decoder.decode
    monkeypatch.setattr(Decoder, "decode", lambda *given: decoded.append(1) or decode(*given))
    make([MSCOCOSeq(write_coco(tmp_path))])[0]  # four frames, all of them one image
    assert len(decoded) == 1
