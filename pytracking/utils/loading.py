"""Where a tracker's weights come from, said in one sentence, and the network they belong to."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.exceptions import InputError
from ebm.files import expanded
from pytracking.exported.names import DESCRIPTION
from pytracking.parameter.base import Params
from pytracking.parameter.default import DEFAULT_PARAMETERS, DEFAULT_TRACKER
from pytracking.weights.shipped import find_shipped

if TYPE_CHECKING:
    from ltr.admin.exported import Weights

__all__ = ["WeightsChoice", "find_weights", "load_tracking_network", "weights_beside"]

_EXPORT = ".safetensors"
_FILES = (".pth.tar", _EXPORT)
_EPOCH = re.compile(r"_ep(\d+)\.(?:pth\.tar|safetensors)$")


@dataclass(frozen=True, kw_only=True)
class WeightsChoice:
    """The weights file that was chosen; as a string, the sentence a command prints.

    Attributes:
        path: the file, or None for a tracker that has no network.
        how: why this one.
        weights: which of its weights: those of the last step (``"net"``), averaged over the run
            (``"net_ema"``), or averaged ones if there are any (``"auto"``).
    """

    path: Path | None
    how: str
    weights: "Weights" = "auto"

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that is read: weights in safetensors have a JSON beside them."""
        if self.path is None:
            return ()
        return (self.path, self.path.with_suffix(".json"))

    def __str__(self) -> str:
        which = "" if self.weights == "auto" else f", field {self.weights}"
        return f"Weights: {self.path} ({self.how}{which})." if self.path else f"Weights: none ({self.how})."


def find_weights(
    params: Params, checkpoint: str | Path | None = None, weights: "Weights" = "auto"
) -> WeightsChoice:
    """Choose the weights of a parameter set.

    Looks at `checkpoint` alone if it is given; otherwise for the set's file names in the networks folders,
    then among the weights that are installed with the package, then for the newest checkpoint of its train
    setting in the workspace.

    Args:
        params: says file names and train setting.
        checkpoint: a checkpoint or an export, or a folder of them whose newest is taken.
        weights: which of the file's weights, see `WeightsChoice`.

    Raises:
        InputError: if `checkpoint` is not there, or nothing was found: the places looked at and what to do.
    """
    if not params.needs_network:
        return WeightsChoice(path=None, how="this tracker has no network")
    if checkpoint is not None:
        path = _given(expanded(checkpoint))
        return WeightsChoice(path=path, how="given as checkpoint", weights=weights)
    # Only here: with a checkpoint at hand nobody's paths file is read.
    from ltr.admin.environment import network_folders, workspace

    looked: list[str] = []
    for folder in network_folders():
        for name in params.network_files:
            for stored in (name, name.partition(".pth")[0] + _EXPORT):
                found = _file_or_newest(folder / stored)
                if found is not None:
                    return WeightsChoice(path=found, how=f"{stored} in the networks folder", weights=weights)
            looked.append(str(folder / name))
    setting = params.train_setting
    trained = None if setting is None else workspace() / "checkpoints" / "ltr" / setting
    newest = None if trained is None else _newest(trained)
    for name in params.network_files:
        own = find_shipped(name)
        if own is not None:
            # What was trained here and is newer does not take their place unasked, but is named.
            hint = f"; for your own training's: --checkpoint {newest}" if newest else ""
            return WeightsChoice(path=own.path, how=f"installed with the package{hint}", weights=weights)
    if newest is not None:
        how = f"newest checkpoint of train setting {setting}"
        return WeightsChoice(path=newest, how=how, weights=weights)
    if trained is not None:
        looked.append(f"{trained}/*.pth.tar or *.safetensors")
    raise InputError(_nothing_found(params, looked))


def load_tracking_network(choice: WeightsChoice, tracker: str) -> Any:
    """The network of a weights file, on the CPU and in evaluation mode.

    Args:
        choice: the file.
        tracker: ``"dimp"`` or ``"atom"``: whose network it must be.

    Raises:
        InputError: if the file is broken, lacks the weights that were chosen, or holds a network that is not
            one of that tracker's.
    """
    from ltr.admin.loading import load_network

    if choice.path is None:
        raise InputError(f"No weights to load: {choice.how}.")
    network, _ = load_network(choice.path, weights=choice.weights)
    family, module = {"dimp": ("a DiMP", "dimp"), "atom": ("an ATOM", "bbreg")}[tracker]
    parts = {"bb_regressor", "extract_backbone_features", "get_backbone_bbreg_feat"}
    wanted = parts | {"classifier"} if tracker == "dimp" else parts
    missing = sorted(name for name in wanted if not hasattr(network, name))
    excess = tracker == "atom" and hasattr(network, "classifier")
    if missing or excess:
        why = f"it has no {', '.join(missing)}" if missing else "it has a classifier of its own"
        raise InputError(
            f"{choice.path} holds a network of class {type(network).__name__}, not {family} network: {why}. "
            f"Give the checkpoint of a {module} train setting."
        )
    return network


def _given(path: Path) -> Path:
    """The file at `path`, or the newest checkpoint in the folder `path`."""
    found = _file_or_newest(path)
    if found is not None:
        return found
    if (path / DESCRIPTION).is_file():
        raise InputError(
            f"{path} is an exported tracker, which ONNX Runtime runs: --engine onnx, or engine='onnx' in "
            "pytracking.load."
        )
    if path.is_dir():
        raise InputError(
            f"The checkpoint folder {path} holds no *.pth.tar or *.safetensors file; give another "
            "folder or a file."
        )
    raise InputError(
        f"There is no checkpoint file {path}.{weights_beside(path)} Give a file or a folder of checkpoints, "
        "or leave --checkpoint out to take the newest one that training left."
    )


def weights_beside(path: Path) -> str:
    """A sentence that names the weights in the folder of a file that is not there; empty without any."""
    if not path.parent.is_dir():
        return ""
    near = sorted(p.name for p in path.parent.iterdir() if p.name.endswith((".pth", *_FILES)))[:5]
    return f" Weights in that folder: {', '.join(near)}." if near else ""


def _file_or_newest(path: Path) -> Path | None:
    """`path` if it is a file, the newest checkpoint if it is a folder, else None."""
    return path if path.is_file() else _newest(path)


def _newest(folder: Path) -> Path | None:
    """The checkpoint of the highest epoch in `folder`, without numbers the last name; None if empty."""
    if not folder.is_dir():
        return None
    files = [p for p in folder.iterdir() if p.name.endswith(_FILES) and p.is_file()]
    return max(files, key=_epoch_and_name, default=None)


def _epoch_and_name(path: Path) -> tuple[int, str]:
    match = _EPOCH.search(path.name)
    return (int(match.group(1)) if match else -1), path.name


def _nothing_found(params: Params, looked: list[str]) -> str:
    remedy = "Pass --checkpoint FILE"
    if params.train_setting is not None:
        remedy += f", or train with: python ltr/run_training.py {params.train_setting.replace('/', ' ')}"
    return (
        f"No weights found. Looked for {'; '.join(looked)}. {remedy}. A file that PyTracking publishes is "
        f"put there by: ebmtrack weights add FILE. Installed: {DEFAULT_TRACKER} {DEFAULT_PARAMETERS}."
    )
