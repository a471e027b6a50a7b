"""Published settings of training and prediction, by name.

A preset is a value: a variant of your own is ``replace(preset("tracking/dimp-nce+"), beta=0.2)``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from torch import Tensor

from ebm.exceptions import DomainError
from ebm.lookup import lookup
from ebm.losses.base import EnergyLoss
from ebm.losses.modules import build_loss
from ebm.predict import BoxSpace, refine_boxes
from ebm.proposals import BetaMode, GaussianMixtureProposal, Proposal, annotation_noise

__all__ = ["MethodConfig", "RefineConfig", "preset", "presets"]


@dataclass(frozen=True, kw_only=True)
class RefineConfig:
    """How boxes are refined at test time, see `ebm.predict.refine_boxes`.

    Attributes:
        space: ``"relative"`` or ``"default"``.
        steps: T.
        step_length: one number or (position, size).
        decay: factor on the step length.
        backtrack: Algorithm S1 instead of plain ascent.
    """

    space: BoxSpace = "relative"
    steps: int = 10
    step_length: float | tuple[float, float] = 2.5e-3
    decay: float = 1.0
    backtrack: bool = False

    def refine(
        self, score_fn: Callable[[Tensor], Tensor], boxes: Tensor, *, validate: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        """Boxes ``(S, 4)`` xywh px and their scores ``(S,)`` after `ebm.predict.refine_boxes`."""
        return refine_boxes(
            score_fn,
            boxes,
            space=self.space,
            steps=self.steps,
            step_length=self.step_length,
            decay=self.decay,
            backtrack=self.backtrack,
            validate=validate,
        )


@dataclass(frozen=True, kw_only=True)
class MethodConfig:
    """How an energy over relative boxes is trained and used.

    Attributes:
        loss: a name of `ebm.losses.modules.LOSSES`.
        num_samples: M, noise samples per label; a label comes in addition.
        sigmas: standard deviations (position, size) per mixture component, in relative coordinates.
        label_sigma: (position, size) of the label density; for ``"kld-is"`` only.
        beta: width of the annotation noise relative to the proposal; for ``"nce+"`` only.
        beta_mode: what `beta` multiplies.
        refine: prediction.
    """

    loss: str
    num_samples: int = 128
    sigmas: tuple[tuple[float, float], ...] = ((0.05, 0.05), (0.5, 0.5))
    label_sigma: tuple[float, float] | None = None
    beta: float | None = None
    beta_mode: BetaMode = "std"
    refine: RefineConfig = RefineConfig()

    def __post_init__(self) -> None:
        """Refuse settings that the loss would ignore or lacks.

        Raises:
            DomainError: if `label_sigma` or `beta` does not go with the loss.
        """
        for name, value, user in (("label_sigma", self.label_sigma, "kld-is"), ("beta", self.beta, "nce+")):
            if (value is not None) != (self.loss == user):
                verb = "needs" if value is None else "does not use"
                raise DomainError(f"loss {self.loss!r} {verb} {name}; it belongs to {user!r}.")

    def proposal(self) -> GaussianMixtureProposal:
        """The distribution of noise samples in relative box coordinates."""
        return GaussianMixtureProposal(self.sigmas, layout="box")

    def label_density(self) -> GaussianMixtureProposal | None:
        """The label density of KLD-IS, None for the other losses."""
        return None if self.label_sigma is None else GaussianMixtureProposal([self.label_sigma], layout="box")

    def annotation_noise(self) -> Proposal | None:
        """The label noise of NCE+, None for the other losses."""
        return None if self.beta is None else annotation_noise(self.proposal(), self.beta, self.beta_mode)

    def build_loss(self, **options: Any) -> EnergyLoss:
        """The loss module; `options` as `share_across_batch` and `check_finite` go to it."""
        if self.label_sigma is not None:
            position, size = self.label_sigma
            options["label_sigma"] = (position, position, size, size)
        if self.beta is not None:
            options |= {"beta": self.beta, "beta_mode": self.beta_mode}
        return build_loss(self.loss, proposal=self.proposal(), num_samples=self.num_samples, **options)


presets: Mapping[str, MethodConfig] = MappingProxyType(
    {
        "tracking/dimp-nce+": MethodConfig(loss="nce+", beta=0.1),
        "tracking/dimp-nce": MethodConfig(loss="nce"),
        "tracking/dimp-kld-is": MethodConfig(loss="kld-is", label_sigma=(0.05, 0.05)),
        "tracking/atom-ml-is": MethodConfig(loss="ml-is", refine=RefineConfig(step_length=(2e-4, 1e-3))),
    }
)


def preset(name: str) -> MethodConfig:
    """The preset of that name.

    Raises:
        UnknownNameError: (a ValueError) with the nearest names.
    """
    return lookup("preset", name, presets)
