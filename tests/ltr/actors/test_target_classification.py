"""The three terms of the classification loss, hinged and as a density."""

import math

import pytest
import torch

from ebm.exceptions import DomainError
from ltr.actors.target_classification import ClassificationWeights, DensityTerm, HingeTerm

WEIGHTS = ClassificationWeights(final=1.0, init=10.0, iterates=100.0)
BATCH = {
    "test_label": torch.zeros(1, 2, 3, 3),
    "test_anno": torch.zeros(1, 2, 4),
    "test_label_density": torch.zeros(1, 2, 3, 3),
}


def mean_of(score: torch.Tensor, label: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    return (score - label).mean()


def scores(*values: float) -> list[torch.Tensor]:
    return [torch.full((1, 2, 3, 3), value) for value in values]


def test_first_last_and_the_mean_between_are_weighted() -> None:
    loss, stats = HingeTerm(hinge=mean_of, weights=WEIGHTS)(scores(1.0, 2.0, 4.0, 7.0), BATCH)
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


def test_each_iterate_may_have_a_weight_of_its_own() -> None:
    weights = ClassificationWeights(final=0.0, init=0.0, iterates=(10.0, 100.0))
    loss, stats = HingeTerm(hinge=mean_of, weights=weights)(scores(1.0, 2.0, 4.0, 7.0), BATCH)
    assert loss.item() == pytest.approx(10 * 2 + 100 * 4)
    assert stats["ClfTrain/test_iter_loss"].item() == pytest.approx(3)
    with pytest.raises(DomainError, match="2 weights for the 3 iterates"):
        HingeTerm(hinge=mean_of, weights=weights)(scores(1.0, 2.0, 3.0, 4.0, 7.0), BATCH)


@pytest.mark.parametrize("term", [HingeTerm(hinge=mean_of, weights=WEIGHTS), DensityTerm(weights=WEIGHTS)])
def test_a_single_iteration_has_nothing_between(term) -> None:
    """Defect D-36: the published code divides by zero here."""
    loss, stats = term(scores(1.0, 7.0), BATCH)
    offset = 0.0 if isinstance(term, HingeTerm) else 11 * math.log(9)  # log of the sum over nine cells
    assert loss.item() == pytest.approx(17 + offset)
    assert not [name for name in stats if "iter" in name]


def test_the_density_term_is_the_cross_entropy_of_the_softmax() -> None:
    generator = torch.Generator().manual_seed(0)
    maps = [torch.randn(2, 3, 4, 5, generator=generator) for _ in range(3)]
    density = torch.rand(2, 3, 4, 5, generator=generator)
    density = density / density.sum(dim=(2, 3), keepdim=True)
    loss, stats = DensityTerm()(maps, {"test_label_density": density})
    expected = [
        torch.nn.functional.cross_entropy(m.reshape(6, 20), density.reshape(6, 20)).item() for m in maps
    ]
    assert stats["ClfTrain/clf_ce_init"].item() == pytest.approx(expected[0])
    assert stats["ClfTrain/clf_ce_iter"].item() == pytest.approx(expected[1])
    assert stats["ClfTrain/clf_ce"].item() == pytest.approx(expected[2])
    assert loss.item() == pytest.approx(0.25 * expected[0] + 1.0 * expected[1] + 0.25 * expected[2])
    assert stats["Loss/clf_ce_iter"].item() == pytest.approx(expected[1])
