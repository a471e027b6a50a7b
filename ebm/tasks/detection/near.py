"""f of boxes that move little, with its gradient: an ascent on a CPU in a few products a step."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear

from ebm.gradients import score_and_gradient
from ebm.tasks.detection.branch import ConfidenceBranch, PyramidEnergy, corners_of
from ebm.tasks.detection.pyramid import Pyramid

__all__ = ["MOST_BOXES", "NearEnergy"]

MARGIN = 2  # cells that a box may move before others are gathered
MOST_BOXES = 256  # at once: the cells around them take some ten MB
GROUP = 24  # boxes whose cells are gathered in one tensor


class _Cells:
    """Pooling of a few boxes from the cells around them, gathered once, and its gradient in closed form.

    Boxes that leave their cells, or their level, have others gathered.

    Args:
        pyramid: the maps.
        image: of each box, ``(R,)`` int64.
        bins: cells per side of what is pooled.
    """

    def __init__(self, pyramid: Pyramid, image: Tensor, bins: int) -> None:
        self._pyramid, self._image, self._bins = pyramid, image, bins
        self._scales = 1 / torch.tensor(pyramid.rule.strides, dtype=torch.float32)
        self._parts = torch.linspace(0, 1, bins + 1)
        sizes = [pyramid.maps[name].shape[:1:-1] for name in pyramid.names]
        self._most = torch.tensor(sizes, dtype=torch.float32) - 1  # last column and row of every level
        self._level = torch.full_like(image, -1)
        self._first = self._last = torch.zeros(len(image), 2)  # columns and rows of the first and last cell
        self._scale = torch.ones(len(image), 1)
        self._maps = torch.zeros(len(image), 0, 0, 0)  # (R, H, W, C)

    def pool(self, corners: Tensor) -> Tensor:
        """Boxes xyxy ``(R, 4)``, px, with an area, to ``(R, bins, bins, C)``."""
        self._gather(corners)
        count, height, width, channels = self._maps.shape
        low = corners[:, :2] * self._scale - self._first
        extent = (corners[:, 2:] - corners[:, :2]) * self._scale
        edges = torch.addcmul(low[..., None], extent[..., None], self._parts)
        # Up to a constant, t - t|t|/2 is the integral of the hat 1 - |t|, see `ebm.ops.roi_windows`.
        t = (edges[..., None] - torch.arange(max(height, width), dtype=edges.dtype)).clamp_(-1, 1)
        self._hats, self._step = 1 - t.abs(), extent / self._bins
        self._weights = (t * (0.5 + 0.5 * self._hats)).diff(dim=-2) / self._step[..., None, None]
        half = torch.bmm(self._weights[:, 1, :, :height], self._maps.view(count, height, width * channels))
        self._half = half.view(count * self._bins, width, channels)
        pooled = torch.bmm(self._columns(width), self._half)
        return pooled.view(count, self._bins, self._bins, channels)

    def slopes(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """Of a gradient in what was pooled last, ``(R, bins, bins, C)``, that in low and high corners, px."""
        count, height, width, channels = self._maps.shape
        bins, pooled = self._bins, pooled.reshape(count * self._bins, self._bins, channels)
        slope = torch.zeros(count, 2, bins, max(height, width))  # in the weights
        columns = torch.bmm(pooled, self._half.transpose(1, 2)).view(count, bins, bins, width)
        torch.sum(columns, 1, out=slope[:, 0, :, :width])
        half = torch.bmm(self._columns(width).transpose(1, 2), pooled).view(count, bins, width * channels)
        flat = self._maps.view(count, height, width * channels).transpose(1, 2)
        slope[:, 1, :, :height] = torch.bmm(half, flat)
        # A weight is an integral from edge to edge, divided by the step between them.
        own = (slope * self._weights).sum(-1)
        start = own - (slope * self._hats[..., :-1, :]).sum(-1)
        end = (slope * self._hats[..., 1:, :]).sum(-1) - own
        high = (start @ self._parts[:-1] + end @ self._parts[1:]) / self._step
        whole = (start.sum(-1) + end.sum(-1)) / self._step
        return (whole - high) * self._scale, high * self._scale

    def _columns(self, width: int) -> Tensor:
        return self._weights[:, 0, :, :width].repeat_interleave(self._bins, 0)

    def _gather(self, corners: Tensor) -> None:
        """Gather the cells of boxes that have left theirs; those of all if there is no room."""
        level = self._pyramid.rule.assign(corners)
        scale, most = self._scales[level][:, None], self._most[level]
        # Outside of the map there is nothing to gather, however large a box.
        low, high = (own * scale for own in corners.split(2, -1))
        low, high = (torch.minimum(own.clamp(min=0), most) for own in (low.floor(), high.ceil()))
        gone = (level != self._level) | ~((low >= self._first) & (high <= self._last)).all(-1)
        if not bool(gone.any()):
            return
        first = low - MARGIN
        needed = high + MARGIN - first + 1
        width, height = map(int, needed[gone].amax(0).tolist())
        if height > self._maps.shape[1] or width > self._maps.shape[2]:
            width, height = map(int, needed.amax(0).tolist())
            self._level, self._first, self._scale = level, first, scale
            self._maps = self._pyramid.crop(level, self._image, first.long(), (height, width))
        else:
            rows, (_, height, width, _) = gone.nonzero()[:, 0], self._maps.shape
            self._level, self._first = level, torch.where(gone[:, None], first, self._first)
            self._scale = scale
            self._maps[rows] = self._pyramid.crop(
                level[rows], self._image[rows], first[rows].long(), (height, width)
            )
        self._last = self._first + torch.tensor([width - 1.0, height - 1.0])


class _Seen(NamedTuple):
    """What an evaluation leaves for the gradient."""

    groups: list[_Cells]
    first: Tensor
    second: Tensor


class NearEnergy:
    """f of boxes xywh px ``(R, 4)``, each in its own image and class; knows its gradient.

    The values are those of `PyramidEnergy.of_boxes`, which pools every box anew from the whole maps, level by
    level: some hundred operations for an evaluation, and twice as many for its gradient, whatever the number
    of boxes. Here the cells around every box are gathered once, and the gradient is written out. It is an
    `ebm.gradients.ScoreWithGradient`.

    Args:
        model: the branch on a batch.
        image: of each box, ``(R,)`` int64.
        column: of its class, ``(R,)`` int64.
    """

    def __init__(self, model: PyramidEnergy, image: Tensor, column: Tensor) -> None:
        self._model, self._image, self._column = model, image, column
        self._order: Tensor | None = None
        self._groups: list[_Cells] = []

    @classmethod
    def fits(cls, model: PyramidEnergy) -> bool:
        """Whether it is the right way: on a CPU, for energy and branch as they are, in single precision."""
        branch = model.branch
        plain = type(model) is PyramidEnergy and type(branch) is ConfidenceBranch
        plain = plain and branch.fc6.weight.dtype == torch.float32
        return plain and model.pyramid.device.type == "cpu" and not torch.is_autocast_enabled("cpu")

    def __call__(self, rects: Tensor) -> Tensor:
        """f ``(R,)``."""
        found = None if rects.requires_grad else self._evaluated(rects)
        return self._plainly(rects) if found is None else found[0]

    def value_and_gradient(self, rects: Tensor) -> tuple[Tensor, Tensor]:
        """f ``(R,)`` and its gradient ``(R, 4)``."""
        found = self._evaluated(rects)
        if found is None:
            point = score_and_gradient(self._plainly, rects)
            return point.score, point.gradient
        return found[0], self._gradient(found[1])

    def _plainly(self, rects: Tensor) -> Tensor:
        return self._model.of_boxes(self._image, self._column)(rects)

    def _evaluated(self, rects: Tensor) -> tuple[Tensor, _Seen] | None:
        """f and what its gradient needs; None for boxes without area or with numbers that are not finite."""
        corners = corners_of(rects)
        sound = (corners[:, 2:] > corners[:, :2]).all() & corners.isfinite().all()
        if not len(rects) or not bool(sound):
            return None
        if self._order is None:
            self._divide(corners)
        corners = corners[self._order]
        parts = zip(self._groups, corners.split(GROUP))
        pooled = torch.cat([group.pool(own) for group, own in parts])
        branch = self._model.branch
        first = linear(pooled.permute(0, 3, 1, 2).flatten(1), branch.fc6.weight, branch.fc6.bias).relu_()
        second = linear(first, branch.fc7.weight, branch.fc7.bias).relu_()
        score = torch.linalg.vecdot(second, self._weight) + self._bias
        return score[self._back], _Seen(self._groups, first, second)

    def _gradient(self, seen: _Seen) -> Tensor:
        """In boxes xywh, ``(R, 4)``."""
        branch = self._model.branch
        inner = ((self._weight * (seen.second > 0)) @ branch.fc7.weight) * (seen.first > 0)
        pooled = (inner @ branch.fc6.weight).view(len(inner), branch.channels, branch.bins, branch.bins)
        parts = zip(seen.groups, pooled.permute(0, 2, 3, 1).split(GROUP))
        slopes = [
            torch.cat((low + high, high), -1) for low, high in (group.slopes(own) for group, own in parts)
        ]
        return torch.cat(slopes)[self._back]

    def _divide(self, corners: Tensor) -> None:
        """Divide the boxes into groups of about as many cells."""
        pyramid, branch = self._model.pyramid, self._model.branch
        strides = torch.tensor(pyramid.rule.strides)
        extent = (corners[:, 2:] - corners[:, :2]).amax(-1)
        self._order = (extent / strides[pyramid.rule.assign(corners)]).argsort()
        self._back = self._order.argsort()
        image = self._image[self._order].split(GROUP)
        self._groups = [_Cells(pyramid, own, branch.bins) for own in image]
        column = torch.zeros_like(self._column) if branch.columns == 1 else self._column
        own = column[self._order]
        self._weight, self._bias = branch.fc_conf.weight[own], branch.fc_conf.bias[own]
