"""Coverage by place: bins, the worst slab and the verdict, on coverage that is known."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ebm.exceptions import DomainError, InputError, ShapeError
from ebm.scores import inside_interval, local_coverage, worst_feature_slab, worst_slab
from ebm.scores.slabs import _lowest_runs

N = 4000


def made(where: str, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Inputs ``(N, 4)``, and whether sets hold: 90 % in general, 60 % at a known place."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(N, 4, dtype=torch.float64, generator=draw)
    x[:, 3] = (x[:, 3] * 2).round().clamp(-1, 1)  # three values
    places = {
        "nowhere": torch.zeros(N, dtype=torch.bool),
        "x1": x[:, 1] > 1.0,
        "middle": (x[:, 1] > -0.2) & (x[:, 1] < 0.3),
        "aslant": (x[:, 0] + x[:, 2]) / math.sqrt(2) > 1.0,
        "low": x[:, 3] == -1,
    }
    share = torch.where(places[where], 0.6, 0.9)
    return x, torch.rand(N, generator=draw) < share


def test_honest_sets_are_called_so() -> None:
    found = local_coverage(*made("nowhere"), 0.9, directions=200)
    assert found.verdict().startswith("90 % intervals hold 9")
    assert found.verdict().endswith(
        "of 4000 rows: as promised; no interval of a single feature holds clearly fewer."
    )
    assert found.worst.chosen.coverage < 0.87  # chosen to be low
    assert abs(found.worst.held.coverage - 0.9) < 3 * found.worst.held.standard_error  # judged by others
    wide = local_coverage(*made("nowhere"), 0.7, directions=10)
    assert ": too wide;" in wide.verdict()
    assert ": too narrow;" in local_coverage(*made("nowhere"), 0.95, directions=10).verdict()


def test_of_honest_sets_few_places_are_named_and_the_half_that_judges_is_not_biased() -> None:
    draw = torch.Generator().manual_seed(0)
    named, chosen, held = 0, [], []
    for seed in range(200):
        x = torch.randn(400, 3, generator=draw)
        inside = torch.rand(400, generator=draw) < 0.9
        found = local_coverage(x, inside, 0.9, bins=1, directions=5, seed=seed + 1000)
        named += "worst where" in found.verdict()
        chosen.append(found.worst.chosen.coverage)
        held.append(found.worst.held.coverage)
    assert named / 200 < 0.07  # two standard errors on one side: 2.3 % and a little for small counts
    assert np.mean(chosen) < 0.75
    assert abs(np.mean(held) - 0.9) < 3 * np.std(held) / math.sqrt(200)


def test_the_place_of_a_failure_is_found_and_named() -> None:
    found = local_coverage(*made("x1"), 0.9, directions=10, names=("age", "size", "mass", "kind"))
    slab = found.worst_feature
    assert slab.direction.tolist() == [0, 1, 0, 0]
    assert slab.low == pytest.approx(1.0, abs=0.3)
    assert slab.high == math.inf
    assert slab.held.coverage == pytest.approx(0.6, abs=0.1)
    assert ": too narrow; worst where 'size' >= " in found.verdict()
    x, inside = made("low")
    kinds = local_coverage(x, inside, 0.9, directions=10)
    assert "worst where 'x3' <= -1: " in kinds.verdict()
    middle = local_coverage(*made("middle"), 0.9, directions=10)
    assert " <= 'x1' <= " in middle.verdict()


def test_a_failure_across_features_is_found_by_directions() -> None:
    x, inside = made("aslant")
    slab = worst_slab(x, inside, directions=500)
    axis = torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=torch.float64) / math.sqrt(2)
    along = torch.dot(slab.direction * x.std(0), axis) / torch.linalg.vector_norm(slab.direction * x.std(0))
    assert along.abs() > 0.85
    assert slab.held.coverage < worst_feature_slab(x, inside).held.coverage
    within = slab.contains(x)
    assert int(within.sum()) == slab.chosen.count + slab.held.count
    assert int(inside[within].sum()) == slab.chosen.hits + slab.held.hits


def test_bins_by_hand() -> None:
    x = torch.tensor([[0.0, 5.0]] * 4 + [[1.0, 5.0]] * 4)
    inside = [True, True, True, False, True, False, False, False]
    found = local_coverage(x, inside, 0.5, bins=2, directions=1)
    assert [(b.feature, b.low, b.high, b.held.hits, b.held.count) for b in found.bins] == [
        ("x0", 0.0, 0.0, 3, 4),
        ("x0", 1.0, 1.0, 1, 4),
        ("x1", 5.0, 5.0, 4, 8),
    ]
    assert found.bins[0].held.standard_error == pytest.approx(math.sqrt((4 / 6) * (2 / 6) / 4))
    assert found.table().rows[0] == ("x0", "0", "0", "4", "75.0 % ± 23.6")
    x, inside = made("x1")
    rows = local_coverage(x, inside, 0.9, bins=5, directions=1).bins
    assert [b.feature for b in rows] == ["x0"] * 5 + ["x1"] * 5 + ["x2"] * 5 + ["x3"] * 3
    for part in (rows[:5], rows[5:10], rows[15:]):
        assert sum(b.held.count for b in part) == N
        assert sum(b.held.hits for b in part) == int(inside.sum())
        assert all(one.high < two.low for one, two in itertools.pairwise(part))
    assert all(b.held.count == N // 5 for b in rows[:15])


def brute(values: list[int], hits: list[int], fewest: int) -> float:
    """The lowest mean of whole groups of equal values."""
    cuts = sorted(set(values))
    means = []
    for low, high in itertools.product(cuts, cuts):
        chosen = [h for v, h in zip(values, hits) if low <= v <= high]
        if len(chosen) >= fewest:
            means.append(sum(chosen) / len(chosen))
    return min(means)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1)), min_size=1, max_size=14), st.integers(1, 14))
def test_the_lowest_run_is_that_of_trying_all(rows: list[tuple[int, int]], fewest: int) -> None:
    fewest = min(fewest, len(rows))
    values, hits = [v for v, _ in rows], [h for _, h in rows]
    given_values = torch.tensor([values, [-v for v in values]], dtype=torch.float64)
    mean, low, high = _lowest_runs(given_values, torch.tensor(hits, dtype=torch.float64), fewest)
    expected = brute(values, hits, fewest)
    assert mean.tolist() == pytest.approx([expected, expected])
    chosen = [h for v, h in rows if low[0] <= v <= high[0]]
    assert sum(chosen) / len(chosen) == pytest.approx(expected)


def test_intervals_and_tables_of_any_kind() -> None:
    pandas = pytest.importorskip("pandas")
    inside = inside_interval([0, 0, 0], np.array([1, 1, 1]), torch.tensor([1.0, 1.1, 0.0]))
    assert inside.tolist() == [True, False, True]
    x, hits = made("x1")
    frame = pandas.DataFrame(x.numpy(), columns=["a", "b", "c", "d"])
    assert "'b' >= " in local_coverage(frame, hits.numpy(), 0.9, directions=1).verdict()
    with pytest.raises(InputError):
        local_coverage(frame.assign(b="text"), hits, 0.9)


def test_misuse_is_told() -> None:
    x, inside = made("nowhere")
    with pytest.raises(ShapeError, match="N >= 8"):
        worst_slab(x[:5], inside[:5])
    with pytest.raises(ShapeError, match="4000 and 10 rows"):
        worst_slab(x, inside[:10])
    with pytest.raises(DomainError, match="truth values"):
        worst_slab(x, inside.double() * 0.5)
    with pytest.raises(DomainError, match="least"):
        worst_slab(x, inside, least=0)
    with pytest.raises(DomainError, match="directions"):
        worst_slab(x, inside, directions=0)
    with pytest.raises(DomainError, match="level"):
        local_coverage(x, inside, 90)
    with pytest.raises(ShapeError, match="F=4 names"):
        local_coverage(x, inside, 0.9, names=("a",), directions=1)
    with pytest.raises(ShapeError, match="F=4"):
        worst_slab(x, inside, directions=1).contains(x[:, :2])
    with pytest.raises(ShapeError, match=r"\(N, F\)"):
        worst_slab(torch.zeros(9, 2, 2), inside[:9])
    with pytest.raises(DomainError, match="NaN"):
        inside_interval([0.0], [math.nan], [1.0])
