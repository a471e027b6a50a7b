"""Weighted means, their resumption, and the stopwatch."""

import time

import pytest

from ltr.trainers.meters import Meters, Stopwatch


def test_means_are_weighted() -> None:
    meters = Meters()
    meters.update({"a": 1.0, "b": 10.0}, 1)
    meters.update({"a": 4.0}, 2)
    assert meters.means() == pytest.approx({"a": 3.0, "b": 10.0})


def test_a_restored_meter_goes_on_exactly() -> None:
    whole, first, second = Meters(), Meters(), Meters()
    for value in (0.1, 0.7):
        whole.update({"a": value}, 3)
        first.update({"a": value}, 3)
    second.load_state_dict(first.state_dict())
    for meters in (whole, second):
        meters.update({"a": 1 / 3}, 3)
    assert whole.means() == second.means()


def test_the_stopwatch_separates_waiting_from_working() -> None:
    watch = Stopwatch()
    for _ in range(3):
        watch.before_data()
        time.sleep(0.02)
        watch.after_data(4)
        time.sleep(0.02)
    assert watch.samples == 12
    assert 0.06 <= watch.waited < watch.seconds
    assert 0.2 < watch.waiting_share < 0.8
    assert watch.samples_per_second == pytest.approx(12 / watch.seconds, rel=0.2)
