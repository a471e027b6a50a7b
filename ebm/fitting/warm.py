"""A fit that goes on from the weights of an earlier one: what is taken over, and what must fit."""

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ebm.exceptions import InputError
from ebm.fitting.bounds import Bounds, parse_bounds
from ebm.fitting.config import FitConfig
from ebm.fitting.data import MARGIN, REACH, Scaling
from ebm.fitting.fitted import FittedEBM
from ebm.fitting.members import network_of
from ebm.fitting.network import Network
from ebm.fitting.rows import Rows, rows_of_scaling
from ebm.fitting.support import Column

__all__ = ["first_network", "require_warm", "taken_over", "warm_rows"]

# Standard deviations of the earlier targets by which new ones can be elsewhere, or wider or narrower.
FAR = 5.0
# What the network is, which a fit cannot change.
_STRUCTURE = ("model", "hidden", "members")


def require_warm(
    warm_start: Any, feature_net: Any, base: Any, tables: Mapping[str, Any], censored: bool
) -> None:
    """Refuse what a fit cannot go on from, or arguments that the earlier fit has decided.

    Args:
        warm_start: the earlier fit.
        feature_net: argument of `ebm.fit`, which must be None, as `base`.
        base: see above.
        tables: options of the encoding that were given.
        censored: whether a target is known by bounds.

    Raises:
        InputError: naming what does not go together.
    """
    if not isinstance(warm_start, FittedEBM):
        loaded = "; ebm.load_fitted reads one from its file" * isinstance(warm_start, str)
        got = f"{type(warm_start).__name__} {warm_start!r}"
        raise InputError(f"warm_start must be a density that ebm.fit returned{loaded}; got {got:.80}.")
    if warm_start.base is not None or base is not None:
        raise InputError(
            "warm_start and a base do not go together: a base fitted again makes other errors than those "
            "that the density was fitted to. Fit anew with base=..."
        )
    if feature_net is not None:
        raise InputError("warm_start brings its own feature network; leave out feature_net.")
    if tables:
        raise InputError(
            f"warm_start keeps the encoding of the earlier fit; leave out {', '.join(sorted(tables))}, or "
            "fit anew."
        )
    angles = warm_start.scaling.circle is not None
    if angles or censored:
        raise InputError(
            "warm_start goes on with targets that are known numbers on the line, and these are "
            f"{'angles' if angles else 'censored'}: leave warm_start out."
        )


def taken_over(
    warm_start: FittedEBM, options: dict[str, Any], numbers: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options with those of the network, and numbers of the loss, which are the earlier fit's.

    Args:
        warm_start: the earlier fit.
        options: fields of `FitConfig` that were given, and "loss", which may be None.
        numbers: of the loss that were given.

    Raises:
        InputError: if one was given that differs.
    """
    earlier = warm_start.config
    known = {name: getattr(earlier, name) for name in _STRUCTURE}
    options = {name: value for name, value in options.items() if (name, value) != ("model", "auto")}
    asked = FitConfig(**{name: options[name] for name in _STRUCTURE if options.get(name) is not None})
    for name in _STRUCTURE:
        if options.get(name) is not None and getattr(asked, name) != known[name]:
            raise InputError(
                f"warm_start goes on with {name}={known[name]!r}, got {name}={options[name]!r}; leave it "
                "out, or fit anew without warm_start."
            )
    loss = earlier.loss if options["loss"] is None else options["loss"]
    same = isinstance(loss, str) and loss.lower() == earlier.loss
    return options | known | {"loss": loss}, (warm_start.loss_options if same else {}) | numbers


def warm_rows(
    warm_start: FittedEBM,
    x: Any,
    y: Any,
    sample_weight: Any,
    validation_data: Any,
    support: Any,
    config: FitConfig,
    groups: Any = None,
) -> tuple[Rows, Rows, Scaling]:
    """Rows to train on and rows held out, raw, and the scaling of the earlier fit, which knows their range.

    Raises:
        ShapeError, DomainError, InputError: if rows or targets are not those of the earlier fit's kind.

    Warns:
        UserWarning: naming input columns that were constant and are not any more: they stay unseen.
    """
    scaling = warm_start.scaling
    if support is not None:
        known = () if scaling.support is None else scaling.support.columns
        if _borders(parse_bounds(support, scaling.target_dim) or ()) != _borders(known):
            raise InputError(
                "warm_start keeps the support of the earlier fit, which is another one; leave out support, "
                "or fit anew."
            )
    train, held = rows_of_scaling(
        x,
        y,
        sample_weight,
        validation_data,
        scaling,
        share=config.validation,
        seed=config.seed,
        members=config.members,
        groups=groups,
    )
    return train, held, _widened(scaling, train.chosen(train.weights > 0))


def first_network(warm_start: FittedEBM | None, device: torch.device) -> Network | None:
    """A copy of the earlier network, or of those of all members, to be trained; None where there is none."""
    if warm_start is None:
        return None
    net = copy.deepcopy(network_of(warm_start.model)).to(device)
    return _trainable(net)


def _trainable(net: Any) -> Any:
    found: nn.Module = net
    return found.requires_grad_(True)


def _borders(columns: Sequence[Bounds | Column]) -> list[tuple[float, float, bool]]:
    return [(one.low, one.high, one.whole) for one in columns]


def _widened(scaling: Scaling, train: Rows) -> Scaling:
    """The same scaling with a range that holds the new rows as well."""
    z = scaling.standardised(train.y)
    _warn_far(z)
    wide = replace(
        scaling,
        z_low=torch.minimum(scaling.z_low, z.amin(0) - MARGIN),
        z_high=torch.maximum(scaling.z_high, z.amax(0) + MARGIN),
    )
    if scaling.x_low is None or scaling.x_high is None or scaling.x_mean is None or scaling.x_scale is None:
        return wide
    rows = (train.x - scaling.x_mean) / scaling.x_scale
    low, high = rows.amin(0), rows.amax(0)
    constant = scaling.x_low == scaling.x_high
    _warn_constant(scaling, constant & ((low < -1e-9) | (high > 1e-9)))
    return replace(
        wide,
        x_low=torch.where(constant, scaling.x_low, torch.minimum(scaling.x_low, low - REACH)),
        x_high=torch.where(constant, scaling.x_high, torch.maximum(scaling.x_high, high + REACH)),
    )


def _warn_far(z: Tensor) -> None:
    """Warn where standardised targets ``(N, D)`` are so unlike the earlier ones that their unit is wrong."""
    centre, spread = z.median(0).values, z.std(0)
    if bool(((centre.abs() > FAR) | (spread > FAR) | (spread < 1 / FAR)).any()):
        found = ", ".join(f"{c:.3g} ± {s:.2g}" for c, s in zip(centre.tolist(), spread.tolist()))
        warnings.warn(
            "in the scaling of the earlier fit, which is kept and where targets were 0 ± 1, these are "
            f"{found}: the density will hardly follow. Fit anew without warm_start.",
            stacklevel=5,
        )


def _warn_constant(scaling: Scaling, moved: Tensor) -> None:
    if not bool(moved.any()):
        return
    places = moved.nonzero()[:, 0].tolist()
    names = scaling.x_names if scaling.x_table is None else scaling.x_table.names
    named = ", ".join(repr(names[place]) if names is not None else str(place) for place in places[:8])
    warnings.warn(
        f"input column {named} was constant in the earlier fit, whose scaling is kept: what it is now is not "
        "looked at. Fit anew without warm_start to use it.",
        stacklevel=5,
    )
