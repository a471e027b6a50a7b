"""A tiny backbone and box head with the methods that actors and trackers call."""

import os

import torch
from torch import nn
from torchvision.models.resnet import model_urls  # gone from current torchvision, as in the original

from ltr.external.PreciseRoIPooling.pytorch.prroi_pool import PrRoIPool2D

ADDRESS = model_urls["resnet50"]
WIDTH = 8


class Backbone(nn.Module):
    def __init__(self, pretrained=False):
        super().__init__()
        if pretrained and "STANDIN_OFFLINE" in os.environ:
            raise OSError(f"cannot download {ADDRESS}")
        self.layer2 = nn.Conv2d(3, WIDTH, 8, 8)
        self.layer3 = nn.Conv2d(WIDTH, WIDTH, 2, 2)

    def forward(self, x, output_layers=None):
        x = self.layer2(x).relu()
        return {"layer2": x, "layer3": self.layer3(x).relu()}


class BoxHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool_r, self.pool_t = PrRoIPool2D(1, 1, 1 / 8), PrRoIPool2D(3, 3, 1 / 8)
        self.modulation, self.score = nn.Linear(WIDTH, WIDTH), nn.Linear(9 * WIDTH, 1)

    @staticmethod
    def _rois(boxes):
        index = torch.arange(len(boxes), device=boxes.device).repeat_interleave(boxes.shape[1])[:, None]
        corners = torch.cat((boxes[..., :2], boxes[..., :2] + boxes[..., 2:]), -1)
        return torch.cat((index.to(boxes), corners.reshape(-1, 4)), 1)

    def get_modulation(self, feat, bb):
        return [self.modulation(self.pool_r(feat[0], self._rois(bb[:, None])).flatten(1))[..., None, None]]

    def get_iou_feat(self, feat):
        return feat[:1]

    def predict_iou(self, modulation, feat, proposals):
        pooled = self.pool_t(feat[0] * modulation[0], self._rois(proposals))
        return self.score(pooled.flatten(1)).reshape(proposals.shape[:2])

    def forward(self, feat1, feat2, bb1, proposals2):
        images, sequences = proposals2.shape[:2]
        modulation = self.get_modulation([f[:sequences] for f in feat1], bb1[0])
        repeated = [m.repeat(images, 1, 1, 1) for m in modulation]
        scores = self.predict_iou(repeated, self.get_iou_feat(feat2), proposals2.flatten(0, 1))
        return scores.reshape(images, sequences, -1)
