"""Ids of pictures that no file numbers: their names."""

from collections.abc import Iterable

from ebm.annotations.ids import plain_id
from ebm.tasks.detection.data.records import ImageId

__all__ = ["ids_of"]


def ids_of(names: Iterable[str]) -> dict[str, ImageId]:
    """An id for each of some names without suffix: the number that it is, as detectors write into results.

    ``000012`` is 12, as in COCO; where two names would be one number, all stay texts.
    """
    wanted = list(names)
    plain: dict[str, ImageId] = {name: plain_id(name) for name in wanted}
    return plain if len(set(plain.values())) == len(plain) else {name: name for name in wanted}
