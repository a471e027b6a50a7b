"""With the network of dimp/dimp_nce_plus; SuperDiMP's parameters but for the network."""

import importlib
from typing import Any

from . import super_dimp

__all__ = ["parameters"]


def parameters() -> Any:
    """A new parameter object with an unloaded network."""
    networks = importlib.import_module("ltr.ebmtrack.networks")
    return networks.with_network(super_dimp.parameters(), "dimp", "dimp_nce_plus")
