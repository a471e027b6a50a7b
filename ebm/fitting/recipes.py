"""How each loss is set up on standardised targets, and which of its numbers can be changed."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from torch import nn

from ebm.exceptions import UnknownNameError
from ebm.lookup import unknown_name
from ebm.losses.modules import build_loss
from ebm.numbers import plain, require_no_text
from ebm.proposals import GaussianMixtureProposal

__all__ = ["RECIPES", "loss_options", "no_options", "standardised_loss"]

# All lengths are in standard deviations of the target. The narrow components find the shape near the label.
# The wide one reaches the whole range of the targets, or modes far apart would hardly be compared.
_SIGMAS = (0.05, 0.3, 1.5)

RECIPES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "nce+": {"sigmas": _SIGMAS, "num_samples": 64, "beta": 0.025},
        "nce": {"sigmas": _SIGMAS, "num_samples": 64},
        "cnce": {"sigmas": _SIGMAS, "num_samples": 64, "beta": 0.0},
        "ml-is": {"sigmas": _SIGMAS, "num_samples": 64},
        "kld-is": {"sigmas": _SIGMAS, "num_samples": 64, "label_sigma": 0.03},
        "ml-mcmc": {"num_samples": 16, "steps": 16, "step_size": 0.05},
        "sm": {},
        "dsm": {"num_samples": 16, "sigma": 0.1},
    }
)


def loss_options(loss: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a loss: its recipe, changed by what was given.

    Args:
        loss: a key of `RECIPES`.
        given: changed numbers; lengths in standard deviations of the target.

    Raises:
        UnknownNameError: (a ValueError) if the loss has no such number.
        DomainError: (a ValueError) if something is no number.
    """
    recipe = RECIPES[loss]
    for name in given:
        if name not in recipe:
            raise _unknown_option(loss, name)
    chosen = {**recipe, **given}
    options = {name: plain(value) for name, value in chosen.items()}
    for name, value in options.items():
        require_no_text(name, value)
    return options


def no_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a density in closed form: it has none.

    Raises:
        UnknownNameError: (a ValueError) if any was given.
    """
    from ebm.fitting.config import FitConfig

    for name in given:
        known = sorted(FitConfig.__dataclass_fields__)
        losses = any(name in recipe for recipe in RECIPES.values())
        remedy = "It is an option of a loss, which model='energy' alone has." if losses else ""
        raise unknown_name("option of ebm.fit", name, known, remedy)
    return {}


def standardised_loss(
    loss: str, options: Mapping[str, Any], target_dim: int, *, check_finite: bool
) -> nn.Module:
    """The loss module for standardised targets.

    Args:
        loss: a key of `RECIPES`.
        options: what `loss_options` returned.
        target_dim: D.
        check_finite: have the loss look for non-finite scores at every step.
    """
    cfg = dict(options)
    if "sigmas" in cfg:
        cfg["proposal"] = GaussianMixtureProposal(cfg.pop("sigmas"), target_dim=target_dim)
    else:
        cfg["target_dim"] = target_dim
    return build_loss(loss, **cfg, check_finite=check_finite)


def _unknown_option(loss: str, name: str) -> UnknownNameError:
    from ebm.fitting.config import FitConfig

    known = sorted({*FitConfig.__dataclass_fields__, *RECIPES[loss]})
    others = sorted(other for other, recipe in RECIPES.items() if name in recipe)
    remedy = f"It is an option of loss {', '.join(others)}, not of {loss!r}." if others else ""
    return unknown_name("option of ebm.fit", name, known, remedy)
