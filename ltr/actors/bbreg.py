"""The actors of the ATOM family: a box branch alone."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from ltr.actors.box_terms import BoxTerm, EnergyTerm, OverlapTerm
from ltr.actors.network_actor import NetworkActor, Precision

__all__ = ["AtomActor", "AtomBBKLActor", "BoxActor"]

B = TypeVar("B", bound=BoxTerm)


class BoxActor(NetworkActor, Generic[B]):
    """Batch -> loss for networks that score boxes.

    Args:
        net: an ``ATOMnet``.
        box: loss of the box branch.
        precision: see `NetworkActor`.
        channels_last: see `NetworkActor`.
    """

    def __init__(
        self, net: nn.Module, *, box: B, precision: Precision = "fp32", channels_last: bool = False
    ) -> None:
        super().__init__(net, precision=precision, channels_last=channels_last)
        self.box = box

    def __call__(self, batch: Mapping[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and statistics of one collated batch.

        Args:
            batch: what `NetworkActor.predict` takes, ``test_anno`` xywh px ``[I, B, 4]``, and what the box
                term compares with.

        Returns: the loss ``[]``; statistics under the names of the reference, detached, on the device.
        """
        loss, stats = self.box(self.predict(batch), batch)
        return loss, {"Loss/total": loss.detach()} | stats


class AtomActor(BoxActor[OverlapTerm]):
    """ATOM: the box branch predicts overlaps.

    Source: Danelljan et al., "ATOM: Accurate Tracking by Overlap Maximization", CVPR 2019, arXiv:1811.07628.
    """


class AtomBBKLActor(BoxActor[EnergyTerm]):
    """ATOM as an energy-based model: any loss of `BoxEnergyLoss`, published with ML-IS.

    Source: Gustafsson et al., "Energy-Based Models for Deep Probabilistic Regression", ECCV 2020,
    arXiv:1909.12297.
    """
