"""Weighted means, their resumption, and the stopwatch."""

import time

import pytest

from ltr.trainers.meters import Meters, Stopwatch
from ltr.trainers.progress import describe


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


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("Loss/iou", "Loss/target_clf"), "iou 2 clf 3"),
        (
            ("Loss/bb_ce", "Loss/clf_ce", "Loss/clf_ce_init", "Loss/clf_ce_iter"),
            "bb_ce 2 clf 3 init 4 iter 5",
        ),
    ],
    ids=["dimp", "prdimp"],
)
def test_the_terms_of_every_loss_are_shown(names: tuple[str, ...], expected: str) -> None:
    means = {"Loss/total": 1.0} | {name: float(value) for value, name in enumerate(names, 2)}
    assert f"loss 1 ({expected})" in describe(means, [], Stopwatch(), 1)
