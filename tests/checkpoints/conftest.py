"""A small network and a checkpoint of it."""

from pathlib import Path

import pytest
import torch

from ltr.admin.checkpoint_io import network_fields, write_checkpoint
from ltr.models.tracking.dimpnet import dimpnet_small


@pytest.fixture(scope="module")
def net() -> torch.nn.Module:
    torch.manual_seed(1)
    net = dimpnet_small(optim_iter=2)
    net.info = {
        "image_sample_size": 128,
        "search_area_scale": 4.0,
        "crop_type": "inside_major",
        "feature_stride": 8,
    }
    return net


@pytest.fixture
def written(net, tmp_path: Path) -> Path:
    path = tmp_path / "DiMPnet_ep0003.pth.tar"
    write_checkpoint(
        path, {**network_fields(net), "epoch": 3, "optimizer": {"state": {}, "param_groups": []}}
    )
    return path
