"""With the network of dimp/dimp_nce; SuperDiMP's parameters but for the network."""

import importlib
from typing import Any

import torch

from . import super_dimp

__all__ = ["parameters"]


def parameters() -> Any:
    """A new parameter object with an unloaded network.

    Raises:
        FileNotFoundError: if the network was neither trained in this clone nor copied to `network_path`.
    """
    importlib.import_module("ltr.ebmtrack.compat").allow_checkpoints()
    params = super_dimp.parameters()
    params.use_gpu = torch.cuda.is_available()
    path = importlib.import_module("ltr.ebmtrack.networks").find_network("dimp", "dimp_nce")
    params.net = type(params.net)(net_path=path, use_gpu=params.use_gpu)
    return params
