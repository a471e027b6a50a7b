"""The box branch: a score f(x, y) of a box y, conditioned on the target of a reference frame."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ebm.exceptions import ShapeError
from ebm.ops.prroi_pool import prroi_pool_per_image
from ltr.models.layers.blocks import LinearBlock, conv_block
from ltr.models.layers.boxes import xywh_to_xyxy
from ltr.models.layers.precision import at_least_float32, full_precision

__all__ = ["AtomIoUNet"]


class AtomIoUNet(nn.Module):
    """Scores boxes in a test frame: overlap in [-1, 1] or an unnormalised log-density, as it was trained.

    Two feature levels, the finer first. The reference frame and its box give a modulation vector per level;
    the test frame's features, scaled by it, are pooled under every box and scored.

    Args:
        input_dim: channels of the two levels.
        pred_input_dim: channels of the two test branches, and of the modulation vectors.
        pred_inter_dim: outputs of the two layers before the last.
        reference_dim: channels of the two reference branches.
        reference_fc_dim: channels of the finer reference branch once it is pooled.
        test_dim: channels inside the two test branches.
        strides: image pixels per cell of the two levels.

    Source: Danelljan et al., "ATOM: Accurate Tracking by Overlap Maximization", CVPR 2019, arXiv:1811.07628.
    """

    pool_sizes_reference = (3, 1)
    pool_sizes_test = (5, 3)

    def __init__(
        self,
        input_dim: Sequence[int] = (128, 256),
        pred_input_dim: Sequence[int] = (256, 256),
        pred_inter_dim: Sequence[int] = (256, 256),
        *,
        reference_dim: Sequence[int] = (128, 256),
        reference_fc_dim: int = 256,
        test_dim: Sequence[int] = (256, 256),
        strides: Sequence[int] = (8, 16),
    ) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.conv3_1r = conv_block(input_dim[0], reference_dim[0])
        self.conv3_1t = conv_block(input_dim[0], test_dim[0])
        self.conv3_2t = conv_block(test_dim[0], pred_input_dim[0])
        self.fc3_1r = conv_block(reference_dim[0], reference_fc_dim, padding=0)
        self.conv4_1r = conv_block(input_dim[1], reference_dim[1])
        self.conv4_1t = conv_block(input_dim[1], test_dim[1])
        self.conv4_2t = conv_block(test_dim[1], pred_input_dim[1])
        joined = reference_fc_dim + reference_dim[1]
        self.fc34_3r = conv_block(joined, pred_input_dim[0], 1, padding=0)
        self.fc34_4r = conv_block(joined, pred_input_dim[1], 1, padding=0)
        self.fc3_rt = LinearBlock(pred_input_dim[0], pred_inter_dim[0], self.pool_sizes_test[0])
        self.fc4_rt = LinearBlock(pred_input_dim[1], pred_inter_dim[1], self.pool_sizes_test[1])
        self.iou_predictor = nn.Linear(pred_inter_dim[0] + pred_inter_dim[1], 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
                # The published networks were trained from this start.
                nn.init.uniform_(module.weight)

    def forward(
        self, feat1: Sequence[Tensor], feat2: Sequence[Tensor], bb1: Tensor, proposals2: Tensor
    ) -> Tensor:
        """Scores of proposals in the test frames, given the first labelled frame.

        Args:
            feat1: backbone features of the labelled frames, two levels ``(I_train, S, C, H, W)`` or flat.
            feat2: the same of the test frames.
            bb1: xywh boxes in image pixels, ``(I_train, S, 4)``; the first frame's are used.
            proposals2: xywh boxes in image pixels, ``(I_test, S, P, 4)``.

        Returns:
            ``(I_test, S, P)``, float32.
        """
        images, sequences = proposals2.shape[:2]
        first = [f.flatten(0, 1)[:sequences] if f.dim() == 5 else f[:sequences] for f in feat1]
        modulation = self.get_modulation(first, bb1[0])
        repeated = [m.repeat(images, 1, 1, 1) for m in modulation]
        scores = self.predict_iou(repeated, self.get_iou_feat(feat2), proposals2.flatten(0, 1))
        return scores.unflatten(0, (images, sequences))

    def get_modulation(self, feat: Sequence[Tensor], bb: Tensor) -> list[Tensor]:
        """What to look for, from one box per reference image.

        Args:
            feat: backbone features, two levels ``(B, C, H, W)``.
            bb: xywh boxes in image pixels, ``(B, 4)``; not changed.

        Returns:
            Two tensors ``(B, pred_input_dim[k], 1, 1)``.
        """
        boxes = xywh_to_xyxy(at_least_float32(bb).reshape(-1, 1, 4))
        fine = self._pool(self.conv3_1r(feat[0]), boxes, 0, self.pool_sizes_reference)[:, 0]
        coarse = self._pool(self.conv4_1r(feat[1]), boxes, 1, self.pool_sizes_reference)[:, 0]
        joined = torch.cat((self.fc3_1r(fine), coarse), dim=1)
        return [self.fc34_3r(joined), self.fc34_4r(joined)]

    def get_iou_feat(self, feat2: Sequence[Tensor]) -> list[Tensor]:
        """Two levels ``(B, pred_input_dim[k], H, W)``, of backbone features ``(B, C, H, W)`` or 5-D."""
        fine, coarse = (f.flatten(0, 1) if f.dim() == 5 else f for f in feat2)
        levels = (self.conv3_2t(self.conv3_1t(fine)), self.conv4_2t(self.conv4_1t(coarse)))
        # The pooling reads channels last: bring them there once, not at every step of a refinement.
        return [level.contiguous(memory_format=torch.channels_last) for level in levels]

    def predict_iou(self, modulation: Sequence[Tensor], feat: Sequence[Tensor], proposals: Tensor) -> Tensor:
        """Scores of boxes; differentiable in the boxes.

        Args:
            modulation: from `get_modulation`, two tensors of B (or one) times ``pred_input_dim[k]`` values.
            feat: from `get_iou_feat`, two levels ``(B, pred_input_dim[k], H, W)``.
            proposals: xywh boxes in image pixels, ``(B, P, 4)``.

        Returns:
            ``(B, P)``, float32.

        Raises:
            ShapeError: if `proposals` are not P boxes for each of the B images.
        """
        if proposals.dim() != 3 or proposals.shape[0] != feat[0].shape[0] or proposals.shape[2] != 4:
            raise ShapeError(
                f"Proposals have shape {tuple(proposals.shape)}; expected ({feat[0].shape[0]}, P, 4), one "
                "row of xywh boxes for every image."
            )
        corners = xywh_to_xyxy(at_least_float32(proposals))
        levels = [self._modulated(modulation[k], feat[k], corners, k) for k in range(2)]
        hidden = torch.cat((self.fc3_rt(levels[0]), self.fc4_rt(levels[1])), dim=1)
        with full_precision(hidden):  # an energy is exponentiated: half precision is too coarse for it
            return self.iou_predictor(at_least_float32(hidden)).reshape(proposals.shape[:2])

    def _modulated(self, modulation: Tensor, feat: Tensor, corners: Tensor, level: int) -> Tensor:
        """Modulated features under every box, ``(B * P, C, p, p)``."""
        scale = modulation.reshape(modulation.shape[0] if modulation.dim() > 1 else 1, -1, 1, 1)
        # Pooling is linear in every channel, so scaling may come before or after: take the smaller tensor.
        if feat.shape[-2] * feat.shape[-1] < corners.shape[1] * self.pool_sizes_test[level] ** 2:
            return self._pool(feat * scale, corners, level, self.pool_sizes_test).flatten(0, 1)
        return (self._pool(feat, corners, level, self.pool_sizes_test) * scale[:, None]).flatten(0, 1)

    def _pool(self, feat: Tensor, corners: Tensor, level: int, sizes: tuple[int, int]) -> Tensor:
        """Pooled features ``(B, P, C, p, p)``, float32, of xyxy boxes ``(B, P, 4)`` px."""
        with full_precision(feat):
            size = (sizes[level], sizes[level])
            return prroi_pool_per_image(at_least_float32(feat), corners, size, 1.0 / self.strides[level])
