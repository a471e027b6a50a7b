"""The random numbers of torch's generator without torch."""

import numpy as np
import pytest
import torch

from pytracking.libs.draws import Draws, generator_for, normal, uniform


@pytest.mark.parametrize("seed", [0, 7, 123456789, 2**40 + 5])
def test_the_numbers_are_torchs_to_the_bit(seed: int) -> None:
    ours, torchs = Draws().manual_seed(seed), torch.Generator().manual_seed(seed)
    for shape, single in (((2,), False), ((9, 4), False), ((2, 256), True), ((15,), False), ((1001,), True)):
        drawn = uniform(ours, *shape, single=single)
        assert drawn.shape == shape
        np.testing.assert_array_equal(drawn, uniform(torchs, *shape, single=single))


def test_a_tracker_without_a_device_draws_without_torch() -> None:
    assert isinstance(generator_for(None), Draws)
    assert isinstance(generator_for(torch.device("cpu")), torch.Generator)


@pytest.mark.parametrize("count", [16, 24, 1000, 1024])
def test_normal_numbers_are_torchs_to_rounding(count: int) -> None:
    ours, torchs = Draws().manual_seed(7), torch.Generator().manual_seed(7)
    np.testing.assert_allclose(normal(ours, count), normal(torchs, count), atol=3e-6)
    np.testing.assert_array_equal(uniform(ours, 4), uniform(torchs, 4))  # both go on alike


def test_a_few_normal_numbers() -> None:
    drawn = np.concatenate([normal(Draws().manual_seed(seed), 5) for seed in range(400)])
    assert abs(drawn.mean()) < 0.1
    assert abs(drawn.std() - 1) < 0.1
