"""Detectors of torchvision behind one protocol: what they find is what torchvision finds."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ebm.exceptions import InputError, UnknownNameError
from ebm.tasks.detection.detectors import OneStageDetector, TorchvisionDetector
from ebm.tasks.detection.head_training import head_hypotheses
from ebm.tasks.detection.heads import HEADS, build_head
from ebm.tasks.detection.loading import TORCHVISION, fresh, load_detector
from ebm.tasks.detection.methods import train_method
from ebm.tasks.detection.prediction import plain_detections
from ebm.tasks.detection.protocol import columns_for
from ebm.tasks.detection.recipes import RECIPES, SETTABLE, find_recipe
from ebm.tasks.detection.running import DETECTOR, run_set
from ebm.tasks.detection.scoring import score_detections
from ebm.tasks.detection.training import TrainingOptions
from tests.ebm.tasks.detection.sets import set_of
from tests.ebm.tasks.detection.small import NAMES, small_detector, small_set


def pictures(detector: TorchvisionDetector) -> list[Tensor]:
    torch.manual_seed(3)
    short, long = detector.resizing.short, detector.resizing.long
    return [torch.rand(3, short, long), torch.rand(3, long, short)]


def require_same_as_torchvision(detector: TorchvisionDetector, expected: list[dict[str, Tensor]]) -> None:
    batch = detector.prepare(pictures(detector))
    found = plain_detections(detector.hypotheses(batch, detector.features(batch)))
    for place, whole in enumerate(expected):
        rows = found.of_image(place)
        solid = (whole["boxes"][:, 2:] > whole["boxes"][:, :2]).all(
            -1
        )  # torchvision keeps what clipping left
        own = {name: value[solid] for name, value in whole.items()}
        assert len(rows) == len(own["boxes"]) > 0
        torch.testing.assert_close(found.scores[rows], own["scores"])
        torch.testing.assert_close(found.boxes[rows], own["boxes"], atol=1e-3, rtol=1e-4)
        assert torch.equal(found.column[rows], own["labels"])


def test_faster_rcnn_finds_what_torchvision_finds() -> None:
    detector = small_detector()
    with torch.no_grad():
        expected = detector.model(pictures(detector))
    require_same_as_torchvision(detector, expected)
    assert detector.head_layers() is not None
    assert detector.embedding == 16


@pytest.mark.parametrize("name", ["retinanet_resnet50_fpn", "fcos_resnet50_fpn"])
def test_one_stage_detectors_find_what_torchvision_finds(name: str) -> None:
    from torchvision.models import detection

    torch.manual_seed(0)
    build = getattr(detection, name)
    model: Any = build(weights=None, weights_backbone=None, num_classes=3, min_size=64, max_size=96)
    model.head.classification_head.cls_logits.bias.data.fill_(1.0)  # a fresh one finds nothing
    model.head.regression_head.bbox_reg.bias.data.fill_(1.0)
    model.topk_candidates = 20
    model.eval()
    with torch.no_grad():
        detector = OneStageDetector(model, ("a", "b", "c"))
        model.score_thresh, model.nms_thresh, model.detections_per_img = 0.05, 0.5, 100
        expected = model(pictures(detector))
        detector = OneStageDetector(model, ("a", "b", "c"))
    require_same_as_torchvision(detector, expected)
    assert detector.head_layers() is None
    assert detector.rule.strides == (8, 16, 32, 64, 128)


def test_columns_are_found_by_the_names_of_classes() -> None:
    detector = small_detector()
    assert columns_for(detector, ("dog", "cat")).tolist() == [2, 1]
    with pytest.raises(UnknownNameError, match="did you mean 'dog'"):
        columns_for(detector, ("dogs",))
    with pytest.raises(UnknownNameError):
        columns_for(detector, ("",))


@pytest.fixture(scope="module")
def resnet() -> TorchvisionDetector:
    torch.manual_seed(0)
    return load_detector("fasterrcnn_resnet50_fpn", "random", short_side=64, long_side=96)


@pytest.fixture(scope="module")
def coco_like(tmp_path_factory: pytest.TempPathFactory) -> Any:
    found = small_set(tmp_path_factory.mktemp("pictures"), count=8)
    return set_of(*found.images, names=NAMES)


@pytest.mark.parametrize("method", RECIPES)
def test_every_method_makes_a_step_with_the_full_recipe(
    resnet: TorchvisionDetector, coco_like: Any, method: str
) -> None:
    changes = ["optimisation.iterations=1", "optimisation.warmup=0", "batch_size=2"]
    recipe = SETTABLE.set_fields(find_recipe(method), changes)
    if method not in HEADS:
        few = [] if method == "sm" else ["method.num_samples=16"]
        recipe = SETTABLE.set_fields(recipe, few)
    net = fresh(recipe, resnet, 0)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    trained = train_method(net, recipe, resnet, coco_like, TrainingOptions())
    assert trained.iterations == 1
    after = net.state_dict()
    assert all(value.isfinite().all() for value in after.values())
    moved = [name for name, value in after.items() if not torch.equal(value, before[name])]
    assert moved
    if method not in HEADS and not method.startswith("ml-mcmc") and method != "sm":
        assert "fc_conf.weight" in moved
    assert not any(part.requires_grad for part in resnet.model.parameters())


def test_the_branch_of_the_full_recipe_has_the_papers_sizes(resnet: TorchvisionDetector) -> None:
    net = fresh(find_recipe("nce+"), resnet, 0)
    assert net.fc6.weight.shape == (1024, 12544)
    assert net.fc_conf.weight.shape == (91, 1024)
    layers = resnet.head_layers()
    assert layers is not None
    assert torch.equal(net.fc6.weight, layers[0].weight)
    assert torch.equal(net.fc7.weight, layers[1].weight)


def test_eight_pictures_are_detected_and_scored(resnet: TorchvisionDetector, coco_like: Any) -> None:
    runs = run_set(resnet, {}, coco_like, batch_size=4)
    assert runs[DETECTOR].images == 8
    assert score_detections(runs[DETECTOR].detections, coco_like)["AP"] >= 0


def test_a_head_needs_regions() -> None:
    from torchvision.models.detection import retinanet_resnet50_fpn

    model = retinanet_resnet50_fpn(weights=None, weights_backbone=None, num_classes=2)
    with pytest.raises(InputError, match="others draw no regions"):
        fresh(find_recipe("gaussian"), OneStageDetector(model, ("a", "b")), 0)


def test_weights_that_cannot_be_had_are_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    def refuse(url: str, *_: Any, **__: Any) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    for name in TORCHVISION:
        with pytest.raises(InputError, match=r"cannot be downloaded \(no network\): get https://.*--weights"):
            load_detector(name)
    with pytest.raises(UnknownNameError, match="did you mean 'fcos_resnet50_fpn'"):
        load_detector("fcos_resnet50")


def test_regions_are_looked_at_once_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A baseline's head and the detector itself share a pass of region proposals and of the box head."""
    detector = small_detector()
    calls: list[str] = []
    heads = detector.model.roi_heads
    monkeypatch.setattr(detector.model.rpn, "forward", counted(detector.model.rpn.forward, "rpn", calls))
    monkeypatch.setattr(heads.box_head, "forward", counted(heads.box_head.forward, "head", calls))
    batch = detector.prepare([torch.rand(3, 64, 96, generator=torch.Generator().manual_seed(0))])
    pyramid = detector.features(batch)
    own = detector.hypotheses(batch, pyramid)
    head = build_head("gaussian", detector.embedding, len(detector.columns))
    (other,) = head_hypotheses(head, detector, batch, pyramid)
    assert calls == ["rpn", "head"]
    assert torch.equal(other.column.unique(), own[0].column.unique())
    detector.hypotheses(batch, detector.features(batch))
    assert calls == ["rpn", "head"] * 2


def counted(function: Callable[..., Any], name: str, calls: list[str]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        calls.append(name)
        return function(*args, **options)

    return call
