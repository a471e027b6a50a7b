"""How each loss is set up on standardised targets, and which of its numbers can be changed."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from torch import nn

from ebm.checks import require_count
from ebm.exceptions import UnknownNameError
from ebm.fitting.config import GRID_LOSS
from ebm.lookup import unknown_name
from ebm.losses.modules import build_loss
from ebm.numbers import plain, require_no_text
from ebm.proposals import GaussianMixtureProposal
from ebm.wrapped import WrappedMixtureProposal

if TYPE_CHECKING:
    from ebm.fitting.config import FitConfig

__all__ = ["RECIPES", "loss_options", "only_of_losses", "options_of", "standardised_loss"]

# All lengths are in standard deviations of the target. The narrow components find the shape near the label.
# The wide one reaches the whole range of the targets, or modes far apart would hardly be compared.
_SIGMAS = (0.05, 0.3, 1.5)

RECIPES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "nce+": {"sigmas": _SIGMAS, "num_samples": 32, "beta": 0.025},
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


def options_of(config: "FitConfig", given: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a loss, see `loss_options`; of a correction its draws; of other densities none.

    Raises:
        UnknownNameError: (a ValueError) if another was given.
        DomainError: (a ValueError) if something is no number, or outside its domain.
    """
    if config.model == "energy" and config.loss != GRID_LOSS:
        return loss_options(config.loss, given)
    recipe = {"num_samples": 32} if config.model.endswith("+energy") else {}
    for name in given:
        if name not in recipe:
            losses = any(name in other for other in RECIPES.values())
            remedy = "It is an option of a loss by samples, which model='energy' alone has." if losses else ""
            known = sorted({*_common_options(), *recipe})
            raise unknown_name("option of ebm.fit", name, known, remedy)
    return {name: require_count(name, value) for name, value in {**recipe, **given}.items()}


def only_of_losses(given: Mapping[str, Any]) -> bool:
    """Whether an option was given that only an energy trained by a loss has."""
    return any(name != "num_samples" and name in recipe for name in given for recipe in RECIPES.values())


def standardised_loss(
    loss: str, options: Mapping[str, Any], target_dim: int, *, check_finite: bool, circular: bool = False
) -> nn.Module:
    """The loss module for standardised targets.

    Args:
        loss: a key of `RECIPES`.
        options: what `loss_options` returned.
        target_dim: D.
        check_finite: have the loss look for non-finite scores at every step.
        circular: the target is an angle in radians.
    """
    cfg = dict(options)
    if "sigmas" in cfg:
        sigmas = cfg.pop("sigmas")
        cfg["proposal"] = (
            WrappedMixtureProposal(sigmas) if circular else GaussianMixtureProposal(sigmas, None, target_dim)
        )
    else:
        cfg["target_dim"] = target_dim
    return build_loss(loss, **cfg, check_finite=check_finite, diagnostics=False)


def _unknown_option(loss: str, name: str) -> UnknownNameError:
    known = sorted({*_common_options(), *RECIPES[loss]})
    others = sorted(other for other, recipe in RECIPES.items() if name in recipe)
    remedy = f"It is an option of loss {', '.join(others)}, not of {loss!r}." if others else ""
    return unknown_name("option of ebm.fit", name, known, remedy)


def _common_options() -> set[str]:
    """Names of the options that all losses have."""
    from ebm.fitting.config import FitConfig, TableOptions

    return {*FitConfig.__dataclass_fields__, *TableOptions.__dataclass_fields__}
