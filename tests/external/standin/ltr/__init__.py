"""Training side of the stand-in."""

from .admin.loading import load_network
from .admin.model_constructor import model_constructor
from .admin.multigpu import MultiGPU

__all__ = ["MultiGPU", "load_network", "model_constructor"]
