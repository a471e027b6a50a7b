"""What every backbone shares: named outputs, the input it was trained on, layers that can be frozen."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Self

from torch import Tensor, nn

from ebm.exceptions import InputError
from ebm.input_statistics import IMAGENET_MEAN, IMAGENET_STD, Channels
from ebm.lookup import lookup, unknown_name

__all__ = ["Backbone"]


class Backbone(nn.Module):
    """A feature extractor with named output layers, some of which may be frozen.

    A call takes normalised images ``(N, 3, H, W)`` and names of layers, and gives their features by name.
    Frozen layers take no gradient. Unless `freeze` is told otherwise they also stay in evaluation mode, so
    that their batch norms neither use nor update batch statistics; `train` keeps it so.
    """

    strides: Mapping[str, int]
    """Pixels per cell of each layer that the tracking networks read."""
    channels: Mapping[str, int]
    """Channels of the same layers."""
    imagenet: str | None = None
    """Name of torchvision's weights enum for this network, or None where there are none."""
    mean: Channels = IMAGENET_MEAN
    """What its inputs, ``(image - mean) / std`` of RGB images in [0, 1], take for zero, per channel."""
    std: Channels = IMAGENET_STD
    """What they take for one."""

    def __init__(self) -> None:
        super().__init__()
        self._frozen: tuple[str, ...] = ()
        self._still: tuple[str, ...] = ()

    def freeze(self, layers: Sequence[str] | str, *, statistics: bool = True) -> None:
        """Freeze exactly these parts; whatever was frozen before and is not named is released.

        Args:
            layers: names of `parts`, or ``"all"`` (also as the only name), or ``"none"`` (the same as empty).
            statistics: False lets the batch norms of the frozen layers use and update batch statistics in
                training mode. The published ATOM was trained so: its backbone drifts though it takes no
                gradient.

        Raises:
            UnknownNameError: if a name is no part of this backbone.
        """
        children = self.parts()
        layers = "all" if tuple(layers) == ("all",) else layers
        if isinstance(layers, str):
            groups = {"all": tuple(children), "none": ()}
            if layers.lower() not in groups:
                raise unknown_name(
                    "group of frozen layers", layers, groups, "Pass a sequence to freeze single layers."
                )
            layers = groups[layers.lower()]
        chosen = [lookup("backbone layer", name, children) for name in layers]
        self.requires_grad_(True)
        for module in chosen:
            module.requires_grad_(False)
        self._frozen = tuple(layers)
        self._still = self._frozen if statistics else ()
        self.train(self.training)

    def parts(self) -> dict[str, nn.Module]:
        """What can be frozen, by the name of the submodule."""
        return dict(self.named_children())

    @property
    def frozen_layers(self) -> tuple[str, ...]:
        """Names of the frozen parts."""
        return self._frozen

    @property
    def still(self) -> bool:
        """Whether no weight and no statistics of it change in training mode."""
        return set(self._still) == set(self.parts())

    def train(self, mode: bool = True) -> Self:
        """Switch to training or evaluation; frozen layers remain in evaluation (see `freeze`)."""
        super().train(mode)
        for name in self._still:
            self.get_submodule(name).eval()
        return self

    def out_feature_strides(self, layer: str) -> int:
        """Pixels per cell of `layer`; raises UnknownNameError for a layer without a fixed stride."""
        return lookup("backbone layer", layer, self.strides)

    def out_feature_channels(self, layer: str) -> int:
        """Channels of `layer`; raises UnknownNameError for a layer that is not in the table."""
        return lookup("backbone layer", layer, self.channels)

    def imagenet_state(self) -> tuple[dict[str, Tensor], str]:
        """ImageNet weights that come with an installed package, and where they are from.

        Raises:
            InputError: if there are none: why, and what to do.
        """
        raise InputError("there are no ImageNet weights for this backbone")

    def renamed(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """A state dict of the same network under its own names, where the backbone knows other ones."""
        return state

    def folded(self) -> Self:
        """The same network for inference, its batch norms folded into convolutions where it knows how.

        The network itself stays as it is.
        """
        return self

    def _check_outputs(self, wanted: Iterable[str], known: Iterable[str]) -> None:
        """Raise UnknownNameError for the first wanted output that this network does not have."""
        names = set(known)
        for name in wanted:
            if name not in names:
                raise unknown_name("output layer", name, names)
