"""The random numbers of torch's CPU generator, with torch or without it."""

from typing import TYPE_CHECKING, Self, Union

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

__all__ = ["Draws", "Generator", "generator_for", "normal", "uniform"]

PAIRS = 8  # torch turns blocks of twice as many uniform numbers into normal ones

Generator = Union["Draws", "torch.Generator"]


class Draws:
    """Numbers that ``torch.rand`` and ``torch.randn`` draw from a generator of the same seed, without torch.

    Both are a Mersenne twister: of 64 bits torch takes the lowest 53 for a double, of 32 the lowest 24 for a
    single.
    """

    def __init__(self) -> None:
        self.manual_seed(0)

    def manual_seed(self, seed: int) -> Self:
        """Begin anew; torch reads the lowest 32 bits."""
        # The legacy seeding of the twister is the one that torch has.
        self._bits = np.random.RandomState(seed & 0xFFFFFFFF)
        return self

    def double(self, count: int) -> NDArray[np.float64]:
        """Numbers in [0, 1), ``[count]``, as ``torch.rand`` of float64."""
        words = self._words(2 * count).reshape(count, 2)
        return ((words[:, 0] << np.uint64(32) | words[:, 1]) & np.uint64(2**53 - 1)) / 2.0**53

    def single(self, count: int) -> NDArray[np.float64]:
        """Numbers in [0, 1), ``[count]``, as ``torch.rand`` of float32."""
        return (self._words(count) & np.uint64(2**24 - 1)) / 2.0**24

    def normal(self, count: int) -> NDArray[np.float64]:
        """Standard normal numbers, ``[count]``, to rounding as ``torch.randn`` of at least 16 in float32.

        Box and Muller's: of 16 uniform numbers the first 8 are radii, the last 8 angles. A last block that is
        not full is drawn anew, over the end of the one before.
        """
        blocks = self.single(count)
        full = count - count % (2 * PAIRS)
        found = np.empty(count)
        found[:full] = _normal(blocks[:full])
        if full < count:
            last = _normal(self.single(2 * PAIRS))
            found[max(count - 2 * PAIRS, 0) :] = last[-min(count, 2 * PAIRS) :]
        return found

    def _words(self, count: int) -> NDArray[np.uint64]:
        return self._bits.randint(0, 2**32, count, dtype=np.uint32).astype(np.uint64)


def generator_for(device: "torch.device | None") -> Generator:
    """A generator for a tracker on a device; without one it needs no torch, and draws the same numbers."""
    if device is None:
        return Draws()
    import torch

    return torch.Generator()


def _normal(uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normal numbers of uniform ones, ``[16 k]``."""
    first, second = uniform.reshape(-1, 2, PAIRS).swapaxes(0, 1)
    radius, angle = np.sqrt(-2 * np.log(1 - first)), 2 * np.pi * second
    return np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=1).reshape(-1)


def normal(generator: Generator, count: int) -> NDArray[np.float64]:
    """Standard normal numbers ``[count]``, drawn as float32; at least 16 are the same from either generator.

    Args:
        generator: torch's, on the CPU, or `Draws`.
        count: how many.
    """
    if isinstance(generator, Draws):
        return generator.normal(count)
    import torch

    return torch.randn(count, generator=generator).double().numpy()


def uniform(generator: Generator, *shape: int, single: bool = False) -> NDArray[np.float64]:
    """Numbers in [0, 1) of a shape, the same from either kind of generator.

    Args:
        generator: torch's, on the CPU, or `Draws`.
        *shape: of the result.
        single: draw as float32, which takes half the bits.
    """
    if isinstance(generator, Draws):
        count = int(np.prod(shape))
        return (generator.single(count) if single else generator.double(count)).reshape(shape)
    import torch

    dtype = torch.float32 if single else torch.float64
    return torch.rand(shape, generator=generator, dtype=dtype).double().numpy()
