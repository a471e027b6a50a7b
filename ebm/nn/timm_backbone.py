"""Any feature extractor of the package timm as a backbone."""

import importlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ebm.exceptions import InputError
from ebm.extras import explain_missing
from ebm.lookup import unknown_name
from ebm.nn.backbone import Backbone

__all__ = ["TimmBackbone"]


class TimmBackbone(Backbone):
    """A network of timm with its feature maps named by their stride: ``stride4``, ``stride8``, ...

    Mean and standard deviation of the input are those that timm states. Building needs timm; its weights are
    looked for where timm keeps them, see `imagenet_state`.

    Args:
        name: of timm's network, e.g. ``"mobilenetv3_small_100"``.
        frozen_layers: see `Backbone.freeze`; parts are the children of timm's network.

    Raises:
        MissingPackageError: if timm is not installed.
        UnknownNameError: if timm has no such network.
        InputError: if it gives no feature maps.
    """

    def __init__(self, name: str, *, frozen_layers: Sequence[str] | str = ()) -> None:
        super().__init__()
        timm = _timm(name)
        # A name of timm's own list: others may name files and hosts, and a checkpoint may hold any name.
        if not timm.is_model(name):
            raise unknown_name("network of timm", name, timm.list_models())
        try:
            self.net: nn.Module = timm.create_model(name, pretrained=False, features_only=True)
        except (RuntimeError, AttributeError, AssertionError) as error:
            raise InputError(
                f"timm's {name} gives no feature maps ({error}); name a convolutional one."
            ) from error
        self.name = name
        info: Any = self.net.feature_info
        self._layers = tuple(f"stride{stride}" for stride in info.reduction())
        self.strides: dict[str, int] = dict(zip(self._layers, info.reduction()))
        self.channels: dict[str, int] = dict(zip(self._layers, info.channels()))
        stated = timm.get_pretrained_cfg(name)
        if stated is not None:
            self.mean, self.std = tuple(stated.mean), tuple(stated.std)
        self.freeze(frozen_layers)

    def forward(self, x: Tensor, output_layers: Sequence[str]) -> dict[str, Tensor]:
        """Features of the named layers by name, ordered by depth, ``(N, C, H / stride, W / stride)``.

        Raises:
            UnknownNameError: if a layer does not exist.
        """
        self._check_outputs(output_layers, self._layers)
        maps = dict(zip(self._layers, self.net(x)))  # of several with one stride the deepest
        return OrderedDict((name, maps[name]) for name in maps if name in set(output_layers))

    def parts(self) -> dict[str, nn.Module]:
        """Children of timm's network."""
        return {f"net.{name}": child for name, child in self.net.named_children()}

    def imagenet_state(self) -> tuple[dict[str, Tensor], str]:
        """timm's own weights, from its cache or the network.

        Raises:
            InputError: if they cannot be had.
        """
        timm = _timm(self.name)
        try:
            net = timm.create_model(self.name, pretrained=True, features_only=True)
        except Exception as error:  # hosts, caches and files fail in every way
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(f"timm's weights of {self.name} cannot be had: {reason}") from error
        return {
            f"net.{key}": value for key, value in net.state_dict().items()
        }, f"timm's weights of {self.name}"

    def renamed(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """timm's state dicts lack the prefix, and hold the head as well."""
        bare = {f"net.{key}": value for key, value in state.items()}
        own = self.state_dict()
        return {key: bare[key] for key in own} if own.keys() <= bare.keys() else state


def _timm(name: str) -> Any:
    try:
        return importlib.import_module("timm")
    except ModuleNotFoundError as error:
        raise explain_missing(f"the backbone timm:{name}", "timm") from error
