"""What a fit and its predictions take of the machine: threads and memory."""

from typing import Any

import numpy as np
import pytest
import torch

import ebm
from ebm.exceptions import NumericalError
from ebm.fitting import stages

X = np.random.default_rng(0).normal(size=(20, 2))
Y = 3 * X[:, 0] + 100
QUICK = {"progress": False, "hidden": (16,), "epochs": 1}


def test_small_networks_are_trained_by_one_thread_and_torch_is_left_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []
    minimise = stages.minimise

    def spy(*args: Any, **options: Any) -> Any:
        seen.append(torch.get_num_threads())
        return minimise(*args, **options)

    monkeypatch.setattr(stages, "minimise", spy)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for options in ({}, {"hidden": (256,)}, {"feature_net": torch.nn.Linear(2, 4)}):
            ebm.fit(X, Y, **{**QUICK, **options})
        with pytest.raises(NumericalError):
            ebm.fit(X, Y, **{**QUICK, "learning_rate": 1e30})
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 2, 2, 1]


def test_memory_does_not_grow_with_the_rows_to_predict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fitted = ebm.fit(X, Y, **QUICK)
    largest: list[int] = []
    score = fitted.model.score

    def spy(features: Any, y: torch.Tensor) -> torch.Tensor:
        largest.append(y.numel())
        return score(features, y)

    monkeypatch.setattr(fitted.model, "score", spy)
    for count in (600, 2400):
        rows = np.zeros((count, 2))
        largest.clear()
        fitted.predict(rows)
        fitted.predict_interval(rows)
        fitted.log_prob(rows, np.zeros(count))
        assert max(largest) <= 512 * 256  # a block of rows on the coarse grid
