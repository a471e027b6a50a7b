"""Memory that is used again for every image, so that the system need not hand out new pages each time."""

import threading

import numpy as np
import numpy.typing as npt

__all__ = ["borrow"]

Image = npt.NDArray[np.uint8]


class _Kept(threading.local):
    """Of one thread: a block for each purpose, as large as the largest request so far."""

    def __init__(self) -> None:
        self.blocks: dict[str, Image] = {}


_kept = _Kept()


def borrow(purpose: str, shape: tuple[int, int, int]) -> Image:
    """An array with whatever it held before; it is the caller's until the next call for the same purpose.

    A full-size frame is four times the processor's nearer cache: in fresh memory every one of its pages costs
    the system a visit, which takes longer than cutting the crop.

    Args:
        purpose: names the block; different purposes may be in use at once.
        shape: ``(H, W, C)``.
    """
    size = shape[0] * shape[1] * shape[2]
    block = _kept.blocks.get(purpose)
    if block is None or block.size < size:
        block = _kept.blocks[purpose] = np.empty(size, dtype=np.uint8)
    return block[:size].reshape(shape)
