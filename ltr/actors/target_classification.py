"""The target classifier's part of a loss: its score maps at every iterate of the filter."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ebm.exceptions import DomainError
from ltr.models.loss.kl_regression import KLRegressionGrid

__all__ = [
    "ClassificationWeights",
    "ClassifierTerm",
    "DensityTerm",
    "HingeTerm",
    "IterateNames",
    "weigh_iterates",
]

Hinge = Callable[[Tensor, Tensor, Tensor], Tensor]


class ClassifierTerm(Protocol):
    """From the score maps of all iterates, each ``[I, B, h, w]``, and the batch to a loss and statistics."""

    def __call__(
        self, scores: Sequence[Tensor], batch: Mapping[str, Any]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted loss ``[]``, and detached statistics ``[]`` by name."""


@dataclass(frozen=True, kw_only=True)
class ClassificationWeights:
    """Weights of the three terms of the target classifier.

    Attributes:
        final: of the last iterate.
        init: of the initialiser's filter.
        iterates: of the mean over the iterates between, or one weight for each of them.
    """

    final: float = 100.0
    init: float = 100.0
    iterates: float | Sequence[float] = 400.0


@dataclass(frozen=True, kw_only=True)
class IterateNames:
    """What the statistics are called: weighted under ``Loss/``, as they are under ``ClfTrain/``."""

    weighted: tuple[str, str, str]
    """Of the last, the first and those between."""
    plain: tuple[str, str, str]
    """The same."""


HINGE_NAMES = IterateNames(
    weighted=("Loss/target_clf", "Loss/test_init_clf", "Loss/test_iter_clf"),
    plain=("ClfTrain/test_loss", "ClfTrain/test_init_loss", "ClfTrain/test_iter_loss"),
)
DENSITY_NAMES = IterateNames(
    weighted=("Loss/clf_ce", "Loss/clf_ce_init", "Loss/clf_ce_iter"),
    plain=("ClfTrain/clf_ce", "ClfTrain/clf_ce_init", "ClfTrain/clf_ce_iter"),
)


def weigh_iterates(
    losses: Sequence[Tensor], weights: ClassificationWeights, names: IterateNames
) -> tuple[Tensor, dict[str, Tensor]]:
    """Weighted sum of the losses of the last iterate, the first, and those between.

    Args:
        losses: of the n + 1 iterates, each ``[]``; with fewer than three nothing lies between.
        weights: of the terms.
        names: of the statistics.

    Returns: the sum ``[]``, and detached statistics ``[]``; those between appear as weighted and as mean.

    Raises:
        DomainError: if the weights of the iterates between are not one for each.

    Source: Bhat et al., "Learning Discriminative Model Prediction for Tracking", arXiv:1904.07220.
    """
    terms = [weights.final * losses[-1], weights.init * losses[0]]
    plain = [losses[-1], losses[0]]
    if len(losses) > 2:
        between = torch.stack(list(losses[1:-1]))
        plain.append(between.mean())
        if isinstance(weights.iterates, Sequence):
            if len(weights.iterates) != len(between):
                raise DomainError(
                    f"{len(weights.iterates)} weights for the {len(between)} iterates between the first and "
                    "the last; give one for each, or a number for their mean."
                )
            terms.append((between * between.new_tensor(list(weights.iterates))).sum())
        else:
            terms.append(weights.iterates * plain[-1])
    stats = dict(zip(names.weighted, terms)) | dict(zip(names.plain, plain))
    return torch.stack(terms).sum(), {name: value.detach() for name, value in stats.items()}


@dataclass(frozen=True, kw_only=True)
class HingeTerm:
    """Hinged regression of the scores to the batch's ``test_label`` ``[I, B, h, w]``.

    Attributes:
        hinge: the loss of one map, e.g. ``LBHinge(threshold=0.05)``.
        weights: of the iterates.
    """

    hinge: Hinge
    weights: ClassificationWeights = ClassificationWeights()

    def __call__(
        self, scores: Sequence[Tensor], batch: Mapping[str, Any]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See `ClassifierTerm`."""
        label, boxes = batch["test_label"], batch["test_anno"]
        losses = [self.hinge(score.float(), label, boxes) for score in scores]
        return weigh_iterates(losses, self.weights, HINGE_NAMES)


@dataclass(frozen=True, kw_only=True)
class DensityTerm:
    """Cross-entropy of the scores' softmax and the batch's ``test_label_density`` ``[I, B, h, w]``.

    Attributes:
        weights: of the iterates; PrDiMP's by default.
        loss: of one map.

    Source: Danelljan et al., "Probabilistic Regression for Visual Tracking", CVPR 2020, arXiv:2003.12565.
    """

    weights: ClassificationWeights = ClassificationWeights(final=0.25, init=0.25, iterates=1.0)
    loss: nn.Module = KLRegressionGrid()

    def __call__(
        self, scores: Sequence[Tensor], batch: Mapping[str, Any]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See `ClassifierTerm`."""
        density = batch["test_label_density"]
        losses = [self.loss(score.float(), density, grid_dim=(-2, -1)) for score in scores]
        return weigh_iterates(losses, self.weights, DENSITY_NAMES)
