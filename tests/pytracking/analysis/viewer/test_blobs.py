"""Tracks in a page are what they were, to a quarter of a pixel and a 254th of overlap."""

import base64
import zlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pytracking.analysis.viewer.blobs import UNSCORED, box_bytes, overlap_bytes, packed, unpacked_boxes


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_boxes_come_back_to_the_nearest_step(frames: int, step: int, seed: int) -> None:
    boxes = np.random.default_rng(seed).uniform(-200, 3000, (3, frames, 4))
    back = unpacked_boxes(box_bytes(boxes, step, 4.0), 4.0)
    assert back.shape == (3, -(-frames // step), 4)
    np.testing.assert_allclose(back, boxes[:, ::step], atol=0.126)


def test_a_box_that_is_not_finite_repeats_the_one_before() -> None:
    boxes = np.array([[[1.0, 2, 3, 4], [np.nan] * 4, [5.0, 6, 7, 8]]])
    np.testing.assert_array_equal(unpacked_boxes(box_bytes(boxes, 1, 1.0), 1.0)[0, :, 0], [1, 1, 5])


def test_overlap_is_a_byte_and_255_where_it_is_not_scored() -> None:
    found = overlap_bytes(np.array([0.0, 0.5, 1.0, np.nan]))
    assert found.tolist() == [0, 127, 254, UNSCORED]


def test_packed_arrays_are_deflated_with_low_bytes_first() -> None:
    text = packed([np.array([1, 515], dtype=np.uint16), np.array([256], dtype=np.uint16)])
    assert list(zlib.decompress(base64.b64decode(text))) == [1, 3, 0, 0, 2, 1]
    assert zlib.decompress(base64.b64decode(packed([]))) == b""
