"""Pictures held out by lot, or by whole groups."""

from collections.abc import Sequence

import numpy as np

from ebm.images.labelled import Labelled

__all__ = ["held_out", "held_out_groups"]


def held_out(pictures: Labelled, count: int, seed: int = 0) -> tuple[Labelled, Labelled]:
    """The rest, and `count` pictures drawn by lot, both in their order."""
    order = np.random.default_rng(seed).permutation(len(pictures))
    return pictures.chosen(np.sort(order[count:])), pictures.chosen(np.sort(order[:count]))


def held_out_groups(pictures: Labelled, groups: Sequence[int], count: int) -> tuple[Labelled, Labelled]:
    """The rest, and whole groups from the end until `count` pictures are held out.

    Frames of one video are near-duplicates: by lot, what is held out would be known.
    """
    labels = np.asarray(groups)
    taken = np.zeros(len(labels), dtype=bool)
    for group in dict.fromkeys(labels[::-1].tolist()):
        if taken.sum() >= count or (taken | (labels == group)).all():
            break
        taken |= labels == group
    return pictures.chosen(np.flatnonzero(~taken)), pictures.chosen(np.flatnonzero(taken))
