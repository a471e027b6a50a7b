"""Lists of tensors that torch does not take for a tensor."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

__all__ = ["not_a_tensor"]

# By these names torch asks an object whether it stands for a tensor; a list that hands on every attribute of
# a tensor says yes.
ASKED = frozenset({"__torch_function__", "__torch_dispatch__"})


def not_a_tensor(look_up: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """The ``__getattr__`` of a list class without those names."""

    @functools.wraps(look_up)
    def __getattr__(self: Any, name: str) -> Any:
        if name in ASKED:
            raise AttributeError(name)
        return look_up(self, name)

    return __getattr__
