"""Several networks of one architecture side by side, computed in one go."""

import copy
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from ebm.exceptions import ShapeError
from ebm.nn.layers import SplitLinear

__all__ = ["MemberLinear", "MemberNets", "MemberSplitLinear", "one_of", "side_by_side"]

Net = TypeVar("Net", bound=nn.Module)


class MemberLinear(nn.Module):
    """K linear layers: of ``K * B`` rows the first B go through the first layer, and so on.

    Args:
        layers: K layers of one shape; their weights are copied.
    """

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))  # (K, out, in)
        self.bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in layers]))  # (K, out)

    def forward(self, x: Tensor) -> Tensor:
        """``(K * B, ..., in) -> (K * B, ..., out)``."""
        return _apply(x, self.weight, self.bias)

    def one(self, k: int) -> nn.Linear:
        """The k-th layer, a copy."""
        out, width = self.weight.shape[1:]
        return _filled(nn.Linear(width, out), self.weight[k], self.bias[k])


class MemberSplitLinear(MemberLinear):
    """K layers of the kind `ebm.nn.layers.SplitLinear`.

    Args:
        layers: K layers of one shape; their weights are copied.
    """

    def __init__(self, layers: Sequence[SplitLinear]) -> None:
        super().__init__(layers)
        self.x_dim = layers[0].x_dim

    def project(self, x: Tensor) -> Tensor:
        """See `SplitLinear.project`, ``(K * B, x_dim) -> (K * B, out)``."""
        return _apply(x, self.weight[..., : self.x_dim], self.bias)

    def join(self, projected: Tensor, y: Tensor) -> Tensor:
        """See `SplitLinear.join`, ``(K * B, out)`` and ``(K * B, M, y_dim) -> (K * B, M, out)``."""
        return _apply(y, self.weight[..., self.x_dim :]).add_(projected[:, None])

    def one(self, k: int) -> SplitLinear:
        """The k-th layer, a copy."""
        out, width = self.weight.shape[1:]
        layer = SplitLinear(self.x_dim, width - self.x_dim, out)
        return cast(SplitLinear, _filled(layer, self.weight[k], self.bias[k]))


class MemberNets(nn.ModuleList):
    """K networks of any kind, one after the other; of ``K * B`` rows each gets its B."""

    def forward(self, x: Tensor) -> Tensor:
        """``(K * B, ...) -> (K * B, ...)``."""
        parts = x.chunk(len(self))
        return torch.cat([net(part) for net, part in zip(self, parts, strict=True)])


def side_by_side(nets: Sequence[Net], whole: Sequence[str] = ()) -> Net:
    """K networks as one that takes ``K * B`` rows, the first B for the first network, and so on.

    Args:
        nets: of one architecture; linear layers are computed together, what has no weights is shared.
        whole: names of submodules that are of any kind, and stay K networks.

    Raises:
        ShapeError: if there is a layer with weights of another kind, outside of `whole`.
    """

    def joined(name: str, module: nn.Module) -> nn.Module | None:
        same = [net.get_submodule(name) for net in nets]
        if name in whole:
            return MemberNets(same)
        if isinstance(module, SplitLinear):
            return MemberSplitLinear(cast(Sequence[SplitLinear], same))
        if isinstance(module, nn.Linear):
            return MemberLinear(cast(Sequence[nn.Linear], same))
        if any(True for _ in module.parameters(recurse=False)):
            raise ShapeError(f"a {type(module).__name__} cannot be put side by side with others.")
        return None

    return _replaced(nets[0], joined)


def one_of(nets: Net, k: int) -> Net:
    """The k-th of networks that `side_by_side` put together, a copy."""

    def single(_: str, module: nn.Module) -> nn.Module | None:
        if isinstance(module, MemberNets):
            return copy.deepcopy(module[k])
        return module.one(k) if isinstance(module, MemberLinear) else None

    return _replaced(nets, single).train(nets.training)


def _replaced(net: Net, new: Callable[[str, nn.Module], nn.Module | None]) -> Net:
    """A copy of `net` with the modules that `new` gives for names and modules; None keeps one."""
    result = copy.deepcopy(net)
    done: list[str] = []
    for name, module in [*result.named_modules()]:
        inside = any(name.startswith(f"{outer}.") for outer in done)
        found = None if inside or not name else new(name, module)
        if found is not None:
            parent, _, own = name.rpartition(".")
            setattr(result.get_submodule(parent), own, found)
            done.append(name)
    return result


def _apply(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``(K * B, ..., in)`` by ``(K, out, in)``, ``(K * B, ..., out)``."""
    members, out, width = weight.shape
    rows = x.reshape(members, -1, width)
    joined = rows.bmm(weight.mT) if bias is None else torch.baddbmm(bias[:, None], rows, weight.mT)
    return joined.reshape(*x.shape[:-1], out)


def _filled(layer: nn.Linear, weight: Tensor, bias: Tensor) -> nn.Linear:
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer.to(weight.device)
