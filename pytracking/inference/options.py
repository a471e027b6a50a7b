"""Names of precisions, without torch."""

from typing import Literal, get_args

__all__ = ["PRECISIONS", "Precision"]

Precision = Literal["fp32", "bf16", "auto"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
