"""PyTracking's processing with the boxes that noise-contrastive estimation learns from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ebm.configs import box_pair
from ebm.losses.ltr import sample_box_nce
from ebm.presets import preset

from ..data.processing import KLBBregProcessing, KLDiMPProcessing

__all__ = ["NCEBBregProcessing", "NCEDiMPProcessing", "Proposals"]


@dataclass(frozen=True, kw_only=True)
class Proposals:
    """Boxes around each label.

    Attributes:
        num_samples: noise boxes per test frame.
        sigmas: (position, size) per component of the noise, relative to the label's size.
        beta: width of the annotation noise that moves the label; None keeps it in place.
        beta_mode: what `beta` multiplies, see `ebm.proposals.annotation_noise`.
    """

    num_samples: int
    sigmas: tuple[tuple[float, float], ...]
    beta: float | None
    beta_mode: str

    @classmethod
    def from_preset(cls, name: str) -> "Proposals":
        """The published values of a method, e.g. ``"tracking/dimp-nce+"``, from `ebm.presets`."""
        config = preset(name)
        sigmas = tuple(box_pair(row) for row in config.sigmas)
        return cls(
            num_samples=config.num_samples, sigmas=sigmas, beta=config.beta, beta_mode=config.beta_mode
        )

    def draw(self, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes for every label ``(..., 4)`` xywh px.

        Returns:
            Boxes ``(..., 1 + M, 4)`` xywh px, the first the label or the moved label; the noise's density at
            each, ``(..., 1 + M)``; zeros of that shape in the place of the label density.
        """
        rows = [
            sample_box_nce(label, self.sigmas, self.num_samples, self.beta, self.beta_mode)
            for label in labels.reshape(-1, 4)
        ]
        boxes, density, unused = (torch.stack(column) for column in zip(*rows))
        lead = labels.shape[:-1]
        return boxes.reshape(*lead, -1, 4), density.reshape(*lead, -1), unused.reshape(*lead, -1)


class DrawsNCEBoxes:
    """Replaces the boxes that a processing of densities puts into a sample by `Proposals`.

    Only what such a processing promises is used: the keys ``test_anno``, ``test_proposals``,
    ``proposal_density`` and ``gt_density`` of its result.

    Args:
        proposals: what to draw.
        options: arguments of the processing, without ``proposal_params``.
    """

    def __init__(self, *, proposals: Proposals, **options: Any) -> None:
        sigmas: Sequence[tuple[float, float]] = list(proposals.sigmas)
        replaced = {"boxes_per_frame": 1, "proposal_sigma": sigmas, "gt_sigma": (0, 0), "add_mean_box": False}
        super().__init__(proposal_params=replaced, **options)
        self.proposals = proposals

    def __call__(self, data: Mapping[str, Any]) -> Any:
        """The processed sample of the base class, with this class's boxes."""
        sample = super().__call__(data)  # type: ignore[misc]
        boxes, density, unused = self.proposals.draw(sample["test_anno"])
        sample["test_proposals"], sample["proposal_density"], sample["gt_density"] = boxes, density, unused
        return sample


class NCEDiMPProcessing(DrawsNCEBoxes, KLDiMPProcessing):
    """`KLDiMPProcessing` for `ebm.losses.ltr.NCERegression`."""


class NCEBBregProcessing(DrawsNCEBoxes, KLBBregProcessing):
    """`KLBBregProcessing` for `ebm.losses.ltr.NCERegression`."""
