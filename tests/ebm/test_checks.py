"""Checks of values look where that is free, and only there."""

import pytest
import torch

from ebm.checks import all_finite, checks_values, float_dtype, require_count, require_finite
from ebm.exceptions import DomainError


def test_values_are_looked_at_on_the_cpu_unless_told_otherwise() -> None:
    here, elsewhere = torch.zeros(1), torch.zeros(1, device="meta")
    assert checks_values(here, None)
    assert not checks_values(elsewhere, None)
    assert not checks_values(here, False)
    assert checks_values(elsewhere, True)
    require_finite("y", elsewhere)
    require_finite("y", torch.tensor([torch.nan]), validate=False)


def test_the_first_bad_entry_is_named() -> None:
    with pytest.raises(DomainError, match=r"boxes\[1, 0\] is -inf"):
        require_finite("boxes", torch.tensor([[0.0, 1], [-torch.inf, torch.nan]]))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_one_bad_entry_is_found_wherever_it_is(bad: float) -> None:
    for place in range(3):
        tensor = torch.tensor([3e38, -3e38, 0.0])  # their spread overflows, they do not
        assert all_finite(tensor)
        tensor[place] = bad
        assert not all_finite(tensor)
    assert all_finite(torch.zeros(0, 3))


def test_widest_floating_type() -> None:
    assert (
        float_dtype(torch.zeros(1, dtype=torch.bfloat16), torch.zeros(1, dtype=torch.int8)) == torch.float32
    )
    assert float_dtype(torch.zeros(1), torch.zeros(1, dtype=torch.float64)) == torch.float64
    with pytest.raises(TypeError, match="complex"):
        float_dtype(torch.zeros(1, dtype=torch.complex64))


@pytest.mark.parametrize("value", [0, -3, 1.0, "2", True])
def test_counts_are_integers_from_one(value: object) -> None:
    with pytest.raises(DomainError, match="num_samples must be an integer >= 1"):
        require_count("num_samples", value)
