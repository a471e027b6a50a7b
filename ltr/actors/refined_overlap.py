"""What a box branch is for, measured while it trains: overlap with the label of boxes that it has refined."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ebm.boxes import box_iou, rect_to_rel, rel_to_rect
from ebm.predict import refine_boxes
from ltr.actors.box_terms import frames_with_box

__all__ = ["RefinedOverlap", "perturbed_boxes"]

SPREAD = (0.15, 0.15, 0.25, 0.25)  # of the starts: centre / size, log size; a mean IoU of some 0.56
STEPS = 10


def perturbed_boxes(labels: Tensor, starts: int, generator: torch.Generator) -> Tensor:
    """Boxes ``[N, S, 4]`` off the labels ``[N, 4]``, xywh px, as a tracker's first guess is."""
    spread = torch.tensor(SPREAD, device=generator.device)
    offsets = torch.randn(len(labels), starts, 4, generator=generator, device=generator.device) * spread
    size = labels[:, None, 2:]
    return rel_to_rect(rect_to_rel(labels[:, None], size) + offsets.to(labels), size)


@dataclass(frozen=True, kw_only=True)
class RefinedOverlap:
    """Mean overlap of refined boxes with the labels of a batch's test frames.

    The starts are the same whenever the same batch comes. The ascent is the paper's Algorithm S1, which finds
    a step length for every box: losses and stages of a training are compared without tuning one for each.

    Attributes:
        starts: boxes refined in each frame.
        step_length: tried first, relative box units.
    """

    starts: int
    step_length: float = 0.02

    def __call__(self, net: Any, features: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Mean overlaps ``[]`` by name, before and after.

        Args:
            net: an ``ATOMnet`` or ``DiMPnet``.
            features: backbone features ``[I * B, C, H, W]`` by layer, of ``"train"`` and ``"test"`` frames.
            batch: ``train_anno`` and ``test_anno`` xywh px, ``[I, B, 4]``.
        """
        keep = frames_with_box(batch)
        labels = batch["test_anno"].float().flatten(0, 1)
        images, count = batch["test_anno"].shape[:2]
        branch = net.bb_regressor
        first = [level[:count] for level in net.get_backbone_bbreg_feat(features["train"])]
        modulation = [
            m.repeat(images, 1, 1, 1)[keep] for m in branch.get_modulation(first, batch["train_anno"][0])
        ]
        maps = [level[keep] for level in branch.get_iou_feat(net.get_backbone_bbreg_feat(features["test"]))]
        labels = labels[keep]
        if not len(labels):  # the same names for every batch, since processes average what they have
            return {"BBReg/iou_start": labels.new_zeros(()), "BBReg/iou": labels.new_zeros(())}
        generator = torch.Generator(labels.device).manual_seed(0)
        starts = perturbed_boxes(labels, self.starts, generator)

        def energy(boxes: Tensor) -> Tensor:
            scores: Tensor = branch.predict_iou(modulation, maps, boxes.reshape(starts.shape))
            return scores.flatten()

        refined, _ = refine_boxes(
            energy,
            starts.flatten(0, 1),
            steps=STEPS,
            step_length=self.step_length,
            decay=0.5,
            backtrack=True,
            sizes=starts[:, :1, 2:].expand_as(starts[..., 2:]).flatten(0, 1),
            validate=False,
        )
        # An ascent that ran away overlaps with nothing.
        after = box_iou(refined.reshape(starts.shape), labels[:, None]).nan_to_num(0.0)
        before = box_iou(starts, labels[:, None])
        return {"BBReg/iou_start": before.mean(), "BBReg/iou": after.mean()}
