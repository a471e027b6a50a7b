"""A network that is loaded when it is needed."""

import os

import torch

from ltr import load_network
from pytracking.evaluation.environment import env_settings


class NetWithBackbone:
    def __init__(self, net_path, use_gpu=True, initialize=False, image_format="rgb"):
        self.net_path, self.use_gpu, self.net = net_path, use_gpu, None

    def initialize(self):
        path = os.path.join(env_settings().network_path, self.net_path)  # an absolute one stays
        self.net = load_network(path, backbone_pretrained=False)[0].eval()
        self.net = self.net.cuda() if self.use_gpu else self.net

    def extract_backbone(self, im):
        mean, std = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        im = ((im / 255 - mean) / std).to(next(self.net.parameters()).device)
        return self.net.extract_backbone_features(im)

    def __getattr__(self, name):
        return getattr(self.net, name)
