"""What turns inputs that are no numbers into numbers: tables of a fit, and pictures."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["InputColumn", "InputEncoder"]


class InputColumn(Protocol):
    """One column as it was given."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def kind(self) -> str:
        """Of what kind its entries are."""

    @property
    def names(self) -> Sequence[str]:
        """What the numbers that it becomes are called."""


class InputEncoder(Protocol):
    """How inputs become the numbers of a fit; goes into its file as plain values and tensors."""

    @property
    def by_name(self) -> bool:
        """Whether columns are known by their names."""

    @property
    def columns(self) -> Sequence[InputColumn]:
        """Of the inputs."""

    @property
    def names(self) -> tuple[str, ...]:
        """What the F numbers are called, in order."""

    @property
    def numeric(self) -> bool:
        """Whether the numbers are the columns themselves, one for one."""

    def encode(self, x: Any, told: NDArray[np.bool_] | bool = True) -> NDArray[np.float64]:
        """The numbers of inputs, ``(N, F)``."""

    def strange(self, x: Any) -> NDArray[np.bool_]:
        """Where inputs have what no row of the fit had, ``(N, columns)``."""

    def plain(self) -> dict[str, Any]:
        """Plain values and tensors, for a file."""
