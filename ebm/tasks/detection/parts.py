"""The pictures of a study, by what they are for."""

from dataclasses import dataclass

import torch

from ebm.tasks.detection.data.records import DetectionSet
from ebm.tasks.detection.training import data_digest

__all__ = ["Parts", "divided"]


@dataclass(frozen=True, eq=False)
class Parts:
    """Pictures by what they are for.

    Attributes:
        train: to train on.
        tune: to choose settings on; none of the others.
        report: to report on.
    """

    train: DetectionSet
    tune: DetectionSet
    report: DetectionSet

    def digest(self, name: str) -> str:
        """Hash of the part ``"train"``, ``"tune"`` or ``"report"``, 16 digits; see `data_digest`."""
        return data_digest(getattr(self, name))[:16]


def divided(data: DetectionSet, report: DetectionSet, tuning: int, *, of_report: bool) -> Parts:
    """Pictures to choose settings on, taken by lot from the reported ones or from those to train on.

    Args:
        data: of the training.
        report: of the report.
        tuning: how many are taken.
        of_report: take them from `report`. A detector that was trained on `data` knows these boxes: there it
            needs no refinement, and settings would be chosen for a detector better than it is.
    """
    source = report if of_report else data
    order = torch.randperm(len(source), generator=torch.Generator().manual_seed(0)).tolist()
    kept, taken = source.chosen(sorted(order[tuning:])), source.chosen(sorted(order[:tuning]))
    if of_report:
        return Parts(data.for_training(), taken, kept)
    return Parts(kept.for_training(), taken, report)
