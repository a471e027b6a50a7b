"""The reference's anchors for whole actors: weights by position, images, boxes, labels and densities."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ebm.boxes import box_iou
from ltr.admin.model_constructor import find_constructor
from ltr.models.target_classifier.labels import gaussian_label_function

__all__ = ["anchor_batch", "anchor_images", "anchor_network", "anchor_weights", "rs"]


def rs(index: int, shape: tuple[int, ...]) -> Tensor:
    """Numbers of the reference's anchors: a legacy generator, the same in every NumPy."""
    return torch.from_numpy(np.random.RandomState(1000 + index).standard_normal(shape).astype(np.float32))


def anchor_weights(net: nn.Module) -> None:
    """Fill a network with the anchors' weights."""
    for index, (key, value) in enumerate(net.state_dict().items()):
        if "num_batches_tracked" in key or "filter_optimizer" in key:
            continue
        noise = rs(index, tuple(value.shape))
        if "running_mean" in key:
            value.copy_(0.1 * noise)
        elif "running_var" in key:
            value.copy_(1 + 0.25 * noise.square())
        elif value.ndim >= 2:
            value.copy_((2 / (value.numel() / value.shape[0])) ** 0.5 * noise)
        elif key.endswith("weight"):
            value.copy_(1 + 0.1 * noise)
        else:
            value.copy_(0.05 * noise)


def anchor_network(name: str) -> nn.Module:
    """The published network of that name with the anchors' weights."""
    folder = Path(__file__).parents[2] / "checkpoints" / "state_dicts"
    described = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    constructor = find_constructor(described["fun_module"], described["fun_name"])
    net = constructor(**{**described["kwds"], "backbone_pretrained": False})
    anchor_weights(net)
    return net


def anchor_images(frames: int = 3) -> tuple[Tensor, Tensor]:
    """Normalised train and test images, ``[frames, 2, 3, 288, 288]``."""
    train, test = rs(1, (3, 2, 3, 288, 288)), rs(2, (3, 2, 3, 288, 288))
    return train[:frames], test[:frames]


def anchor_batch(frames: int = 3) -> dict[str, Any]:
    """Boxes, labels and densities; the images stand apart, since they are normalised already."""
    train = torch.tensor(
        [
            [[100, 90, 80, 60], [120, 100, 60, 70]],
            [[96, 94, 84, 58], [126, 98, 58, 74]],
            [[110, 84, 78, 62], [118, 108, 64, 68]],
        ],
        dtype=torch.float32,
    )
    test = train + torch.tensor([6.0, -4.0, 2.0, -2.0])
    shifts = torch.tensor([[0.0, 0, 0, 0], [-20, 10, 20, -10], [10.5, -19.75, -16, 30]])
    proposals = test[:, :, None] + shifts

    def label(boxes: Tensor) -> Tensor:
        return gaussian_label_function(boxes.flatten(0, 1), 0.05, 4, 18, 288).reshape(3, 2, 19, 19)

    density = label(test)  # a Gaussian on the grid: normalised, its height does not matter
    batch = {
        "train_anno": train,
        "train_label": label(train),
        "test_anno": test,
        "test_label": label(test),
        "test_label_density": density / density.sum(dim=(2, 3), keepdim=True),
        "test_proposals": proposals,
        "proposal_iou": 2 * box_iou(proposals, test[:, :, None]) - 1,
        "proposal_log_q": rs(5, (3, 2, 3)),
        "gt_log_density": rs(6, (3, 2, 3)),
    }
    unused = dict.fromkeys(("train_images", "train_gain", "test_images", "test_gain"))
    return {name: value[:frames] for name, value in batch.items()} | unused
