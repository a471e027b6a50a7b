"""Annotations are read once, survive packing and travel cheaply."""

import pickle

import numpy as np
import pytest

from ltr.data.video import Annotation
from ltr.dataset.annotations import make_annotation
from ltr.dataset.store import AnnotationStore


def example(index: int) -> Annotation:
    rng = np.random.default_rng(index)
    boxes = rng.uniform(1, 50, (5 + index, 4))
    boxes[0] = np.nan
    ratio = rng.uniform(0, 1, len(boxes)) if index % 2 else None
    return make_annotation(boxes, rng.uniform(size=len(boxes)) < 0.5, ratio)


def same(a: Annotation, b: Annotation) -> bool:
    arrays = [(a.boxes, b.boxes), (a.valid, b.valid), (a.visible, b.visible)]
    if (a.visible_ratio is None) != (b.visible_ratio is None):
        return False
    if a.visible_ratio is not None and b.visible_ratio is not None:
        arrays.append((a.visible_ratio, b.visible_ratio))
    return all(np.array_equal(x, y, equal_nan=x.dtype.kind == "f") for x, y in arrays)


def refuse(index: int) -> Annotation:
    raise AssertionError(f"sequence {index} was read again")


def test_read_once_then_from_memory_also_packed_and_pickled() -> None:
    store = AnnotationStore(9)
    for index in (7, 2):
        assert same(store.get(index, example), example(index))
    assert same(store.get(7, refuse), example(7))
    store.pack()
    assert same(store.get(2, refuse), example(2))
    for index in (0, 3):
        store.get(index, example)
    copy = pickle.loads(pickle.dumps(store))
    for index in (0, 2, 3, 7):
        assert same(copy.get(index, refuse), example(index))
        assert same(store.get(index, refuse), example(index))
    with pytest.raises(AssertionError, match="sequence 1 was read"):
        copy.get(1, refuse)


def test_a_packed_annotation_is_a_view() -> None:
    store = AnnotationStore(2)
    store.get(1, example)
    store.pack()
    assert np.shares_memory(store.get(1, refuse).boxes, store.get(1, refuse).boxes)


def test_pickling_holds_no_python_object_per_sequence() -> None:
    few, many = AnnotationStore(1000), AnnotationStore(1000)
    for index in range(1000):
        many.get(index, lambda _: make_annotation(np.ones((1, 4))))
    # 8 + 8 bytes of bookkeeping and 4 * 4 + 2 + 4 bytes of one frame, for each of the thousand.
    assert len(pickle.dumps(many)) - len(pickle.dumps(few)) < 40 * 1000
