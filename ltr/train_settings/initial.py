"""Training that begins with a whole network's weights: fine-tuning."""

from pathlib import Path

from torch import nn

from ebm.exceptions import InputError
from ebm.files import expanded
from ebm.integrity.checksums import sha256_of
from ltr.admin.checkpoint_io import read_checkpoint
from ltr.admin.exported import chosen_weights
from ltr.admin.loading import check_normalisation, latest_checkpoint
from ltr.admin.state_dicts import load_strictly

__all__ = ["begin_with", "initial_file", "initial_label"]


def initial_file(given: Path | None) -> Path | None:
    """The file that ``--init-weights`` names; of a folder the newest checkpoint.

    Raises:
        InputError: if there is none.
    """
    if given is None:
        return None
    path = expanded(given)
    path = latest_checkpoint(path) if path.is_dir() else path
    if not path.is_file():
        raise InputError(
            f"--init-weights: there is no file {path}. Name a checkpoint or an export; 'ebmtrack weights "
            "where TRACKER PARAMETERS' says where those of a tracker lie."
        )
    return path


def initial_label(file: Path | None) -> str:
    """What a run's checkpoints say about the weights that it began with; no folder: paths are private."""
    return "" if file is None else f"{file.name} {sha256_of(file)[:16]}"


def begin_with(net: nn.Module, file: Path) -> None:
    """Fill a recipe's network with the weights of a file, averaged ones if it has any.

    Raises:
        InputError: if the file is broken, of another network, or trained on another normalisation.
    """
    fields = read_checkpoint(file)
    info = fields.get("net_info")
    if isinstance(info, dict):
        check_normalisation(net, info, file)
    load_strictly(net, fields[chosen_weights(fields, "auto", file)], f"--init-weights {file}")
