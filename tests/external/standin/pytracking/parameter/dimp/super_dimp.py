"""SuperDiMP's parameters, those that the stand-in's tracker reads."""

import torch

from pytracking.features.net_wrappers import NetWithBackbone
from pytracking.utils import TrackerParams


def parameters():
    params = TrackerParams()
    params.use_gpu = torch.cuda.is_available()  # the original says True; users of a CPU change it
    params.box_refinement_iter = 10
    params.box_refinement_step_length = 2.5e-3
    params.net = NetWithBackbone(net_path="super_dimp.pth.tar", use_gpu=params.use_gpu)
    return params
