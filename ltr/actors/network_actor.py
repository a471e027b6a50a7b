"""How an actor runs its network: images prepared on the device, automatic mixed precision."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ebm.input_statistics import input_statistics
from ebm.lookup import lookup
from ltr.actors.base_actor import BaseActor
from ltr.actors.images import normalise_images
from ltr.actors.refined_overlap import RefinedOverlap

__all__ = ["NetworkActor", "Precision"]

Precision = Literal["fp32", "bf16", "fp16"]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class NetworkActor(BaseActor):
    """An actor whose network takes train and test frames, target boxes and proposals.

    Args:
        net: a ``DiMPnet`` or ``ATOMnet``.
        precision: ``"bf16"`` and ``"fp16"`` run the network under autocast; losses are float32 always.
        channels_last: layout of the images.

    Raises:
        UnknownNameError: for another precision.
    """

    def __init__(self, net: nn.Module, *, precision: Precision = "fp32", channels_last: bool = False) -> None:
        super().__init__(net)
        lookup("precision", precision, _DTYPES)
        self.precision = precision
        self.channels_last = channels_last
        self._statistics = input_statistics(net)
        self.refined: RefinedOverlap | None = None

    def measure(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """How well refined boxes overlap with the labels, if `refined` is set."""
        if self.refined is None:
            return {}
        features = {part: self.features(batch, part) for part in ("train", "test")}
        with self._autocast(batch["test_images"].device.type):
            return self.refined(self.net, features, batch)

    def features(self, batch: Mapping[str, Any], part: str) -> dict[str, Tensor]:
        """Backbone features of a batch's frames, layer name -> ``[I * B, C, H, W]``.

        Args:
            batch: as `predict` takes it.
            part: ``"train"`` or ``"test"``.
        """
        net: Any = self.net
        with self._autocast(batch[f"{part}_images"].device.type):
            return dict(net.extract_backbone_features(self._images(batch, part).flatten(0, 1)))

    def _images(self, batch: Mapping[str, Any], part: str) -> Tensor:
        mean, std = self._statistics
        images, gain = batch[f"{part}_images"], batch[f"{part}_gain"]
        return normalise_images(images, gain, self.channels_last, mean=mean, std=std)

    def _autocast(self, device: str) -> torch.autocast:
        return torch.autocast(device, dtype=_DTYPES[self.precision], enabled=self.precision != "fp32")

    def predict(self, batch: Mapping[str, Any], **further: Any) -> Any:
        """What the network returns for a batch.

        Args:
            batch: ``train_images`` bytes ``[I, B, 3, S, S]``, ``train_gain`` ``[I, B]``, ``train_anno`` xywh
                px ``[I, B, 4]``, the images and gains with ``test_``, and ``test_proposals`` xywh px
                ``[I, B, P, 4]``.
            **further: arguments of the network beside these.
        """
        train, test = self._images(batch, "train"), self._images(batch, "test")
        with self._autocast(train.device.type):
            return self.net(
                train_imgs=train,
                test_imgs=test,
                train_bb=batch["train_anno"],
                test_proposals=batch["test_proposals"],
                **further,
            )
