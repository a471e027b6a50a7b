"""What is kept of pictures that a detector has seen, and that keeping changes nothing."""

from pathlib import Path

import pytest
import torch

from ebm.tasks.detection.data.records import DetectionSet
from ebm.tasks.detection.data.training import Sample, load_sample
from ebm.tasks.detection.detectors import FasterRCNNDetector
from ebm.tasks.detection.memory import FeatureMemory
from ebm.tasks.detection.running import DETECTOR, run_set, run_sights
from ebm.tasks.detection.sights import Sights


def samples_of(data: DetectionSet, detector: FasterRCNNDetector, flips: list[bool]) -> list[Sample]:
    return [load_sample(image, detector.resizing, flip=flip) for image, flip in zip(data.images, flips)]


def test_features_do_not_depend_on_room_and_company(data: DetectionSet, detector: FasterRCNNDetector) -> None:
    samples = samples_of(data, detector, [False, True, False, False])
    batch = detector.prepare([own.picture for own in samples])
    kept, none = FeatureMemory(detector, 1e9), FeatureMemory(detector, 0)
    first, again, other = (memory.features(samples, batch) for memory in (kept, kept, none))
    assert (len(kept), len(none)) == (4, 0)
    alone = none.features(samples[:1], detector.prepare([samples[0].picture]))
    for name, maps in first.maps.items():
        assert maps.shape == detector.features(batch).maps[name].shape
        assert torch.equal(maps, again.maps[name])
        assert torch.equal(maps, other.maps[name])
        own = alone.maps[name][0]
        assert torch.equal(maps[0, :, : own.shape[1], : own.shape[2]], own)
        assert not maps[0, :, own.shape[1] :].any()


def test_a_mirrored_picture_is_another(data: DetectionSet, detector: FasterRCNNDetector) -> None:
    memory = FeatureMemory(detector, 1e9)
    plain, mirrored = (samples_of(data, detector, [flip])[0] for flip in (False, True))
    found = [
        memory.features([own], detector.prepare([own.picture])).maps["0"] for own in (plain, mirrored, plain)
    ]
    assert len(memory) == 2
    assert not torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_features_are_close_to_those_of_a_single_picture(
    data: DetectionSet, detector: FasterRCNNDetector
) -> None:
    (sample,) = samples_of(data, detector, [False])
    batch = detector.prepare([sample.picture])
    for name, maps in detector.features(batch).maps.items():
        found = FeatureMemory(detector, 0).features([sample], batch).maps[name]
        torch.testing.assert_close(found, maps, rtol=1e-3, atol=1e-4)


def test_values_beyond_half_precision_stay(
    data: DetectionSet, detector: FasterRCNNDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = detector.model.backbone.forward
    monkeypatch.setattr(
        detector.model.backbone, "forward", lambda x: {k: 1e6 + own for k, own in backbone(x).items()}
    )
    (sample,) = samples_of(data, detector, [False])
    found = FeatureMemory(detector, 1e9).features([sample], detector.prepare([sample.picture]))
    assert all(bool(maps.isfinite().all()) for maps in found.maps.values())


def test_a_second_look_finds_the_same(
    data: DetectionSet, detector: FasterRCNNDetector, tmp_path: Path
) -> None:
    sights = Sights(detector, data, batch_size=2, room=1e9)
    first = run_sights(sights, {})[DETECTOR]
    for image in data.images:
        image.path.rename(tmp_path / image.path.name)  # the pictures are not read again
    second = run_sights(sights, {})[DETECTOR]
    for image in data.images:
        (tmp_path / image.path.name).rename(image.path)
    fresh = run_set(detector, {}, data, batch_size=2)[DETECTOR]
    for run in (second, fresh):
        assert run.images == len(data)
        for key, own in first.detections.items():
            assert (own.boxes == run.detections[key].boxes).all()
            assert (own.scores == run.detections[key].scores).all()
    assert second.seconds > 0
