"""Loads a checkpoint as the original does: `torch.load` with its defaults."""

from pathlib import Path

import torch


def torch_load_legacy(path):
    return torch.load(path, map_location="cpu")


def load_weights(net, path, strict=True):
    return net.load_state_dict(torch_load_legacy(path)["net"], strict=strict)


def load_network(network_dir=None, **kwargs):
    path = Path(network_dir)
    if path.is_dir():
        path = sorted(path.glob("*.pth.tar"))[-1]
    checkpoint = torch_load_legacy(path)
    constructor = checkpoint["constructor"]
    constructor.kwds.update(kwargs)
    net = constructor.get()
    net.load_state_dict(checkpoint["net"])
    return net, checkpoint
