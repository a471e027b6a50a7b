"""The classification loss over the iterates of the unrolled filter optimiser."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["ClassificationWeights", "classification_loss"]

Hinge = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class ClassificationWeights:
    """Weights of the three terms of the target classifier.

    Attributes:
        final: of the last iterate.
        init: of the initialiser's filter.
        iterates: of the mean over the iterates between.
    """

    final: float = 100.0
    init: float = 100.0
    iterates: float = 400.0


def classification_loss(
    scores: Sequence[Tensor], label: Tensor, boxes: Tensor, hinge: Hinge, weights: ClassificationWeights
) -> tuple[Tensor, dict[str, Tensor]]:
    """Weighted sum of the losses of the first, the last and the mean of the iterates between.

    Args:
        scores: score maps of the n + 1 iterates, each ``[I, B, h, w]``.
        label: target scores, ``[I, B, h, w]``.
        boxes: test boxes xywh, px, ``[I, B, 4]``.
        hinge: the loss of one map.
        weights: of the terms.

    Returns: the loss ``[]``, and detached statistics ``[]``: ``Loss/*`` weighted, ``ClfTrain/*`` not.

    Source: Bhat et al., "Learning Discriminative Model Prediction for Tracking", arXiv:1904.07220.
    """
    losses = [hinge(score.float(), label, boxes) for score in scores]
    final = weights.final * losses[-1]
    init = weights.init * losses[0]
    total = final + init
    stats = {"Loss/target_clf": final, "Loss/test_init_clf": init}
    plain = {"ClfTrain/test_loss": losses[-1], "ClfTrain/test_init_loss": losses[0]}
    if len(losses) > 2:
        between = torch.stack(losses[1:-1]).mean()
        stats["Loss/test_iter_clf"] = weights.iterates * between
        plain["ClfTrain/test_iter_loss"] = between
        total = total + stats["Loss/test_iter_clf"]
    return total, {name: value.detach() for name, value in (stats | plain).items()}
