"""What ATOM's classifier reads of a backbone."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ltr.models.backbone.named import layers_of_strides
from ltr.models.layers.levels import join_levels
from ltr.models.layers.precision import at_least_float32
from pytracking.parameter.atom_params import ATOMParams

__all__ = ["ATOMFeatures"]


class ATOMFeatures:
    """One layer with a root mean square of 1 in every sample, or several, see `join_levels`.

    Args:
        network: an ATOMnet.
        params: name strides, or else the coarser of the two layers that the box branch reads is taken.

    Attributes:
        layers: names of those that are read, the finest first.

    Raises:
        DomainError: if the network's backbone has no layer of one of the strides.
    """

    def __init__(self, network: Any, params: ATOMParams) -> None:
        self._weights = params.classifier_weights
        self.layers: Sequence[str] = network.bb_regressor_layer[-1:]
        if params.classifier_strides:
            self.layers = layers_of_strides(network.feature_extractor, params.classifier_strides)

    def __call__(self, backbone: Mapping[str, Tensor]) -> Tensor:
        """Features ``[N, C, h, w]`` of backbone maps by name."""
        levels = [at_least_float32(backbone[name]) for name in self.layers]
        if self._weights:
            return join_levels(levels, self._weights)
        maps = levels[0]
        return maps * (maps.square().mean(dim=(1, 2, 3), keepdim=True) + 1e-10).rsqrt()
