"""A frozen backbone, run through a folded copy of itself: most of what training on its features takes."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ebm.nn.backbone import Backbone

__all__ = ["StillBackbone"]

GROUP = 8  # images whose wide first layers a CPU's caches still bear; 32 at once take 1.6 times as long


class StillBackbone:
    """Calls a backbone; while nothing of it changes, by a copy whose batch norms are folded, channels last.

    EfficientNet-Lite0 in bfloat16 on a CPU takes a third of the time so; features agree to rounding. The
    copy is made anew when a weight has been written to, moved or replaced. A backbone that trains, in part
    or by the statistics of its batch norms, is called as it is; so is one in the form that trackers run.
    """

    def __init__(self) -> None:
        self._key: tuple[tuple[int, int], ...] = ()
        self._copy: tuple[Backbone, ...] = ()

    def __call__(self, backbone: Backbone, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Features of the named layers of normalised images ``(N, 3, H, W)``, as the backbone's own call."""
        if torch.compiler.is_compiling() or not getattr(backbone, "still", False):
            found: dict[str, Tensor] = backbone(images, layers)
            return found
        key = tuple((t.data_ptr(), t._version) for t in backbone.state_dict(keep_vars=True).values())
        if key != self._key:
            folded = backbone.folded()
            self._copy = () if folded is backbone else (_channels_last(folded),)
            self._key = key
        if self._copy:
            return _in_groups(self._copy[0], images.contiguous(memory_format=torch.channels_last), layers)
        features: dict[str, Tensor] = backbone(images, layers)
        return features

    def __deepcopy__(self, memo: object) -> "StillBackbone":
        return StillBackbone()  # a copied network makes its own

    def __reduce__(self) -> tuple[type["StillBackbone"], tuple[()]]:
        return StillBackbone, ()


def _in_groups(backbone: Backbone, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    size = GROUP if images.device.type == "cpu" else len(images)
    found: list[dict[str, Tensor]] = [backbone(part, layers) for part in images.split(max(size, 1))]
    return found[0] if len(found) == 1 else {name: torch.cat([f[name] for f in found]) for name in found[0]}


def _channels_last(backbone: Backbone) -> Backbone:
    for weight in backbone.parameters():
        if weight.dim() == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return backbone
