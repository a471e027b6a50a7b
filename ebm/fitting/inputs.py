"""Inputs of a fit that are no plain numbers, turned into them before anything else looks at them."""

from typing import Any, NamedTuple

import torch

from ebm.fitting.columns import columns_of, holds_numbers
from ebm.fitting.config import TableOptions
from ebm.fitting.data import as_weights
from ebm.fitting.rows import held_out_pair
from ebm.fitting.table_encoding import Table, fit_table
from ebm.fitting.tables import names_of, require_names, require_same_order

__all__ = ["Encoded", "encode_inputs"]


class Encoded(NamedTuple):
    """Inputs of a fit.

    Attributes:
        x: numbers ``(N, F)``, or what was given where that needs no encoding.
        validation_data: the same of rows to hold out.
        table: how they became numbers; None where they were some.
    """

    x: Any
    validation_data: Any
    table: Table | None


def encode_inputs(x: Any, y: Any, sample_weight: Any, validation_data: Any, options: TableOptions) -> Encoded:
    """Turn inputs into numbers where they are none, or lack values that are to be imputed.

    Medians and categories are learned from all rows of weight, those held out of them included.

    Args:
        x: inputs of any kind.
        y: targets; only their order is looked at.
        sample_weight: ``(N,)``; rows of weight 0 have no say.
        validation_data: ``(x, y)`` or None.
        options: what to do.

    Raises:
        InputError, DomainError, ShapeError: as `fit_table` and `Table.encode`, or if rows or columns are in
            another order.
    """
    if not options.encode or (options.missing == "error" and holds_numbers(x)):
        return Encoded(x, validation_data, None)
    require_same_order(x, y)
    require_same_order(x, sample_weight, "sample_weight")
    used = None
    if sample_weight is not None:
        used = (as_weights(sample_weight, len(columns_of(x)[0].values)) > 0).numpy()
    table = fit_table(x, options, used)
    numbers = torch.from_numpy(table.encode(x, True if used is None else used))
    if validation_data is not None:
        held_x, held_y = held_out_pair(validation_data)
        require_names("x", names_of(held_x), names_of(x))
        validation_data = torch.from_numpy(table.encode(held_x)), held_y
    return Encoded(numbers, validation_data, table)
