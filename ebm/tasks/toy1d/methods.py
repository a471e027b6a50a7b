"""The methods of the 1D study, the papers' nine and conditional NCE, with their settings on each data set."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ebm.exceptions import DomainError
from ebm.lookup import unknown_name

if TYPE_CHECKING:
    from ebm.proposals import BetaMode

__all__ = ["DATA_SETS", "METHODS", "ToyMethod", "label_of", "method"]

DATA_SETS = (1, 2)
METHODS = (
    *("ml-is", "kld-is", "nce", "nce+", "cnce", "dsm", "sm"),
    *("ml-mcmc-1", "ml-mcmc-16", "ml-mcmc-256"),
)

# What a loss uses; every other setting must be left alone, so that two equal jobs always read the same.
_USES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ml-is": ("num_samples", "sigmas", "share_across_batch"),
        "kld-is": ("num_samples", "sigmas", "label_sigma", "share_across_batch"),
        "nce": ("num_samples", "sigmas", "share_across_batch"),
        "nce+": ("num_samples", "sigmas", "beta", "beta_mode", "share_across_batch"),
        "cnce": ("num_samples", "sigmas", "share_across_batch"),
        "sm": (),
        "dsm": ("num_samples", "dsm_sigma"),
        "ml-mcmc": ("num_samples", "langevin_steps", "langevin_alpha"),
    }
)
_OPTIONAL = ("sigmas", "label_sigma", "beta", "langevin_steps", "langevin_alpha", "dsm_sigma")
_NARROW, _WIDE = (0.1, 0.8), (0.2, 1.6)


@dataclass(frozen=True, kw_only=True)
class ToyMethod:
    """One way to train the network of the 1D study.

    Attributes:
        name: ``"ml-is"``, ``"kld-is"``, ``"nce"``, ``"nce+"``, ``"sm"``, ``"dsm"`` or ``"ml-mcmc-L"``.
        loss: the name that `ebm.build_loss` knows.
        num_samples: M, noise samples a label (the label comes in addition), chains for ML-MCMC; SM uses none.
        sigmas: standard deviations of the proposal's components, in the unit of y.
        label_sigma: standard deviation of the label density of KLD-IS.
        beta: width of NCE+'s label noise relative to the proposal.
        beta_mode: what `beta` multiplies: standard deviations (the authors' code) or variances (eq. 15).
        langevin_steps: L of ML-MCMC.
        langevin_alpha: step size of ML-MCMC.
        dsm_sigma: standard deviation of the noise of DSM.
        share_across_batch: one set of offsets, and one nu, for a whole mini-batch, as the authors' code does;
            NCE+ and CNCE draw for every label unless it is set.

    Source: Gustafsson et al., BMVC 2020, appendix B.4, and the released scripts.
    """

    name: str
    loss: str
    num_samples: int = 1024
    sigmas: tuple[float, ...] | None = None
    label_sigma: float | None = None
    beta: float | None = None
    beta_mode: "BetaMode" = "std"
    langevin_steps: int | None = None
    langevin_alpha: float | None = None
    dsm_sigma: float | None = None
    share_across_batch: bool = True

    def __post_init__(self) -> None:
        """Refuse settings that the loss lacks, ignores or cannot work with.

        Raises:
            UnknownNameError: if the loss or the beta mode has no such name.
            DomainError: if a setting is missing, superfluous or outside its domain.
        """
        if self.loss not in _USES:
            raise unknown_name("loss", self.loss, _USES)
        if self.beta_mode not in ("std", "variance"):
            raise unknown_name("beta mode", str(self.beta_mode), ("std", "variance"))
        for name in _OPTIONAL:
            given, used = getattr(self, name) is not None, name in _USES[self.loss]
            if given != used:
                raise DomainError(f"loss {self.loss!r} {'needs' if used else 'does not use'} {name}.")
        for name in ("num_samples", "langevin_steps"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise DomainError(f"{name} must be an integer >= 1, got {value!r}.")
        for name in ("label_sigma", "langevin_alpha", "dsm_sigma"):
            self._require_positive(name, getattr(self, name))
        for sigma in self.sigmas or ():
            self._require_positive("sigmas", sigma)
        if self.beta is not None and not (math.isfinite(self.beta) and self.beta >= 0):
            raise DomainError(f"beta must be finite and >= 0, got {self.beta!r}.")

    @staticmethod
    def _require_positive(name: str, value: float | None) -> None:
        if value is not None and not (math.isfinite(value) and value > 0):
            raise DomainError(f"{name} must be finite and > 0, got {value!r}.")

    @property
    def label(self) -> str:
        """The name as the papers print it, e.g. ``"ML-MCMC-16"``."""
        return label_of(self.name)

    def settings(self) -> dict[str, Any]:
        """Name, loss and the settings that the loss uses, as plain values for JSON."""
        used = {"name", "loss", *_USES[self.loss]}
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name in used}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def label_of(name: str) -> str:
    """A method's name as the papers print it."""
    return name.upper()


def method(name: str, data_set: int = 1, **changes: Any) -> ToyMethod:
    """A method as the papers' tables were made with it, or as near to that as is known.

    Args:
        name: one of `METHODS` in any case, or ``"ml-mcmc-L"`` with another number L of Langevin steps.
        data_set: 1 or 2; DSM and ML-MCMC have different settings on the two.
        **changes: fields of `ToyMethod` to set otherwise; None leaves the published value.

    Raises:
        UnknownNameError: if there is no such method.
        DomainError: if the data set is not 1 or 2, or a setting does not go with the method.

    Source: Gustafsson et al., BMVC 2020, appendix B.4; where the released scripts differ, the scripts; but
        NCE+ draws its noise for every label, as in eq. 15. CNCE, which the papers lack, is set as NCE.
    """
    if data_set not in DATA_SETS:
        raise DomainError(f"data_set must be 1 or 2, got {data_set!r}.")
    base = _published(name.lower(), data_set)
    return replace(base, **{key: value for key, value in changes.items() if value is not None})


def _published(name: str, data_set: int) -> ToyMethod:
    chain = re.fullmatch(r"ml-mcmc-([1-9]\d*)", name)
    if chain:
        alpha = 0.05 if data_set == 1 else 0.0125
        return ToyMethod(name=name, loss="ml-mcmc", langevin_steps=int(chain[1]), langevin_alpha=alpha)
    if name == "dsm":
        return ToyMethod(name=name, loss="dsm", dsm_sigma=0.2 if data_set == 1 else 0.075)
    if name not in _SAME_ON_BOTH:
        raise unknown_name("method", name, METHODS, f"Methods: {', '.join(METHODS)}.")
    return _SAME_ON_BOTH[name]


_SAME_ON_BOTH: Mapping[str, ToyMethod] = MappingProxyType(
    {
        "ml-is": ToyMethod(name="ml-is", loss="ml-is", sigmas=_WIDE),
        "kld-is": ToyMethod(name="kld-is", loss="kld-is", sigmas=_WIDE, label_sigma=0.025),
        "nce": ToyMethod(name="nce", loss="nce", sigmas=_NARROW),
        # One nu a label, as the paper writes it, comes out better than the code's one a batch.
        "nce+": ToyMethod(name="nce+", loss="nce+", sigmas=_NARROW, beta=0.025, share_across_batch=False),
        "cnce": ToyMethod(name="cnce", loss="cnce", sigmas=_NARROW, share_across_batch=False),
        "sm": ToyMethod(name="sm", loss="sm"),
    }
)
