"""Slim files of a trained network: weights as safetensors, and a JSON beside them that says what they are."""

import contextlib
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from torch import Tensor

from ebm.exceptions import InputError
from ebm.integrity.checksums import damaged, note_unchecked, sha256_of
from ebm.integrity.json_files import read_sealed_json, sealed_text
from ltr.admin.model_constructor import NetConstructor
from ltr.admin.state_dicts import read_state_dict

__all__ = ["Weights", "chosen_weights", "export_files", "read_export", "write_export"]

FORMAT = "ebmtrack network 1"
DIGEST = "weights_sha256"  # of all bytes of the other file

Weights = Literal["auto", "net", "net_ema"]


def chosen_weights(fields: Mapping[str, Any], weights: Weights, where: object) -> str:
    """The field of a checkpoint whose weights are meant.

    Args:
        fields: of the checkpoint.
        weights: ``"net"``, ``"net_ema"`` (averaged over the run), or ``"auto"``: averaged if there are any.
        where: what the checkpoint is, for the message.

    Raises:
        InputError: if averaged weights are asked for and there are none.
    """
    if weights == "auto":
        return "net_ema" if "net_ema" in fields else "net"
    if weights not in fields:
        raise InputError(
            f"{where} holds no averaged weights (field 'net_ema'); it was trained without them (--set "
            "ema=0.999). Take the weights 'net'."
        )
    return weights


def export_files(folder: Path, fields: Mapping[str, Any]) -> tuple[Path, Path]:
    """The two files that `write_export` writes: weights, and the JSON beside them."""
    path = folder / f"{fields.get('net_type') or 'network'}_ep{int(fields.get('epoch') or 0):04d}.safetensors"
    return path, path.with_suffix(".json")


def write_export(
    folder: Path,
    fields: Mapping[str, Any],
    source: str,
    weights: Weights = "auto",
    *,
    name: str | None = None,
    half: bool = False,
) -> Path:
    """Write the network of a checkpoint, without anything that only training needs.

    Args:
        folder: where ``<NetType>_ep0001.safetensors`` and ``.json`` go; made if it is not there.
        fields: of the checkpoint, from ``read_checkpoint``.
        source: its file name, recorded.
        weights: which weights.
        name: of the two files, without their endings.
        half: store matrices and kernels in 16 bits; they are 32 again where the file is read.

    Returns: the ``.safetensors`` file.

    Raises:
        InputError: if the checkpoint does not say how its network is built, lacks the weights asked for, or
            the files cannot be written.
    """
    constructor = fields.get("constructor")
    if not isinstance(constructor, NetConstructor):
        raise InputError(f"{source} does not say how its network is built (field 'constructor').")
    chosen = chosen_weights(fields, weights, source)
    about = {
        "format": FORMAT,
        "net_type": str(fields.get("net_type", "")),
        "constructor": {
            "fun_module": constructor.fun_module,
            "fun_name": constructor.fun_name,
            "args": _packed(list(constructor.args), source),
            "kwds": _packed(dict(constructor.kwds), source),
        },
        "net_info": _packed(fields.get("net_info"), source),
        "epoch": int(fields.get("epoch") or 0),
        "weights": chosen,
        "source": source,
    }
    # Shared or strided memory cannot be stored as such.
    state = {key: tensor.detach().cpu().clone().contiguous() for key, tensor in fields[chosen].items()}
    if half:
        state = {key: _halved(tensor) for key, tensor in state.items()}
    path = export_files(folder, fields)[0] if name is None else folder / f"{name}.safetensors"
    _write(path, state, about)
    return path


def _halved(tensor: Tensor) -> Tensor:
    """Matrices and kernels in 16 bits; vectors weigh little, and statistics may not fit."""
    if tensor.dim() < 2 or tensor.dtype != torch.float32:
        return tensor
    small = tensor.half()
    return small if bool(small.isfinite().all()) else tensor


def _write(path: Path, state: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write both files under other names, then give them their own: the weights last."""
    text = path.with_suffix(".json")
    parts = [path.with_name(f".{path.name}.tmp"), text.with_name(f".{text.name}.tmp")]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not save_file: it writes files that nobody but their owner may read.
        content = safetensors.torch.save(dict(state), metadata={"format": "pt"})
        parts[0].write_bytes(content)
        sealed = sealed_text({**about, DIGEST: hashlib.sha256(content).hexdigest()})
        parts[1].write_text(sealed, encoding="utf-8")
        os.replace(parts[1], text)
        os.replace(parts[0], path)
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(f"{path} cannot be written: {error}.") from error
    finally:
        for part in parts:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)


def _packed(value: Any, source: str) -> Any:
    """`value` as JSON can hold it; tuples are marked, so that they come back as tuples."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple):
        return {"tuple": [_packed(item, source) for item in value]}
    if isinstance(value, list):
        return [_packed(item, source) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _packed(item, source) for key, item in value.items()}
    raise InputError(f"{source} records a {type(value).__name__}, which a JSON file cannot hold.")


def _unpacked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpacked(item) for item in value]
    if isinstance(value, dict):
        if value.keys() == {"tuple"} and isinstance(value["tuple"], list):
            return tuple(_unpacked(item) for item in value["tuple"])
        return {key: _unpacked(item) for key, item in value.items()}
    return value


def read_export(path: Path) -> dict[str, Any]:
    """The fields of an exported network, under the names of a checkpoint's.

    Args:
        path: the ``.safetensors`` file; the ``.json`` of the same name lies beside it.

    Raises:
        InputError: if one of the two is missing or damaged, or they do not belong together.
    """
    text = path.with_suffix(".json")
    if path.is_file() and not text.is_file():
        raise InputError(
            f"{path} holds weights, but {text.name} beside it, which says how their network is built, is "
            "missing; copy both files of an export."
        )
    about = read_sealed_json(text) if text.is_file() else {}
    state = _read_weights(path, text, about)
    try:
        if about["format"] != FORMAT:
            raise InputError(
                f"{text} is in the format {about['format']!r}, and this program reads {FORMAT!r}."
            )
        return {
            "net_type": about["net_type"],
            "net": state,
            "net_info": _unpacked(about["net_info"]),
            "constructor": _constructor(about["constructor"]),
            "epoch": int(about["epoch"]),
            "source": about["source"],
            "weights": about["weights"],
        }
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{text} is damaged or no description of a network: {error!r}.") from error


def _constructor(made: Mapping[str, Any]) -> NetConstructor:
    """What builds the network, as the description has it."""
    return NetConstructor(
        str(made["fun_name"]),
        str(made["fun_module"]),
        tuple(_unpacked(made["args"])),
        dict(_unpacked(made["kwds"])),
    )


def _read_weights(path: Path, text: Path, about: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights, once they are known to be those that the other file was written with."""
    if DIGEST in about and path.is_file() and sha256_of(path) != about[DIGEST]:
        raise damaged(
            path, f"its checksum is not the one in {text.name}; or it belongs to another {text.name}"
        )
    state = read_state_dict(path)
    if DIGEST not in about:
        note_unchecked(path)
    return state
