"""Sample weights against published vectors, and the ring buffer."""

import numpy as np
import pytest
import torch

from pytracking.parameter.base import MemoryParams
from pytracking.tracker.common.memory import SampleMemory, SampleWeights

ATOM = {  # update number: (replaced slot, total weight of the first samples, weight of the new sample)
    1: (30, 0.99020, 0.009803),
    2: (31, 0.98049, 0.009805),
    36: (65, 0.70065, 0.009861),
    100: (129, 0.37071, 0.009926),
    139: (168, 0.25110, 0.00995),
    140: (169, 0.25, 0.009937),
    235: (44, 0.25, 0.008429),
    400: (209, 0.25, 0.008429),
}
DIMP = {
    1: (15, 0.99020, 0.009803),
    2: (16, 0.98049, 0.009805),
    36: (15, 0.70554, 0.009929),
    100: (44, 0.55740, 0.014925),
    139: (48, 0.45975, 0.018218),
    140: (49, 0.45725, 0.018302),
    235: (39, 0.25, 0.025307),
    400: (29, 0.25, 0.025308),
}


@pytest.mark.parametrize(
    ("capacity", "initial", "in_order", "table"),
    [(250, 30, False, ATOM), (50, 15, True, DIMP)],
    ids=["atom", "dimp"],
)
def test_published_weight_vectors(
    capacity: int, initial: int, in_order: bool, table: dict[int, tuple[int, float, float]]
) -> None:
    weights = SampleWeights(capacity, initial, 0.25, fill_in_order=in_order)
    for update in range(1, max(table) + 1):
        slot = weights.next_slot(0.01)
        if update in table:
            expected_slot, first, new = table[update]
            assert slot == expected_slot
            assert weights.values[:initial].sum() == pytest.approx(first, abs=1e-4)
            assert weights.values[slot] == pytest.approx(new, abs=1e-5)


def test_the_floor_lets_the_total_exceed_one_a_little() -> None:
    weights = SampleWeights(250, 30, 0.25, fill_in_order=False)
    for _ in range(140):
        weights.next_slot(0.01)
    assert weights.values.sum() == pytest.approx(1.00035, abs=1e-5)


def test_a_hard_negative_at_the_second_update() -> None:
    weights = SampleWeights(50, 15, 0.25)
    weights.next_slot(0.01)
    slot = weights.next_slot(0.02)
    assert weights.values[:15].sum() == pytest.approx(0.98039, abs=1e-5)
    assert weights.values[slot] == pytest.approx(0.009904, abs=1e-6)


def test_a_learning_rate_of_one_forgets_everything_else() -> None:
    weights = SampleWeights(5, 3, 0.0)
    assert weights.next_slot(1.0) == 0
    np.testing.assert_array_equal(weights.values, [1, 0, 0, 0, 0])


def test_new_samples_land_in_their_slot_without_growing_the_buffers() -> None:
    memory = SampleMemory(torch.zeros(2, 3, 2, 2), torch.zeros(2, 4), MemoryParams(sample_memory_size=4))
    storage = memory.features.data_ptr()
    for frame in range(1, 8):
        memory.add(torch.full((1, 3, 2, 2), float(frame)), np.full(4, float(frame)))
        assert memory.features.shape == (min(2 + frame, 4), 3, 2, 2)
    assert memory.features.data_ptr() == storage
    # The two first-frame samples are kept; the others take turns, the lightest being replaced.
    assert memory.features[:2].abs().max() == 0
    assert sorted(memory.features[2:, 0, 0, 0].tolist()) == sorted(memory.boxes[2:, 0].tolist()) == [6, 7]
    assert float(memory.sample_weights.sum()) == pytest.approx(1.0, abs=1e-6)


def test_more_first_samples_than_slots() -> None:
    memory = SampleMemory(torch.rand(6, 1, 1, 1), torch.rand(6, 4), MemoryParams(sample_memory_size=4))
    memory.add(torch.ones(1, 1, 1, 1), np.ones(4))
    assert memory.features.shape[0] == 4
    assert float(memory.sample_weights.sum()) == pytest.approx(1.0, abs=1e-6)
