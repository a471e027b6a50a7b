"""Parameter groups by the path of a sub-module, and the Adam optimiser over them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from ebm.exceptions import DomainError
from ebm.lookup import unknown_name

__all__ = ["ParameterGroup", "build_adam"]


@dataclass(frozen=True, kw_only=True)
class ParameterGroup:
    """One group: all parameters of the sub-module at `path`, e.g. ``"classifier.filter_optimizer"``."""

    path: str
    lr: float

    def __post_init__(self) -> None:
        if not self.lr > 0:
            raise DomainError(f"the learning rate of {self.path!r} must be positive, got {self.lr}")


def _submodule(net: nn.Module, path: str) -> nn.Module:
    modules = dict(net.named_modules())
    if path not in modules:
        outer = [name for name in modules if name and name.count(".") < 2]
        raise unknown_name("sub-module", path, outer, "Any part of these will do as well.")
    return modules[path]


def build_adam(
    net: nn.Module, groups: Sequence[ParameterGroup], weight_decay: float = 0.0
) -> torch.optim.Adam:
    """Adam (betas 0.9, 0.999; eps 1e-8), one parameter group for each entry, in order.

    Args:
        net: the network, already on its device.
        groups: sub-modules and learning rates; a parameter must not stand in two of them.
        weight_decay: L2 factor of all groups.

    Raises:
        UnknownNameError: for a path that the network lacks.
        DomainError: for a parameter in two groups.
    """
    seen: set[int] = set()
    parts = []
    for group in groups:
        parameters = list(_submodule(net, group.path).parameters())
        if seen & {id(p) for p in parameters}:
            raise DomainError(f"parameters of {group.path!r} stand in two optimiser groups")
        seen |= {id(p) for p in parameters}
        parts.append({"params": parameters, "lr": group.lr, "initial_lr": group.lr, "name": group.path})
    device = next(net.parameters()).device
    # One kernel for all tensors where torch has it (CPU and CUDA); the default elsewhere.
    fused = True if device.type in ("cpu", "cuda") else None
    return torch.optim.Adam(parts, fused=fused, weight_decay=weight_decay)
