"""The energy branch: how well does a box of a class fit, read from the features of a frozen detector."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ebm.baselines.base import PAPER_STD
from ebm.checks import require_count
from ebm.tasks.detection.pyramid import Pyramid

__all__ = ["ConfidenceBranch", "box_scores", "corners_of", "rects_of"]


class ConfidenceBranch(nn.Module):
    """Pooled features to one score per class: two hidden layers, then a column for every class.

    Args:
        channels: C of the feature maps.
        columns: number of classes that have a column of their own; 1 scores boxes whatever their class.
        hidden: units of both hidden layers.
        bins: cells per side that boxes are pooled into.

    Source: Gustafsson et al., ECCV 2020, supplement C.3; BMVC 2020, appendix B.
    """

    def __init__(self, channels: int, columns: int, *, hidden: int = 1024, bins: int = 7) -> None:
        super().__init__()
        self.channels, self.bins = require_count("channels", channels), require_count("bins", bins)
        self.columns, self.hidden = require_count("columns", columns), require_count("hidden", hidden)
        self.fc6 = nn.Linear(channels * bins * bins, hidden)
        self.fc7 = nn.Linear(hidden, hidden)
        self.fc_conf = nn.Linear(hidden, columns)
        nn.init.normal_(self.fc_conf.weight, std=PAPER_STD)
        nn.init.zeros_(self.fc_conf.bias)

    def start_from(self, layers: tuple[nn.Linear, nn.Linear] | None) -> tuple[str, ...]:
        """Begin with a detector's own two hidden layers where they have the same shape.

        Args:
            layers: the detector's; None where it has none.

        Returns:
            Names of the layers that were taken over.
        """
        taken = []
        for name, source in zip(("fc6", "fc7"), layers or ()):
            own = self.get_submodule(name)
            if isinstance(own, nn.Linear) and own.weight.shape == source.weight.shape:
                own.load_state_dict({key: value.detach() for key, value in source.state_dict().items()})
                taken.append(name)
        return tuple(taken)

    def forward(self, pooled: Tensor, column: Tensor) -> Tensor:
        """Scores ``(R,)`` of pooled boxes ``(R, C, bins, bins)`` in the columns ``(R,)`` of their classes."""
        hidden = self.fc7(self.fc6(pooled.flatten(1)).relu()).relu()
        if self.columns == 1:
            column = torch.zeros_like(column)
        # One column of each row: the others are neither computed nor trained.
        return torch.linalg.vecdot(hidden, self.fc_conf.weight[column]) + self.fc_conf.bias[column]


def box_scores(
    branch: ConfidenceBranch, pyramid: Pyramid, image: Tensor, column: Tensor
) -> Callable[[Tensor], Tensor]:
    """f of boxes xywh, px ``(R, 4) -> (R,)``, each in its own image and class, differentiable."""

    def scores(rects: Tensor) -> Tensor:
        found: Tensor = branch(pyramid.pool(image, corners_of(rects), branch.bins), column)
        return found

    return scores


def corners_of(rects: Tensor) -> Tensor:
    """Boxes xywh ``(..., 4)`` as xyxy."""
    return torch.cat((rects[..., :2], rects[..., :2] + rects[..., 2:]), -1)


def rects_of(corners: Tensor) -> Tensor:
    """Boxes xyxy ``(..., 4)`` as xywh."""
    return torch.cat((corners[..., :2], corners[..., 2:] - corners[..., :2]), -1)
