"""The random numbers of torch's generator without torch."""

import numpy as np
import pytest
import torch

from pytracking.libs.draws import Draws, generator_for, uniform


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
