"""The density over boxes that an energy gives in one frame: what `ebm.density` answers, and boxes in px."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ebm.boxes import box_iou, rect_to_rel, rel_to_rect
from ebm.density import GridDensity, ImportanceDensity
from ebm.density.corners import Corner, corner_density
from ebm.exceptions import ShapeError
from ebm.lookup import lookup
from pytracking.tracker.common.box_gaussian import ShapedProposal, find_mode, laplace_covariance
from pytracking.tracker.common.relative_energy import RelativeEnergy

__all__ = ["BoxDensity", "Tempered"]

Array = NDArray[np.float64]
GOOD_OVERLAP = 0.5  # what the confidence is the probability of


class Tempered(NamedTuple):
    """A box under a density at K temperatures.

    Attributes:
        log_prob: log-density in r, nats, ``[K]``.
        rank: mass of what has a higher density, ``[K]``, see `ebm.density.Density.highest_density_rank`.
        overlap: mass of the boxes whose IoU with the tracker's is at least 0.5, ``[K]``.
    """

    log_prob: Array
    rank: Array
    overlap: Array


class BoxDensity(ImportanceDensity):
    """p(box | frame) of one box: the energy, normalised over all boxes within reach of the one found.

    It is a density over r = (cx / w0, cy / h0, log w, log h), where (w0, h0) is the size of the box found:
    all that `ebm.density.Density` answers is in these coordinates, for B = 1 and D = 4. The methods named
    after boxes speak of x, y, w, h in px of the frame. Mode and credible sets belong to r; in px, the density
    is multiplied by 1 / (w0 h0 w h).

    Samples come from a mixture of Gaussians around the mode, shaped as f is curved there, and are weighted.

    Args:
        energy: f around the box found.
        presence: how sure the classifier is that the target is there, in [0, 1].
        num_samples: M.
        width: see `RelativeEnergy.curvature`.
        generator: CPU generator.

    Attributes:
        energy: as given.
        presence: as given.
        place: the mode in r, float64 ``[4]``: where an ascent from the box found ends.
        shape: the Gaussian's covariance there, in r, float64 ``[4, 4]``.

    Source: Gustafsson et al., ECCV 2020, arXiv:1909.12297, section 4 (p(y | x) = exp f / Z and its
        coordinates).
    """

    def __init__(
        self,
        energy: RelativeEnergy,
        *,
        presence: float = 1.0,
        num_samples: int = 1024,
        width: float = 0.05,
        generator: torch.Generator | None = None,
    ) -> None:
        self.energy, self.presence = energy, presence
        self.place, self.shape = find_mode(energy, width)
        proposal = ShapedProposal(self.shape)
        super().__init__(energy, proposal, self.place[None], num_samples, generator)

    @property
    def box(self) -> Array:
        """The tracker's box, x, y, w, h ``[4]``, px."""
        return self.energy.boxes(self.energy.center).numpy()

    @property
    def mode_box(self) -> Array:
        """The box of highest density in r near the tracker's, x, y, w, h ``[4]``, px."""
        return self.energy.boxes(self.place).numpy()

    @property
    def confidence(self) -> float:
        """Probability, in [0, 1], that the box overlaps the target's by an IoU of at least 0.5.

        The mass of all such boxes, times the classifier's score: the density is one over where the target's
        box is if it is in view; that it is, the classifier has to say.
        """
        return self.presence * self.overlap_probability(GOOD_OVERLAP)

    def overlap_probability(self, least: float) -> float:
        """Mass of the boxes whose IoU with the tracker's is at least `least`, in [0, 1]."""
        overlaps = box_iou(torch.from_numpy(self.box), self._sampled_boxes)
        return min(float(self._weights[0] @ (overlaps >= least).to(self._weights)), 1.0)

    def box_mean(self) -> Array:
        """Mean x, y, w, h ``[4]``, px."""
        return (self._weights[0] @ self._sampled_boxes).numpy()

    def box_covariance(self, kind: Literal["laplace", "samples"] = "laplace") -> Array:
        """Covariance ``[4, 4]`` of x, y, w, h, px^2.

        Args:
            kind: ``"laplace"``, that of the Gaussian with f's curvature at the mode, or ``"samples"``, the
                second moment of the weighted samples, in which tails and other modes count.

        Raises:
            UnknownNameError: for another kind.
        """
        if lookup("kind of covariance", kind, {"laplace": True, "samples": False}):
            return laplace_covariance(self.energy, self.place, self.shape)
        away = self._sampled_boxes - torch.from_numpy(self.box_mean())
        return torch.einsum("n,ni,nj->ij", self._weights[0], away, away).numpy()

    def box_log_prob(self, boxes: ArrayLike) -> Array:
        """Log-density per px^4 of boxes x, y, w, h ``[N, 4]`` or ``[4]``, nats, ``[N]`` or ``[]``.

        Raises:
            ShapeError: if the last dimension is not 4.
            DomainError: if a box is not finite or has no area.
        """
        rel, single = self._relative(boxes)
        factor = rel[:, 2:].sum(1) + self.energy.size.log().sum()
        result = (self.log_prob(rel[None])[0] - factor).numpy()
        return result[0] if single else result

    def contains_box(self, boxes: ArrayLike, level: float = 0.95) -> NDArray[np.bool_]:
        """Whether boxes ``[N, 4]`` or ``[4]`` lie in the smallest region of r that holds `level` of the mass.

        Raises:
            ShapeError: if the last dimension is not 4.
            DomainError: if a box has no area, or `level` is not in (0, 1).
        """
        rel, single = self._relative(boxes)
        result = self.credible_set(level).contains(rel[None])[0].numpy()
        return result[0] if single else result

    def sample_boxes(self, n: int, generator: torch.Generator | None = None) -> Array:
        """`n` boxes drawn from the density, ``[n, 4]``, px."""
        return self.energy.boxes(self.sample(n, generator)[0]).numpy()

    def at_temperatures(self, box: ArrayLike, factors: Sequence[float]) -> "Tempered":
        """What would be of one box if f was divided by a number, from the same samples.

        Args:
            box: x, y, w, h ``[4]``, px.
            factors: K numbers above 0; 1 is the density as it is.
        """
        (rel,), _ = self._relative(box)
        scores = self._scores[0]
        score = self.log_prob(rel[None, None])[0, 0] + self._log_z[0]
        usable = scores.isfinite()
        measure = self.log_weights[0] + self._log_z[0] - scores
        good = box_iou(torch.from_numpy(self.box), self._sampled_boxes) >= GOOD_OVERLAP
        rows = []
        for factor in factors:
            terms = torch.where(usable, scores / factor + measure, -torch.inf)
            log_z = terms.logsumexp(0)
            weights = (terms - log_z).exp()
            masses = weights[scores > score].sum(), weights[good].sum()
            rows.append([score / factor - log_z, *(mass.clamp(max=1) for mass in masses)])
        table = torch.tensor(rows, dtype=torch.float64).numpy()
        return Tempered(log_prob=table[:, 0], rank=table[:, 1], overlap=table[:, 2])

    def corner_density(self, corner: Corner = "bottom-right", points: int = 96) -> GridDensity:
        """Density of one corner's place, the opposite corner fixed where the tracker's box has it.

        Args:
            corner: which one.
            points: grid points along x and along y: half of them evenly over all places that a box within
                reach can have, half where the mass is.

        Returns:
            Over (x, y), frame px, per px^2.

        Raises:
            UnknownNameError: for another corner.
        """
        size = self.energy.size
        return corner_density(
            lambda boxes: self.energy(rect_to_rel(boxes, size)),
            torch.from_numpy(self.box),
            corner,
            reach=self.energy.reach,
            points=points,
        )

    @property
    def _sampled_boxes(self) -> Tensor:
        """The weighted samples as boxes, ``[M, 4]``, px."""
        return rel_to_rect(self.samples[0], self.energy.size)

    def _relative(self, boxes: ArrayLike) -> tuple[Tensor, bool]:
        """Boxes in r, ``[N, 4]``, and whether one alone was given."""
        rows = torch.from_numpy(np.array(boxes, dtype=np.float64))
        if rows.ndim not in (1, 2) or rows.shape[-1] != 4:
            raise ShapeError(f"expected boxes of shape [N, 4] or [4], got {list(rows.shape)}.")
        return rect_to_rel(rows.reshape(-1, 4), self.energy.size), rows.ndim == 1
