"""The actor of the DiMP family: target classification plus an energy-based box branch."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ltr.actors.base_actor import BaseActor
from ltr.actors.box_energy import BoxEnergyLoss
from ltr.actors.images import normalise_images
from ltr.actors.target_classification import ClassificationWeights, Hinge, classification_loss

__all__ = ["DiMPActor", "Precision"]

Precision = Literal["fp32", "bf16"]

NO_BOX = 99999.0  # px; frames without a box carry coordinates beyond it


class DiMPActor(BaseActor):
    """Batch -> loss for DiMP-type networks.

    Args:
        net: a ``DiMPnet``.
        box_loss: loss of the box energies.
        box_weight: its weight.
        hinge: classification loss of one score map, e.g. ``LBHinge(threshold=0.05)``.
        clf_weights: weights of the classification terms.
        precision: ``"bf16"`` runs the network under autocast; losses are float32 always.
        channels_last: layout of the images.
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        box_loss: BoxEnergyLoss,
        box_weight: float,
        hinge: Hinge,
        clf_weights: ClassificationWeights,
        precision: Precision = "fp32",
        channels_last: bool = False,
    ) -> None:
        super().__init__(net)
        self.box_loss = box_loss
        self.box_weight = box_weight
        self.hinge = hinge
        self.clf_weights = clf_weights
        self.precision = precision
        self.channels_last = channels_last

    def __call__(self, batch: Mapping[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and statistics of one collated batch.

        Args:
            batch: ``train_images`` bytes ``[I, B, 3, S, S]``, ``train_gain`` ``[I, B]``, ``train_anno``
                xywh px ``[I, B, 4]``, the same with ``test_``; ``test_label`` ``[I, B, h, w]``,
                ``test_proposals`` xywh px ``[I, B, P, 4]``, ``proposal_log_q`` and ``gt_log_density``
                nats ``[I, B, P]``.

        Returns: the loss ``[]``; statistics under the names of the reference, detached, on the device.
        """
        scores, energy = self._forward(batch)
        clf_loss, clf_stats = classification_loss(
            scores, batch["test_label"], batch["test_anno"], self.hinge, self.clf_weights
        )
        box_loss, box_stats = self.box_loss(
            energy.flatten(0, 1),
            batch["proposal_log_q"].flatten(0, 1),
            batch["gt_log_density"].flatten(0, 1),
            (batch["test_anno"][..., 0] < NO_BOX).flatten(),
        )
        weighted = self.box_weight * box_loss
        total = weighted + clf_loss
        stats = {
            "Loss/total": total.detach(),
            "Loss/bb_ce": box_loss.detach(),
            "Loss/loss_bb_ce": weighted.detach(),
        }
        return total, stats | clf_stats | box_stats

    def _forward(self, batch: Mapping[str, Any]) -> tuple[list[Tensor], Tensor]:
        train = normalise_images(batch["train_images"], batch["train_gain"], self.channels_last)
        test = normalise_images(batch["test_images"], batch["test_gain"], self.channels_last)
        with torch.autocast(train.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16"):
            scores, energy = self.net(
                train_imgs=train,
                test_imgs=test,
                train_bb=batch["train_anno"],
                test_proposals=batch["test_proposals"],
            )
        return scores, energy
