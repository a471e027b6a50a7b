"""The benchmark of exported trackers: what it says of two trackers that are the same."""

import importlib
from typing import Any

import numpy as np
import pytest

from pytracking.tracker.first_box import FirstBox


class Farther(FirstBox):
    """Answers with a box that lies off by its state."""

    _state = 1.0

    def track(self, image: Any, info: Any = None) -> Any:
        found = super().track(image, info)
        found.box[0] += self._state
        return found


@pytest.fixture
def exported(beside_the_scripts: None) -> Any:
    return importlib.import_module("exported")


def test_times_differences_and_states_of_every_frame(exported: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exported, "follow", lambda led, other: setattr(led, "_state", other._state))
    frames = list(np.random.default_rng(0).integers(0, 256, (3, 120, 160, 3), dtype=np.uint8))
    torchs, ours = FirstBox(), Farther()
    torchs._state = 5.0
    times, apart, states = exported.measure(Farther(), torchs, ours, frames, np.array([50.0, 40, 24, 30]))
    assert times.shape == (3, 2)
    assert (times > 0).all()
    np.testing.assert_array_equal(apart, [[0, 0], [1, 5], [1, 5]])  # the led one takes over torch's state
    assert states == {"ok": 3}
