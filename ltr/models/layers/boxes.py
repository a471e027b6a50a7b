"""Box formats that the networks use inside."""

import torch
from torch import Tensor

__all__ = ["xywh_to_xyxy"]


def xywh_to_xyxy(boxes: Tensor) -> Tensor:
    """Corners ``[x0, y0, x1, y1]`` of boxes ``[x, y, w, h]``, ``(..., 4)``, same unit; a new tensor."""
    return torch.cat((boxes[..., :2], boxes[..., :2] + boxes[..., 2:]), dim=-1)
