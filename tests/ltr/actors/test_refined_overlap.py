"""Overlap of refined boxes: measured on an energy whose maximum is known."""

from typing import Any

import pytest
import torch
from torch import Tensor

from ebm.boxes import box_iou, rect_to_rel
from ltr.actors.refined_overlap import RefinedOverlap, perturbed_boxes
from ltr.train_settings.build import build_actor, build_network
from ltr.train_settings.recipe import find_recipe
from tests.ltr.actors.batches import small_batch

LABELS = torch.tensor([[[40.0, 30.0, 32.0, 24.0], [10.0, 60.0, 50.0, 20.0]]])


class Bowl:
    """A box branch whose energy is highest where the modulation says; the first of a sample's frames."""

    def get_modulation(self, features: list[Tensor], boxes: Tensor) -> list[Tensor]:
        return [boxes[:, :, None, None]]

    def get_iou_feat(self, features: list[Tensor]) -> list[Tensor]:
        return features

    def predict_iou(self, modulation: list[Tensor], maps: list[Tensor], boxes: Tensor) -> Tensor:
        top = modulation[0].flatten(1)[:, None]
        return -20 * (rect_to_rel(boxes, top[..., 2:]) - rect_to_rel(top, top[..., 2:])).square().sum(dim=-1)


class Net:
    """A network of that branch."""

    bb_regressor = Bowl()

    def get_backbone_bbreg_feat(self, features: dict[str, Tensor]) -> list[Tensor]:
        return [features["layer"]]


def measured(labels: Tensor) -> dict[str, Tensor]:
    """With the true boxes of `LABELS` as the energy's tops."""
    features = {part: {"layer": torch.zeros(2, 1, 4, 4)} for part in ("train", "test")}
    with torch.no_grad():
        return RefinedOverlap(starts=50)(Net(), features, {"train_anno": LABELS, "test_anno": labels})


def test_boxes_climb_to_the_label() -> None:
    found = measured(LABELS)
    assert 0.5 < float(found["BBReg/iou_start"]) < 0.65
    assert float(found["BBReg/iou"]) > 0.98
    assert measured(LABELS) == found  # the same starts whenever the batch comes


def test_frames_without_a_target_do_not_count() -> None:
    hidden = LABELS.clone()
    hidden[0, 1] = 99999.0
    assert float(measured(hidden)["BBReg/iou"]) > 0.98
    hidden[0, 0] = 99999.0
    assert measured(hidden) == {"BBReg/iou_start": 0, "BBReg/iou": 0}


def test_starts_are_scattered_around_the_label() -> None:
    boxes = perturbed_boxes(LABELS[0], 2000, torch.Generator().manual_seed(1))
    offsets = rect_to_rel(boxes, LABELS[0][:, None, 2:]) - rect_to_rel(
        LABELS[0][:, None], LABELS[0][:, None, 2:]
    )
    assert offsets.flatten(0, 1).std(dim=0).tolist() == pytest.approx([0.15, 0.15, 0.25, 0.25], rel=0.05)
    assert float(box_iou(boxes, LABELS[0][:, None]).mean()) == pytest.approx(0.58, abs=0.03)


def test_an_actor_measures_only_if_asked_and_changes_nothing() -> None:
    recipe = find_recipe("bbreg", "atom_nce_plus_small")
    actor: Any = build_actor(recipe, build_network(recipe).net).eval()
    batch = small_batch(65, torch.Generator().manual_seed(0))
    assert actor.measure(batch) == {}
    actor.refined = RefinedOverlap(starts=2)
    with torch.no_grad():
        before = actor(batch)[0]
        found = actor.measure(batch)
        assert torch.equal(actor(batch)[0], before)
    assert set(found) == {"BBReg/iou_start", "BBReg/iou"}
    assert all(0 < float(value) <= 1 for value in found.values())
