"""Draws that gave no sample: taken out of the batches, counted, named once, and an error beyond a number."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from ebm.exceptions import InputError
from ltr.data.replaced import Replaced, ReplacedDraws, describe_replaced

BOX = Replaced("lasot cat-2", "cat-2: the box lies outside", False)
IMAGE = Replaced("lasot cat-9", "9.jpg: the image is missing.", True)


def batches(*replaced: tuple[Replaced, ...]) -> Iterator[dict[str, Any]]:
    """Batches of one sample."""
    for number, draws in enumerate(replaced):
        yield {"value": number, "replaced": [draws]}


def test_batches_pass_and_draws_are_counted_and_named_once(caplog: pytest.LogCaptureFixture) -> None:
    draws = ReplacedDraws(limit=1)
    with caplog.at_level(logging.WARNING):
        seen = list(draws.watch(batches((), (BOX, IMAGE), (BOX,))))
    assert seen == [{"value": 0}, {"value": 1}, {"value": 2}]
    assert draws.counts == {"lasot cat-2": 2, "lasot cat-9": 1}
    assert caplog.text.count("drawn instead of lasot cat-2: cat-2: the box lies outside") == 1
    assert caplog.text.count("lasot cat-9") == 1


def test_images_are_limited_and_boxes_are_not() -> None:
    draws = ReplacedDraws(limit=1)
    with pytest.raises(
        InputError, match=r"2 draws .* allows 1\. The last: 9\.jpg.*cat-2 \(3\), lasot cat-9 \(2\)\."
    ):
        list(draws.watch(batches((BOX, BOX, BOX), (IMAGE,), (IMAGE,))))


def test_the_line_at_the_end_names_what_was_met_most() -> None:
    counts = {f"lasot cat-{k}": k for k in range(1, 9)}
    line = describe_replaced(counts)
    assert line.startswith("36 draws of 8 sequences gave no sample: lasot cat-8 (8), lasot cat-7 (7), ")
    assert line.endswith("lasot cat-4 (4) and 3 more.")
    assert describe_replaced({}) == ""
