"""Starting weights of a backbone: from a file, or ImageNet weights of torchvision or a package."""

import contextlib
import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ebm.exceptions import InputError
from ebm.nn.backbone import Backbone
from ltr.admin.state_dicts import load_strictly, read_state_dict

__all__ = ["BackboneWeights", "load_backbone_weights", "require_imagenet_weights"]

PROBE_SECONDS = 5.0
STALL_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class BackboneWeights:
    """Whether starting weights were loaded, and a line that says which or why not."""

    loaded: bool
    message: str

    def __bool__(self) -> bool:
        return self.loaded


def load_backbone_weights(net: nn.Module, file: Path | None = None) -> BackboneWeights:
    """Load starting weights into the backbone of `net`.

    Args:
        net: a backbone, or a network whose ``feature_extractor`` is one.
        file: a state dict of the backbone (``.safetensors``, or a torch file); None takes ImageNet weights:
            torchvision's, from its cache or the network, or those of an installed package.

    Returns:
        What was loaded. Without a file, weights that cannot be had are no error: the result says why.

    Raises:
        InputError: if `file` cannot be read or is not a state dict of this backbone.
    """
    extractor = getattr(net, "feature_extractor", net)
    if not isinstance(extractor, Backbone):
        raise InputError(f"{type(net).__name__} has no backbone to load weights into.")
    if file is not None:
        load_strictly(extractor, extractor.renamed(read_state_dict(file)), f"Backbone weights {file}")
        return BackboneWeights(loaded=True, message=f"backbone weights from {file}")
    if extractor.imagenet is None:
        return _load_packaged(extractor)
    return _load_imagenet(extractor, extractor.imagenet)


def require_imagenet_weights(backbone: Backbone) -> None:
    """Load torchvision's ImageNet weights or fail.

    Raises:
        InputError: if they cannot be had.
    """
    result = load_backbone_weights(backbone)
    if not result:
        raise InputError(
            f"ImageNet weights were asked for (backbone_pretrained=True), but {result.message}. "
            "Pass backbone_pretrained=False, or load a file with load_backbone_weights."
        )


def _load_packaged(backbone: Backbone) -> BackboneWeights:
    """ImageNet weights that an installed package has."""
    try:
        state, origin = backbone.imagenet_state()
        load_strictly(backbone, state, origin)
    except InputError as error:
        return BackboneWeights(loaded=False, message=str(error))
    return BackboneWeights(loaded=True, message=origin)


def _load_imagenet(backbone: Backbone, name: str) -> BackboneWeights:
    # Imported here: torchvision takes a second to load, and tracking never needs it.
    from torchvision import models

    weights: Any = getattr(models, name).IMAGENET1K_V1
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    try:
        if not cached.is_file():
            _probe(weights.url)
            _download(weights.url, cached)
    except (OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return BackboneWeights(loaded=False, message=f"{weights.url} cannot be had: {reason}")
    try:
        load_strictly(backbone, read_state_dict(cached), f"ImageNet weights {weights}")
    except InputError as error:
        return BackboneWeights(loaded=False, message=f"{error} Delete {cached} to fetch it again.")
    return BackboneWeights(loaded=True, message=f"ImageNet weights {weights} ({cached})")


def _probe(url: str) -> None:
    """Raise OSError unless the server answers within `PROBE_SECONDS`, name resolution included."""
    outcome: list[Exception | None] = []

    def ask() -> None:
        try:
            request = urllib.request.Request(url, method="HEAD")
            with urllib.request.urlopen(request, timeout=PROBE_SECONDS):
                outcome.append(None)
        except (OSError, ValueError) as error:
            outcome.append(error)

    # A thread, because no timeout bounds a name resolution that hangs.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    if not outcome:
        raise TimeoutError(f"no answer within {PROBE_SECONDS:.0f} s")
    if outcome[0] is not None:
        reason = getattr(outcome[0], "reason", outcome[0])
        raise OSError(f"{reason}") from outcome[0]


def _download(url: str, target: Path) -> None:
    """Fetch `url` to `target`, complete and with the digest in its name, or raise OSError or RuntimeError."""
    digest = re.search(r"-([0-9a-f]{8,})\.", target.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _stall_limit(STALL_SECONDS):
        torch.hub.download_url_to_file(url, str(target), digest[1] if digest else None, progress=True)


@contextlib.contextmanager
def _stall_limit(seconds: float) -> Iterator[None]:
    """Let every network read inside give up after so many seconds without data."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
