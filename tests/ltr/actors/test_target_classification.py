"""The three terms of the classification loss."""

import pytest
import torch

from ltr.actors.target_classification import ClassificationWeights, classification_loss

WEIGHTS = ClassificationWeights(final=1.0, init=10.0, iterates=100.0)


def mean_of(score: torch.Tensor, label: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    return (score - label).mean()


def scores(*values: float) -> list[torch.Tensor]:
    return [torch.full((1, 2, 3, 3), value) for value in values]


def test_first_last_and_the_mean_between_are_weighted() -> None:
    loss, stats = classification_loss(
        scores(1.0, 2.0, 4.0, 7.0), torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 4), mean_of, WEIGHTS
    )
    assert loss.item() == pytest.approx(1 * 7 + 10 * 1 + 100 * 3)
    assert {name: value.item() for name, value in stats.items()} == pytest.approx(
        {
            "Loss/target_clf": 7,
            "Loss/test_init_clf": 10,
            "Loss/test_iter_clf": 300,
            "ClfTrain/test_loss": 7,
            "ClfTrain/test_init_loss": 1,
            "ClfTrain/test_iter_loss": 3,
        }
    )


def test_a_single_iteration_has_nothing_between() -> None:
    loss, stats = classification_loss(
        scores(1.0, 7.0), torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 4), mean_of, WEIGHTS
    )
    assert loss.item() == pytest.approx(17)
    assert "Loss/test_iter_clf" not in stats
