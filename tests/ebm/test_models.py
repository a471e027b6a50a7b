"""The model interface: shapes in, shapes out."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from ebm.exceptions import DomainError, ShapeError
from ebm.models import FunctionalEnergy, map_tensors, tensors_of


class Pair(NamedTuple):
    low: Tensor
    high: Tensor


def bump() -> FunctionalEnergy:
    return FunctionalEnergy(lambda mean, y: -(y - mean[:, None]).square().sum(-1), target_dim=2)


def test_forward_takes_one_or_many_targets_per_input() -> None:
    x = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    y = torch.tensor([[1.0, 0.0], [1.0, 3.0]])
    torch.testing.assert_close(bump()(x, y), torch.tensor([-1.0, -4.0]))
    torch.testing.assert_close(
        bump()(x, y[:, None].expand(2, 3, 2)), torch.tensor([[-1.0], [-4.0]]).expand(2, 3)
    )
    torch.testing.assert_close(bump().energy(x, y), torch.tensor([1.0, 4.0]))


@pytest.mark.parametrize("shape", [(2,), (2, 3), (2, 3, 1), (2, 3, 3, 2)])
def test_other_shapes_are_not_guessed(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"\(B, M, D=2\)"):
        bump()(torch.zeros(2, 2), torch.zeros(shape))


def test_targets_must_fit_the_inputs() -> None:
    x = torch.zeros(2, 2)
    with pytest.raises(ShapeError, match="got 3 targets, but a feature tensor"):
        bump()(x, torch.zeros(3, 2))
    with pytest.raises(TypeError, match="features on cpu, y on meta"):
        bump()(x, torch.zeros(2, 2, device="meta"))
    with pytest.raises(TypeError, match="y is torch.float64, but the model computes in torch.float32"):
        bump()(x, torch.zeros(2, 2, dtype=torch.float64))
    with pytest.raises(TypeError, match="bool"):
        bump()(x, torch.zeros(2, 2, dtype=torch.bool))


def test_integers_are_numbers() -> None:
    y = torch.tensor([[1, 0], [0, 3]])
    assert bump()(torch.zeros(2, 2), y).dtype == torch.float32
    assert bump()(torch.zeros(2, 2).double(), y).tolist() == [-1.0, -9.0]


def test_target_dimension_is_a_positive_integer() -> None:
    with pytest.raises(DomainError, match="target_dim"):
        FunctionalEnergy(lambda _, y: y[..., 0], target_dim=0)


def test_features_are_repeated_wherever_they_are_nested() -> None:
    tree = {"a": torch.tensor([1, 2]), "b": [Pair(torch.tensor([3.0, 4]), torch.zeros(2, 5)), None, "name"]}
    repeated = bump().repeat_features(tree, 2)
    assert repeated["a"].tolist() == [1, 1, 2, 2]
    assert isinstance(repeated["b"][0], Pair)
    assert repeated["b"][0].low.tolist() == [3, 3, 4, 4]
    assert repeated["b"][0].high.shape == (4, 5)
    assert repeated["b"][1:] == [None, "name"]
    assert len(list(tensors_of(tree))) == 3
    assert map_tensors(lambda t: t + 1, (torch.tensor(1), 5)) == (torch.tensor(2), 5)
