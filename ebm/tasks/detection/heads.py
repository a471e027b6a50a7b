"""The papers' probabilistic baselines: a density over a region's box offset in the place of a regression.

The classes stay the detector's own; every class has outputs of its own. Features carry their class as their
last number, so that the heads of `ebm.baselines` serve as they are.

Source: Gustafsson et al., ECCV 2020, supplement C.4.
"""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from ebm.baselines.base import PAPER_STD, Baseline
from ebm.baselines.cvae import CVAEHead, PairBranch
from ebm.baselines.heads import GaussianHead, LaplaceHead, MixtureDensityHead
from ebm.lookup import lookup

__all__ = ["HEADS", "ColumnLinear", "build_head", "with_column"]


class ColumnLinear(nn.Module):
    """A linear layer of its own for every class; the class is the last number of the input.

    Args:
        inputs: F.
        columns: number of classes.
        outputs: of each.
    """

    def __init__(self, inputs: int, columns: int, outputs: int) -> None:
        super().__init__()
        self.columns, self.outputs = columns, outputs
        self.linear = nn.Linear(inputs, columns * outputs)
        nn.init.normal_(self.linear.weight, std=PAPER_STD)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        """``(R, F + 1) -> (R, outputs)``."""
        every = self.linear(x[:, :-1]).view(-1, self.columns, self.outputs)
        return every[torch.arange(len(x), device=x.device), x[:, -1].long()]


class _ColumnPair(nn.Module):
    """`ColumnLinear` of features and one of M further vectors; in the form of `ebm.nn.layers.SplitMLP`."""

    def __init__(self, inputs: int, columns: int, other: int, outputs: int) -> None:
        super().__init__()
        self.features = ColumnLinear(inputs, columns, outputs)
        self.other = nn.Parameter(PAPER_STD * torch.randn(columns, outputs, other))

    def project(self, x: Tensor) -> Tensor:
        """The features' part, and their class behind it, ``(R, outputs + 1)``."""
        return torch.cat((self.features(x), x[:, -1:]), -1)

    def forward(self, projected: Tensor, other: Tensor) -> Tensor:
        """``(R, outputs + 1)`` and ``(R, M, other)`` to ``(R, M, outputs)``."""
        weight = self.other[projected[:, -1].long()]
        return projected[:, None, :-1] + torch.einsum("rmi,roi->rmo", other, weight)


class _PerClass(Baseline):
    """Makes a baseline's output branches `ColumnLinear` ones.

    Args:
        feature_dim: F.
        columns: number of classes.
        **options: of the baseline.
    """

    def __init__(self, feature_dim: int, columns: int, **options: Any) -> None:
        self.columns = columns  # before the baseline's constructor, which asks for branches
        super().__init__(feature_dim + 1, 4, **options)

    def branch(self, outputs: int) -> Any:
        """See `ebm.baselines.base.Baseline.branch`."""
        return ColumnLinear(self.feature_dim - 1, self.columns, outputs)


class _Gaussian(_PerClass, GaussianHead): ...


class _Laplace(_PerClass, LaplaceHead): ...


class _Mixture(_PerClass, MixtureDensityHead): ...


class _CVAE(_PerClass, CVAEHead):
    def _pair_branch(self, inputs: int, outputs: int) -> PairBranch:
        networks: list[Any] = [
            _ColumnPair(self.feature_dim - 1, self.columns, inputs, outputs) for _ in range(2)
        ]
        return PairBranch(*networks)


HEADS: Mapping[str, Any] = MappingProxyType(
    {
        "gaussian": partial(_Gaussian, scale="paper"),
        "laplace": partial(_Laplace, scale="paper"),
        **{f"mixture-{count}": partial(_Mixture, num_components=count) for count in (2, 4, 8)},
        "cvae": _CVAE,
    }
)


def build_head(name: str, feature_dim: int, columns: int) -> Baseline:
    """A fresh head.

    Args:
        name: of `HEADS`.
        feature_dim: F, of the detector's box head.
        columns: number of classes, the background among them.

    Raises:
        UnknownNameError: (a ValueError) for another name.
    """
    head: Baseline = lookup("head", name, HEADS)(feature_dim, columns)
    return head


def with_column(features: Tensor, column: Tensor) -> Tensor:
    """Features ``(R, F)`` with their classes ``(R,)`` behind them, ``(R, F + 1)``."""
    return torch.cat((features, column[:, None].to(features.dtype)), -1)
