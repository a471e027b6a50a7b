"""Products of few rows with a large matrix, in every layout they are computed in."""

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pytracking.inference import onednn, products
from pytracking.inference.products import PACKED, RowProduct
from tests.formula import noise


def factors(rows: int) -> tuple[Tensor, Tensor, Tensor]:
    return noise(1, (rows, 96)), noise(2, (24, 96)), noise(3, (24,))


@pytest.mark.parametrize("mkl", [False, True], ids=["other", "mkl"])
@pytest.mark.parametrize("without", [False, True], ids=["onednn", "plain"])
def test_it_is_the_linear_layer_for_every_number_of_rows(
    mkl: bool, without: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mkl and not torch.backends.mkl.is_available():
        pytest.skip("torch has no MKL here")
    monkeypatch.setattr(products, "mkl_packs", lambda: mkl)
    if without:
        monkeypatch.setattr(onednn, "usable", lambda dtype: False)
    _, weight, bias = factors(1)
    product, bare = RowProduct(weight, bias), RowProduct(weight)
    for count in (*range(1, PACKED + 3), 10, products.MOST + 1, 3):
        rows = noise(4 + count, (count, 96))
        torch.testing.assert_close(product(rows), F.linear(rows, weight, bias), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(bare(rows), rows @ weight.T, rtol=1e-4, atol=1e-5)


def test_the_packed_matrix_is_read_where_it_can_be() -> None:
    rows, weight, _ = factors(10)
    product = RowProduct(weight)
    product(rows)
    assert set(product._packed) == ({10} if products.mkl_packs() else set())
    for count in range(1, 3 * PACKED):  # what is kept has a limit
        product(rows[:count])
    assert len(product._packed) <= PACKED


@pytest.mark.parametrize("without", [False, True], ids=["onednn", "plain"])
def test_bfloat16_factors_give_results_in_the_rows_numbers(
    without: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if without:
        monkeypatch.setattr(onednn, "usable", lambda dtype: False)
    for count in (10, 4):
        rows, weight, bias = factors(count)
        got, wanted = RowProduct(weight, bias, torch.bfloat16)(rows), F.linear(rows, weight, bias)
        assert got.dtype == torch.float32
        assert 0 < float((got - wanted).abs().max()) < 0.02 * float(wanted.abs().max())


def test_double_precision_stays() -> None:
    rows, weight, bias = (value.double() for value in factors(5))
    got = RowProduct(weight, bias)(rows)
    assert got.dtype == torch.float64
    torch.testing.assert_close(got, F.linear(rows, weight, bias), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_packed_matrices_are_left_out_of_copies(dtype: torch.dtype) -> None:
    rows, weight, bias = factors(10)
    product = RowProduct(weight, bias, dtype)
    wanted = product(rows)
    for twin in (copy.deepcopy(product), pickle.loads(pickle.dumps(product))):
        assert torch.equal(twin(rows), wanted)
