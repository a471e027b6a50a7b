"""Functions of the distance to a centre, stored as values at evenly spaced distances."""

import torch
from torch import Tensor, nn

from ebm.exceptions import DomainError

__all__ = ["DistanceMap"]


class DistanceMap(nn.Module):
    """Splits the distance of every cell from a centre into overlapping triangular bins.

    The bins add up to one everywhere; the last one takes all that is farther away.

    Args:
        num_bins: number of bins, at least one.
        bin_displacement: distance between bin centres, cells.

    Source: Bhat et al., "Learning Discriminative Model Prediction for Tracking", ICCV 2019, arXiv:1904.07220.
    """

    def __init__(self, num_bins: int, bin_displacement: float = 1.0) -> None:
        super().__init__()
        if num_bins < 1 or not bin_displacement > 0:
            raise DomainError(
                f"A distance map needs bins of positive width, not {num_bins} of {bin_displacement} cells."
            )
        self.num_bins = num_bins
        self.bin_displacement = bin_displacement

    def positions(self, center: Tensor, output_sz: tuple[int, int]) -> Tensor:
        """Distances in bins, from 0 to ``num_bins - 1``, ``(B, h, w)``; arguments as in `forward`."""
        rows, columns = (torch.arange(n, device=center.device, dtype=center.dtype) for n in output_sz)
        dy = rows[None, :, None] - center[:, 0, None, None]
        dx = columns[None, None, :] - center[:, 1, None, None]
        return (torch.hypot(dy, dx) / self.bin_displacement).clamp(max=self.num_bins - 1)

    def forward(self, center: Tensor, output_sz: tuple[int, int]) -> Tensor:
        """Share of every bin at every cell.

        Args:
            center: centres (row, column) in cells, ``(B, 2)``.
            output_sz: grid size (h, w).

        Returns:
            ``(B, num_bins, h, w)``.
        """
        bins = torch.arange(self.num_bins, device=center.device, dtype=center.dtype)
        position = self.positions(center, output_sz)
        return (1.0 - (position[:, None] - bins[None, :, None, None]).abs()).clamp(min=0.0)

    def interpolate(self, table: Tensor, center: Tensor, output_sz: tuple[int, int]) -> Tensor:
        """``einsum("kc,bkhw->cbhw", table, self(center, output_sz))`` without forming the bins.

        Args:
            table: values of C functions at the bin centres, ``(num_bins, C)``.
            center: as in `forward`.
            output_sz: as in `forward`.

        Returns:
            Linearly interpolated values, ``(C, B, h, w)``, differentiable in the table.
        """
        position = self.positions(center, output_sz)
        lower = position.floor().clamp(max=max(self.num_bins - 2, 0))
        share = (position - lower).to(table.dtype)[..., None]
        index = lower.long()
        upper = (index + 1).clamp(max=self.num_bins - 1)
        low, high = (torch.nn.functional.embedding(k, table) for k in (index, upper))
        return (low + share * (high - low)).movedim(-1, 0)
