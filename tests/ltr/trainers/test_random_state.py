"""Every stream goes on where it was."""

import random

import numpy as np
import torch

from ltr.trainers.random_state import capture_random_state, restore_random_state, seed_everything


def draw() -> tuple[float, float, float]:
    return random.gauss(0, 1), float(np.random.standard_normal()), float(torch.randn(()))  # noqa: NPY002


def test_a_restored_state_repeats_the_draws(tmp_path) -> None:
    seed_everything(3)
    draw()
    torch.save(capture_random_state(), tmp_path / "state.pt")
    expected = [draw() for _ in range(3)]
    restore_random_state(torch.load(tmp_path / "state.pt", weights_only=True))
    assert [draw() for _ in range(3)] == expected


def test_the_seed_decides_the_draws() -> None:
    seed_everything(1)
    first = draw()
    seed_everything(2)
    second = draw()
    seed_everything(1)
    assert draw() == first != second
