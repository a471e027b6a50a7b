"""Fitted densities written to files of tensors and plain values, as `ebm.fitting.loading` reads them."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ebm.files import write_atomic
from ebm.fitting.config import GRID_LOSS
from ebm.fitting.conformal import plain_calibration
from ebm.fitting.members import network_of
from ebm.fitting.network import activation_of
from ebm.integrity.checksums import sealed_zip

if TYPE_CHECKING:
    from ebm.fitting.fitted import FittedEBM

__all__ = ["FORMAT", "LIMITS", "SCALING", "VERSION", "save_fitted"]

FORMAT = "ebmtrack.fitted"
# 1 knew no members and no calibration; 2 no support; 3 no circle, nor likelihoods by quadrature; 4 no
# clusters of a calibration; 5 no pictures, nor energies on their features. A file says the least version that
# knows all of it, so that earlier releases read what they know and say where they cannot.
VERSION = 6
SCALING = ("x_mean", "x_scale", "y_mean", "y_scale", "z_low", "z_high")
LIMITS = ("x_low", "x_high")  # files of earlier releases have none


def save_fitted(fitted: "FittedEBM", path: Path) -> None:
    """Write a fitted density, whole or not at all.

    Raises:
        InputError: if the file cannot be written.
    """
    scaling, history = fitted.scaling, fitted.history
    net = network_of(fitted.model)
    fields = {
        "format": FORMAT,
        "version": _version(fitted),
        "config": fitted.config.plain(),
        "loss_options": fitted.loss_options,
        "own_features": fitted.own_features,
        "on_base": fitted.base is not None,
        "feature_dim": net.head.feature_dim,
        "on_features": activation_of(net),
        "anchor": getattr(net, "anchor", None),  # a density in closed form has none
        "x_shape": list(scaling.x_shape),
        "flat": scaling.flat,
        "x_names": scaling.x_names,
        "y_names": scaling.y_names,
        "support": None if scaling.support is None else scaling.support.plain(),
        "x_table": None if scaling.x_table is None else scaling.x_table.plain(),
        "scaling": {name: getattr(scaling, name) for name in SCALING + LIMITS},
        "history": {
            "train_loss": list(history.train_loss),
            "held_out_nll": list(history.held_out_nll),
            "best_epoch": history.best_epoch,
            "seconds": history.seconds,
        },
        "calibration": None if fitted.calibration is None else plain_calibration(fitted.calibration),
        "weights": {name: tensor.cpu() for name, tensor in net.state_dict().items()},
    }
    buffer = io.BytesIO()
    torch.save(fields, buffer)
    write_atomic(path, sealed_zip(buffer.getvalue()))


def _version(fitted: "FittedEBM") -> int:
    """The least version of the format that knows what the density is made of."""
    if fitted.scaling.x_table is not None and not fitted.scaling.x_table.by_name:
        return 6
    if activation_of(network_of(fitted.model)) is not None:
        return 6
    if fitted.calibration is not None and fitted.calibration.clusters is not None:
        return 5
    if fitted.scaling.circle is not None or fitted.config.loss == GRID_LOSS:
        return 4
    return 2 if fitted.scaling.support is None else 3
