"""Settings of a fit: what they decide, and what they refuse."""

from typing import Any

import pytest

from ebm.exceptions import DomainError, UnknownNameError
from ebm.fitting.config import FitConfig


@pytest.mark.parametrize(
    ("size", "count", "steps"),
    [(None, 10, 2), (None, 320, 16), (None, 2000, 32), (64, 64, 1), (64, 65, 2), (1, 3, 3), (100, 3, 1)],
)
def test_steps_per_epoch(size: int | None, count: int, steps: int) -> None:
    assert FitConfig(batch_size=size).batches(count) == steps


def test_one_number_is_one_layer_and_names_have_any_case() -> None:
    config = FitConfig(hidden=7, loss="NCE+")  # type: ignore[arg-type]
    assert (config.hidden, config.loss) == ((7,), "nce+")


def test_plain_values_give_the_same_settings() -> None:
    config = FitConfig(hidden=(3, 4), batch_size=5, seed=9)
    assert FitConfig(**config.plain()) == config


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"loss": "mle"}, UnknownNameError),
        ({"loss": None}, UnknownNameError),
        ({"hidden": []}, DomainError),
        ({"hidden": (8, 0)}, DomainError),
        ({"hidden": (8, True)}, DomainError),
        ({"batch_size": 0}, DomainError),
        ({"epochs": 1.5}, DomainError),
        ({"patience": 0}, DomainError),
        ({"seed": -1}, DomainError),
        ({"learning_rate": float("nan")}, DomainError),
        ({"weight_decay": float("inf")}, DomainError),
        ({"validation": 0.0}, DomainError),
    ],
)
def test_what_it_refuses(wrong: dict[str, Any], error: type) -> None:
    with pytest.raises(error):
        FitConfig(**wrong)
