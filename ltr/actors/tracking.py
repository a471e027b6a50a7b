"""The actors of the DiMP family: a target classifier beside a box branch."""

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

from torch import Tensor, nn

from ltr.actors.box_terms import BoxTerm, EnergyTerm, OverlapTerm
from ltr.actors.network_actor import NetworkActor, Precision
from ltr.actors.target_classification import ClassifierTerm

__all__ = ["DiMPActor", "DiMPSimpleActor", "KLDiMPActor", "Precision", "TargetActor"]

B = TypeVar("B", bound=BoxTerm)


class TargetActor(NetworkActor, Generic[B]):
    """Batch -> loss for networks that score places and boxes.

    Args:
        net: a ``DiMPnet``.
        box: loss of the box branch.
        classifier: loss of the score maps.
        precision: see `NetworkActor`.
        channels_last: see `NetworkActor`.
    """

    further_inputs: ClassVar[tuple[str, ...]] = ()
    """What the network takes from the batch beside images and boxes."""

    def __init__(
        self,
        net: nn.Module,
        *,
        box: B,
        classifier: ClassifierTerm,
        precision: Precision = "fp32",
        channels_last: bool = False,
    ) -> None:
        super().__init__(net, precision=precision, channels_last=channels_last)
        self.box = box
        self.classifier = classifier

    def __call__(self, batch: Mapping[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and statistics of one collated batch.

        Args:
            batch: what `NetworkActor.predict` takes, ``test_anno`` xywh px ``[I, B, 4]``, and what the two
                terms compare with.

        Returns: the loss ``[]``; statistics under the names of the reference, detached, on the device.
        """
        further = {name: batch[name] for name in self.further_inputs}
        scores, prediction = self.predict(batch, **further)
        box_loss, box_stats = self.box(prediction, batch)
        clf_loss, clf_stats = self.classifier(scores, batch)
        total = box_loss + clf_loss
        return total, {"Loss/total": total.detach()} | box_stats | clf_stats


class DiMPActor(TargetActor[OverlapTerm]):
    """DiMP: the box branch predicts overlaps.

    Source: Bhat et al., "Learning Discriminative Model Prediction for Tracking", ICCV 2019, arXiv:1904.07220.
    """


class KLDiMPActor(TargetActor[EnergyTerm]):
    """PrDiMP (with `DensityTerm`) and SuperDiMP (with `HingeTerm`): the box branch is an energy.

    Source: Danelljan et al., "Probabilistic Regression for Visual Tracking", CVPR 2020, arXiv:2003.12565.
    """


class DiMPSimpleActor(KLDiMPActor):
    """SuperDiMP-simple: a `KLDiMPActor` whose filter optimiser is given ``train_label`` ``[I, B, h, w]``."""

    further_inputs = ("train_label",)
