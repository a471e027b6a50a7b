"""Where the network of an added setting lies: with the other networks, or among this clone's checkpoints."""

import importlib
import os
from pathlib import Path
from typing import Any

import torch

from .loading import allow_checkpoints

__all__ = ["find_network", "with_network"]


def with_network(params: Any, module: str, name: str) -> Any:
    """A tracker's parameters with the network of training setting `module`/`name`, not loaded yet.

    Raises:
        FileNotFoundError: if the network was neither trained in this clone nor copied to `network_path`.
    """
    allow_checkpoints()
    params.use_gpu = torch.cuda.is_available()
    params.net = type(params.net)(net_path=find_network(module, name), use_gpu=params.use_gpu)
    return params


def find_network(module: str, name: str) -> str:
    """The file for the tracker of training setting `module`/`name`.

    A file ``<name>.pth.tar`` in the tracking side's ``network_path`` comes first, then the folder of this
    clone's checkpoints, of which PyTracking's loader takes the last.

    Raises:
        FileNotFoundError: if there is neither; says where both were looked for.
    """
    file = f"{name}.pth.tar"
    folders = _network_folders()
    for folder in folders:
        if (folder / file).is_file():
            return str(folder / file)
    workspace = _field("ltr.admin.local", "EnvironmentSettings", "workspace_dir")
    checkpoints = Path(str(workspace or ".")) / "checkpoints" / "ltr" / module / name
    if any(checkpoints.glob("*.pth.tar")):
        return str(checkpoints.resolve())
    where = ", ".join(str(folder) for folder in folders) or "network_path (not set)"
    raise FileNotFoundError(
        f"No network for {module}/{name}: no {file} in {where}, and no checkpoint in {checkpoints}. "
        f"Train it (cd ltr && python run_training.py {module} {name}) or copy {file} there."
    )


def _network_folders() -> list[Path]:
    value = _field("pytracking.evaluation.local", "local_env_settings", "network_path")
    values = value if isinstance(value, list | tuple) else [value] if value else []
    return [Path(os.path.expanduser(str(folder))) for folder in values]


def _field(module: str, maker: str, name: str) -> object:
    """A field of a local.py; None where that file is not written yet."""
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return None
    return getattr(getattr(found, maker)(), name, None)
