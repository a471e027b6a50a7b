"""The energy of one frame's boxes as a function of relative coordinates: values, slopes, curvature."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ebm.box_ascent import relative_gradient
from ebm.boxes import rel_to_rect
from ebm.gradients import score_and_gradient
from pytracking.tracker.common.geometry import CropView

__all__ = ["RelativeEnergy", "WithHessian", "relative_jacobian"]


@runtime_checkable
class WithHessian(Protocol):
    """An energy that knows its second derivatives."""

    def hessian(self, boxes: Tensor) -> Tensor:
        """Second derivatives ``[S, 4, 4]`` at boxes x, y, w, h ``[S, 4]``."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RelativeEnergy:
    """f of boxes as r = (cx / w0, cy / h0, log w, log h), within reach of a box.

    Attributes:
        energy: f of boxes x, y, w, h ``[S, 4]``, crop px -> ``[S]``.
        view: where the crop lies.
        center: r of the box it is about, float64 ``[4]``.
        size: (w0, h0), frame px, float64 ``[2]``.
        reach: how far every coordinate may be from `center`; no box beyond has a density.
        temperature: what f is divided by.
        device: of the energy.
    """

    energy: Callable[[Tensor], Tensor]
    view: CropView
    center: Tensor
    size: Tensor
    reach: float
    temperature: float = 1.0
    device: Any = "cpu"

    def __call__(self, rel: Tensor) -> Tensor:
        """f / temperature at ``[..., 4]``, float64 ``[...]``; out of reach or if not finite: -inf."""
        inside = ((rel - self.center).abs() <= self.reach).all(-1)
        rows = rel[inside]
        scores = torch.full(rel.shape[:-1], -torch.inf, dtype=torch.float64)
        if len(rows):
            with torch.no_grad():
                found = self.energy(self._crop_boxes(rows)).double().cpu() / self.temperature
            scores[inside] = torch.where(found.isfinite(), found, -torch.inf)
        return scores

    def boxes(self, rel: Tensor) -> Tensor:
        """Boxes x, y, w, h ``[..., 4]``, frame px."""
        return rel_to_rect(rel, self.size)

    def value_and_gradient(self, rel: Tensor) -> tuple[Tensor, Tensor]:
        """f / temperature ``[S]`` and its slope ``[S, 4]`` at ``[S, 4]``, wherever that is."""
        crop = self._crop_boxes(rel)
        point = score_and_gradient(self.energy, crop)
        slope = point.gradient.double().cpu()
        inner = relative_gradient(crop.double().cpu(), self.size / self.view.scale, slope)
        return point.score.double().cpu() / self.temperature, inner / self.temperature

    def curvature(self, rel: Tensor, width: float) -> Tensor:
        """Second derivatives of f / temperature at one place ``[4]``, ``[4, 4]``, symmetric.

        Args:
            rel: where.
            width: they are differences of slopes this far to both sides, so that kinks in between count;
                0 gives those at the place itself, which know nothing of kinks.
        """
        if width == 0:
            return self._hessian(rel)
        steps = width * torch.eye(4, dtype=torch.float64)
        _, slopes = self.value_and_gradient(torch.cat((rel + steps, rel - steps)))
        differences = (slopes[:4] - slopes[4:]) / (2 * width)
        return 0.5 * (differences + differences.T)

    def _hessian(self, rel: Tensor) -> Tensor:
        crop = self._crop_boxes(rel[None])
        if isinstance(self.energy, WithHessian):
            second = self.energy.hessian(crop)[0]
        else:
            with torch.enable_grad():
                second = torch.autograd.functional.hessian(lambda box: self.energy(box[None])[0], crop[0])
        jacobian = relative_jacobian(self.boxes(rel), self.size) / self.view.scale
        bent = jacobian.T @ second.double().cpu() @ jacobian / self.temperature
        # w = exp(r3) bends by itself: its slope in r3 is its second derivative, too.
        _, slope = self.value_and_gradient(rel[None])
        return bent + torch.diag(torch.cat((slope.new_zeros(2), slope[0, 2:])))

    def _crop_boxes(self, rel: Tensor) -> Tensor:
        """Boxes in crop px, as the energy takes them."""
        view = self.view
        crop = torch.tensor(view.crop_size[::-1], dtype=torch.float64)
        center = torch.tensor(view.center[::-1].copy(), dtype=torch.float64)
        shift = 0.5 * crop - (center + 0.5) / view.scale
        boxes = self.boxes(rel) / view.scale
        return torch.cat((boxes[..., :2] + shift, boxes[..., 2:]), dim=-1).float().to(self.device)


def relative_jacobian(box: Tensor, size: Tensor) -> Tensor:
    """Derivatives of (x, y, w, h) in relative coordinates at a box ``[4]``, ``[4, 4]``; size is (w0, h0)."""
    (w, h), zero = box[2:].unbind(), box.new_zeros(())
    rows = (
        (size[0], zero, -w / 2, zero),
        (zero, size[1], zero, -h / 2),
        (zero, zero, w, zero),
        (zero, zero, zero, h),
    )
    return torch.stack([torch.stack(row) for row in rows])
