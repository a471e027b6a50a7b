"""Fitted densities read from their files: nothing in them runs."""

import copy
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ebm.checks import require_finite
from ebm.exceptions import EBMError, InputError
from ebm.fitting.base import PointPredictor
from ebm.fitting.config import FitConfig
from ebm.fitting.conformal import read_calibration
from ebm.fitting.data import Scaling
from ebm.fitting.encoding import InputEncoder
from ebm.fitting.files import FORMAT, LIMITS, SCALING, VERSION
from ebm.fitting.fitted import FittedEBM
from ebm.fitting.loop import History
from ebm.fitting.members import MemberMixture
from ebm.fitting.network import OWN, Network, build_model, features_energy
from ebm.fitting.recipes import options_of
from ebm.fitting.support import Support
from ebm.fitting.table_encoding import read_table
from ebm.integrity.torch_files import read_torch_file
from ebm.nn.members import side_by_side

__all__ = ["load_fitted"]


def load_fitted(
    path: str | Path,
    *,
    feature_net: nn.Module | None = None,
    base: PointPredictor | None = None,
    device: str | torch.device = "cpu",
) -> FittedEBM:
    """Read what `FittedEBM.save` wrote; no code in the file runs.

    Args:
        path: the file.
        feature_net: where the density was fitted with a network of your own: a module of the same structure;
            its copy gets the weights of the file.
        base: where the density was fitted on a predictor's errors: ``fitted.base``, kept by you (joblib).
        device: where to predict.

    Raises:
        InputError: if the file is missing, damaged, no fitted density or of another version, its numbers do
            not fit each other, or `feature_net` or `base` is missing, not called for or of another structure.
    """
    path = Path(path)
    fields = _read(path)
    try:
        fitted = _rebuild(fields, feature_net, base)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (
        EBMError,
        LookupError,
        TypeError,
        ValueError,
        RuntimeError,
        AttributeError,
        ArithmeticError,
    ) as error:
        raise InputError(f"{path} is damaged or was changed: {type(error).__name__}: {error}") from error
    return fitted.to(device)


def _read(path: Path) -> dict[str, Any]:
    """The fields of the file, its first ones checked."""
    fields = read_torch_file(path)
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise InputError(f"{path} is no fitted density: FittedEBM.save did not write it.")
    if not isinstance(fields.get("version"), int) or not 1 <= fields["version"] <= VERSION:
        raise InputError(
            f"{path} has version {fields.get('version')!r} of the format, this release reads {VERSION}; "
            "fit again, or install the release that wrote it."
        )
    return fields


def _rebuild(fields: dict[str, Any], feature_net: nn.Module | None, base: PointPredictor | None) -> FittedEBM:
    """The density that the fields describe."""
    config = FitConfig(**fields["config"])
    _require_base(bool(fields.get("on_base", False)), base)
    scaling = _scaling(fields)
    model = _model(fields, config, scaling, feature_net)
    history = fields["history"]
    return FittedEBM(
        model,
        scaling,
        config,
        options_of(config, fields["loss_options"]),
        History(
            train_loss=tuple(map(float, history["train_loss"])),
            held_out_nll=tuple(map(float, history["held_out_nll"])),
            best_epoch=int(history["best_epoch"]),
            seconds=float(history["seconds"]),
        ),
        own_features=bool(fields["own_features"]),
        calibration=read_calibration(fields.get("calibration"), scaling.target_dim),
        base=base,
    )


def _scaling(fields: dict[str, Any]) -> Scaling:
    """Scaling whose numbers are finite and fit each other."""
    numbers, x_shape = dict(fields["scaling"]), tuple(int(n) for n in fields["x_shape"])
    flat_rows = numbers["x_mean"] is not None
    on_base = bool(fields.get("on_base", False))  # whose predictions are further columns
    width = (x_shape[0] + len(numbers["y_mean"]) * on_base,) if flat_rows else None
    targets = dict.fromkeys(SCALING[2:], tuple(numbers["y_mean"].shape))
    limits = {name: width for name in LIMITS if numbers.setdefault(name, None) is not None}
    expected = {"x_mean": width, "x_scale": width} | targets | limits
    for name, shape in expected.items():
        if shape is None:
            continue
        numbers[name] = numbers[name].to(torch.float64)
        require_finite(name, numbers[name])
        if len(shape) != 1 or numbers[name].shape != shape:
            raise InputError(f"{name} has shape {tuple(numbers[name].shape)}, expected {shape}.")
        if name.endswith("scale") and not bool((numbers[name] > 0).all()):
            raise InputError(f"{name} must be positive.")
    if not bool((numbers["z_low"] < numbers["z_high"]).all()):
        raise InputError("the range of the targets is empty.")
    if limits and not bool((numbers["x_low"] <= numbers["x_high"]).all()):
        raise InputError("the range of the inputs is empty.")
    chosen = {name: numbers[name] for name in SCALING + LIMITS}
    support = fields.get("support")
    table = _encoder(fields.get("x_table"))
    if table is not None and x_shape != (len(table.names),):
        raise InputError(f"its table has {len(table.names)} columns of numbers, expected {x_shape}.")
    return Scaling(
        x_shape=x_shape,
        flat=bool(fields["flat"]),
        x_names=_names(fields, "x_names", x_shape[0] if table is None else len(table.columns)),
        x_table=table,
        y_names=_names(fields, "y_names", targets["y_mean"][0]),
        support=None if support is None else Support.from_plain(support, targets["y_mean"][0]),
        **chosen,
    )


def _encoder(plain: dict[str, Any] | None) -> InputEncoder | None:
    """How inputs become numbers; files of earlier releases know of tables alone, or of nothing."""
    if plain is not None and plain.get("kind") == "pictures":
        from ebm.images.encoder import read_encoder

        return read_encoder(plain)
    return read_table(plain)


def _require_base(wanted: bool, base: PointPredictor | None) -> None:
    if wanted and base is None:
        raise InputError("it was fitted on the errors of a predictor of your own; pass it as base.")
    if base is not None and not wanted:
        raise InputError("it was fitted without a base; load it without one.")


def _names(fields: dict[str, Any], key: str, count: int) -> tuple[str, ...] | None:
    """Names of columns; files of earlier releases have none."""
    names = fields.get(key)
    if names is None:
        return None
    if len(names) != count or not all(isinstance(name, str) for name in names):
        raise InputError(f"{key} are {names!r}, expected {count} names.")
    return tuple(names)


def _columns(scaling: Scaling) -> int:
    """Columns that the network gets."""
    return scaling.x_shape[0] if scaling.x_mean is None else len(scaling.x_mean)


def _model(
    fields: dict[str, Any], config: FitConfig, scaling: Scaling, feature_net: nn.Module | None
) -> Network | MemberMixture:
    """The network with the weights of the file, or several."""
    own, weights = bool(fields["own_features"]), fields["weights"]
    if own and feature_net is None:
        raise InputError("it was fitted with a feature_net of your own; pass a module of that structure.")
    if not own and feature_net is not None:
        raise InputError("it was fitted without a feature_net of your own; load it without one.")
    for name, tensor in weights.items():
        if tensor.is_floating_point():
            require_finite(name, tensor)
    x_dim = fields["feature_dim"] if own else _columns(scaling)
    # A changed file must not have the network built larger than the weights that it holds.
    most = sum(tensor.numel() for tensor in weights.values())
    sizes = (x_dim, *config.hidden, config.hidden[-1], config.hidden[-1])
    if len(sizes) > len(weights) + 3 or any(a * b > most for a, b in pairwise(sizes)):
        raise InputError("its weights are fewer than its layer sizes need.")
    members = config.members
    stacked = [tensor for name, tensor in weights.items() if name.startswith("head.") and tensor.ndim > 2]
    if members > 1 and stacked[0].shape[0] != members:  # before so many are made
        raise InputError(f"its weights are not those of {members} networks.")
    sizes_of = (x_dim, scaling.target_dim, config.hidden, float(fields["anchor"] or 0))
    circular = scaling.circle is not None
    if fields.get("on_features") is not None:
        plain = features_energy(x_dim, sizes_of[1], config.hidden[-1], sizes_of[3], fields["on_features"])
        plain.load_state_dict(weights)
        return plain
    nets = [
        build_model(*sizes_of, copy.deepcopy(feature_net), config.model, circular) for _ in range(members)
    ]
    model = nets[0] if members == 1 else side_by_side(nets, OWN if own else ())
    model.load_state_dict(weights)
    return model if members == 1 else MemberMixture(model, members, scaling)
