"""Batches for actors that need no data set."""

import torch
from torch import Tensor

from ebm.boxes import box_iou
from ltr.models.target_classifier.labels import gaussian_label_function

__all__ = ["small_batch"]


def small_batch(boxes: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Two sequences of a bright square that moves over noise; random candidate boxes around it."""
    anno = torch.tensor([[[40.0, 44, 40, 36], [50, 40, 32, 40]], [[44.0, 40, 40, 36], [48, 46, 32, 40]]])

    def images(shift: float) -> tuple[Tensor, Tensor]:
        moved = anno + torch.tensor([shift, -shift, 0.0, 0.0])
        pixels = torch.randint(0, 100, (2, 2, 3, 128, 128), generator=generator, dtype=torch.uint8)
        for i in range(2):
            for s in range(2):
                x, y, w, h = (int(v) for v in moved[i, s])
                pixels[i, s, :, y : y + h, x : x + w] += 120
        return pixels, moved

    train_images, train_anno = images(0.0)
    test_images, test_anno = images(6.0)
    noise = torch.randn(2, 2, boxes, 4, generator=generator) * 0.2
    noise[:, :, 0] = 0
    size = test_anno[:, :, None, 2:]
    scaled = size * noise[..., 2:].exp()
    centre = test_anno[:, :, None, :2] + size / 2 + noise[..., :2] * size
    corners = torch.cat((centre - scaled / 2, scaled), dim=-1)

    def label(boxes: Tensor) -> Tensor:
        return gaussian_label_function(boxes.flatten(0, 1), 0.0625, 4, 16, 128).unflatten(0, (2, 2))

    return {
        "train_images": train_images,
        "train_gain": torch.ones(2, 2),
        "train_anno": train_anno,
        "test_images": test_images,
        "test_gain": torch.ones(2, 2),
        "test_anno": test_anno,
        "train_label": label(train_anno),
        "test_label": label(test_anno),
        "test_label_density": label(test_anno) / label(test_anno).sum(dim=(2, 3), keepdim=True),
        "test_proposals": corners,
        "proposal_iou": 2 * box_iou(corners, test_anno[:, :, None]) - 1,
        "proposal_log_q": torch.distributions.Normal(0.0, 0.2).log_prob(noise).sum(-1),
        "gt_log_density": torch.distributions.Normal(0.0, 0.1).log_prob(noise).sum(-1),
    }
