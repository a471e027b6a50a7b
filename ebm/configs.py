"""How a method is trained and how it predicts, as values; a setting that would be ignored is an error."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor

from ebm.baselines.iou import IoUCriterion, IoUJitterPool, IoULoss
from ebm.box_ascent import BoxSpace, refine_boxes
from ebm.exceptions import DomainError, ShapeError
from ebm.lookup import lookup, unknown_name
from ebm.losses.base import EnergyLoss
from ebm.losses.modules import build_loss
from ebm.numbers import plain_fields
from ebm.proposals import BetaMode, GaussianMixtureProposal, Proposal, annotation_noise

__all__ = ["MethodConfig", "RefineConfig", "box_pair"]

Layout = Literal["box"]

# What a loss uses beyond its name, and needs; nothing else may be given with it.
_USED_BY_LOSS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ml-is": ("num_samples", "sigmas"),
        "kld-is": ("num_samples", "sigmas", "label_sigma"),
        "nce": ("num_samples", "sigmas"),
        "nce+": ("num_samples", "sigmas", "beta"),
        "cnce": ("num_samples", "sigmas"),
        "ml-mcmc": ("num_samples", "langevin_steps", "langevin_alpha"),
        "sm": (),
        "dsm": ("num_samples", "dsm_sigma"),
        "iou": ("num_samples", "sigmas", "iou_criterion"),
        "iou-pool": ("num_samples", "iou_criterion"),
    }
)
# What it may be given in addition.
_OPTIONAL: Mapping[str, tuple[str, ...]] = MappingProxyType({"cnce": ("beta",)})
_TAKEN_BY_LOSS = {loss: (*used, *_OPTIONAL.get(loss, ())) for loss, used in _USED_BY_LOSS.items()}
_SHARING = ("ml-is", "kld-is", "nce", "nce+", "cnce")
_USED_BY_ALGORITHM: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"s1": ("decay",), "s2": ("tol_improve", "tol_degenerate"), "vanilla": ("decay",)}
)


@dataclass(frozen=True, kw_only=True)
class RefineConfig:
    """How predictions are refined at test time.

    Attributes:
        algorithm: ``"s1"`` backtracks, ``"s2"`` stops early, ``"vanilla"`` takes all steps; see `ebm.refine`.
        space: ``"relative"`` or ``"default"`` for boxes, see `ebm.refine_boxes`; ``"target"`` for all else.
        steps: T.
        step_length: one number in the space's unit, or (position, size) of a box.
        decay: factor on the step length; for ``s1`` after a refused step, for ``vanilla`` after every step.
        tol_improve: Omega_1 of ``s2``.
        tol_degenerate: Omega_2 of ``s2``.

    Raises:
        DomainError: (a ValueError) if the algorithm needs or does not use a setting.
        UnknownNameError: (a ValueError) for another algorithm or space.
    """

    algorithm: Literal["s1", "s2", "vanilla"]
    space: BoxSpace | Literal["target"]
    steps: int = 10
    step_length: float | tuple[float, float]
    decay: float | None = None
    tol_improve: float | None = None
    tol_degenerate: float | None = None

    def __post_init__(self) -> None:
        """Refuse settings that the algorithm would ignore, or lacks."""
        plain_fields(self)
        used = lookup("algorithm", self.algorithm, _USED_BY_ALGORITHM)
        if self.space not in ("relative", "default", "target"):
            raise unknown_name("space", str(self.space), ("relative", "default", "target"))
        given = {name: getattr(self, name) for name in ("decay", "tol_improve", "tol_degenerate")}
        _require_exactly(f"algorithm {self.algorithm!r}", given, used, _USED_BY_ALGORITHM)
        if self.algorithm == "s2" and self.space != "target":
            raise DomainError(f"algorithm 's2' refines in space 'target', not in box space {self.space!r}.")
        if isinstance(self.step_length, tuple) and self.space == "target":
            raise DomainError(f"a (position, size) step length {self.step_length} is for boxes alone.")

    def options(self) -> dict[str, Any]:
        """Arguments of `ebm.refine`, as in ``refine(model, x, init, **config.options())``.

        Raises:
            DomainError: if the space is one of boxes: `refine` knows nothing of them.
        """
        if self.space != "target":
            raise DomainError(f"space {self.space!r} is for boxes; call .refine(score_fn, boxes) instead.")
        used = {name: getattr(self, name) for name in _USED_BY_ALGORITHM[self.algorithm]}
        return {"method": self.algorithm, "steps": self.steps, "step_length": self.step_length} | used

    def refine(
        self,
        score_fn: Callable[[Tensor], Tensor],
        boxes: Tensor,
        *,
        sizes: Tensor | None = None,
        validate: bool | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Boxes ``(S, 4)`` xywh px and their scores ``(S,)`` after `ebm.refine_boxes`, which see.

        Raises:
            DomainError: if the space is not one of boxes.
        """
        if self.space == "target" or self.decay is None:
            raise DomainError("space 'target' is not for boxes; call ebm.refine(..., **config.options()).")
        return refine_boxes(
            score_fn,
            boxes,
            space=self.space,
            steps=self.steps,
            step_length=self.step_length,
            decay=self.decay,
            backtrack=self.algorithm == "s1",
            sizes=sizes,
            validate=validate,
        )


@dataclass(frozen=True, kw_only=True)
class MethodConfig:
    """How an energy is trained and used.

    Attributes:
        loss: a name of `ebm.build_loss`; ``"iou"`` for the regression of overlaps of boxes from the proposal,
            ``"iou-pool"`` of boxes from an `ebm.baselines.iou.IoUJitterPool`.
        target_dim: D.
        layout: ``"box"`` where targets are relative boxes and widths come as (position, size) pairs.
        num_samples: M, noise samples or chains per label, the label not counted; 0 for ``"sm"``.
        sigmas: standard deviations of the proposal, one row per component: one number for all dimensions, D,
            or with the layout ``"box"`` a pair.
        label_sigma: standard deviations of the label density, as one such row; for ``"kld-is"``.
        beta: width of the annotation noise relative to the proposal; for ``"nce+"``, and for ``"cnce"``
            where wanted.
        beta_mode: what `beta` multiplies.
        langevin_steps: L; for ``"ml-mcmc"``.
        langevin_alpha: step size in the target's unit; for ``"ml-mcmc"``.
        dsm_sigma: standard deviation of the noise on labels; for ``"dsm"``.
        iou_criterion: for ``"iou"`` and ``"iou-pool"``, see `ebm.baselines.iou.IoULoss`.
        iou_label: whether these score the label as well.
        share_across_batch: one set of offsets, and of annotation noise, for a whole batch.
        refine: prediction; None where the papers predict with the whole density.

    Raises:
        DomainError: (a ValueError) if the loss needs or does not use a setting.
        UnknownNameError: (a ValueError) for another loss.
        ShapeError: if the layout is ``"box"`` and D is not 4, or a row of widths is no pair.
    """

    loss: str
    target_dim: int
    layout: Layout | None = None
    num_samples: int = 0
    sigmas: tuple[tuple[float, ...], ...] = ()
    label_sigma: tuple[float, ...] | None = None
    beta: float | None = None
    beta_mode: BetaMode = "std"
    langevin_steps: int = 0
    langevin_alpha: float | None = None
    dsm_sigma: float | None = None
    iou_criterion: IoUCriterion | None = None
    iou_label: bool = False
    share_across_batch: bool = False
    refine: RefineConfig | None = None

    def __post_init__(self) -> None:
        """Refuse settings that the loss would ignore, or lacks."""
        plain_fields(self)
        self._read_widths()
        used = lookup("loss", self.loss, _USED_BY_LOSS)
        names = dict.fromkeys(name for settings in _USED_BY_LOSS.values() for name in settings)
        given = {name: getattr(self, name) for name in names if name not in _OPTIONAL.get(self.loss, ())}
        _require_exactly(f"loss {self.loss!r}", given, used, _TAKEN_BY_LOSS)
        for name, value, users in (
            ("beta_mode='variance'", self.beta_mode != "std", ("nce+", "cnce")),
            ("share_across_batch", self.share_across_batch, _SHARING),
            ("iou_label", self.iou_label, ("iou", "iou-pool")),
        ):
            if value and self.loss not in users:
                raise DomainError(f"loss {self.loss!r} does not use {name}; it belongs to {_listed(users)}.")
        if self.beta_mode != "std" and self.beta is None:
            raise DomainError(
                f"beta_mode={self.beta_mode!r} says what beta multiplies, but there is no beta."
            )
        if self.layout == "box":
            if self.target_dim != 4:
                raise ShapeError(f"layout 'box' needs target_dim = 4, got {self.target_dim}.")
            for row in (*self.sigmas, *([self.label_sigma] if self.label_sigma else [])):
                box_pair(row)

    def _read_widths(self) -> None:
        """One number, or several, as the rows that they stand for."""
        rows = self.sigmas if isinstance(self.sigmas, tuple) else (self.sigmas,)
        object.__setattr__(self, "sigmas", tuple(r if isinstance(r, tuple) else (r,) for r in rows))
        if self.label_sigma is not None and not isinstance(self.label_sigma, tuple):
            object.__setattr__(self, "label_sigma", (self.label_sigma,))

    def proposal(self) -> GaussianMixtureProposal:
        """The distribution of noise samples around a label.

        Raises:
            DomainError: if the loss draws none.
        """
        if not self.sigmas:
            raise DomainError(f"loss {self.loss!r} has no proposal: it draws no samples from a mixture.")
        return GaussianMixtureProposal(self.sigmas, target_dim=self.target_dim, layout=self.layout)

    def label_density(self) -> GaussianMixtureProposal | None:
        """The label density of KLD-IS, None for the other losses."""
        if self.label_sigma is None:
            return None
        return GaussianMixtureProposal([self.label_sigma], target_dim=self.target_dim, layout=self.layout)

    def annotation_noise(self) -> Proposal | None:
        """The label noise of NCE+ or CNCE, None without one."""
        return None if self.beta is None else annotation_noise(self.proposal(), self.beta, self.beta_mode)

    def build_loss(self, **options: Any) -> EnergyLoss | IoULoss:
        """The loss module; `options` as `check_finite` and `share_across_batch` go to it."""
        if self.iou_criterion is not None:
            settings: dict[str, Any] = {"include_label": self.iou_label, "criterion": self.iou_criterion}
            # The pool is the same for every training.
            pool = IoUJitterPool(generator=torch.Generator().manual_seed(0)) if not self.sigmas else None
            return IoULoss(pool or self.proposal(), self.num_samples, **(settings | options))
        return build_loss(self.loss, **(self._arguments() | options))

    def _arguments(self) -> dict[str, Any]:
        """Arguments of the loss's class."""
        if self.loss == "sm":
            return {"target_dim": self.target_dim}
        own: dict[str, Any] = {"num_samples": self.num_samples}
        if self.loss == "dsm":
            return own | {"target_dim": self.target_dim, "sigma": self.dsm_sigma}
        if self.loss == "ml-mcmc":
            chain = {"steps": self.langevin_steps, "step_size": self.langevin_alpha}
            return own | chain | {"target_dim": self.target_dim}
        own |= {"proposal": self.proposal(), "share_across_batch": self.share_across_batch}
        if self.beta is not None:
            own |= {"beta": self.beta, "beta_mode": self.beta_mode}
        if self.label_sigma is not None:
            row = self.label_sigma
            if self.layout == "box":  # (position, size) for (x, y, width, height)
                row = (row[0], row[0], row[1], row[1])
            own["label_sigma"] = row if len(row) > 1 else row[0]
        return own


def box_pair(row: tuple[float, ...]) -> tuple[float, float]:
    """A row of widths as (position, size).

    Raises:
        ShapeError: if it has not two entries.
    """
    if len(row) != 2:
        raise ShapeError(f"expected a (position, size) pair of widths, got {row!r}.")
    return row[0], row[1]


def _require_exactly(
    what: str, given: Mapping[str, Any], used: tuple[str, ...], users: Mapping[str, tuple[str, ...]]
) -> None:
    """Every setting that is used must be given, and no other; None, a count of 0 and no rows are absent."""
    for name, value in given.items():
        absent = value is None or value == () or (type(value) is int and value == 0)
        if absent == (name in used):
            verb = "needs" if absent else "does not use"
            owners = [user for user, names in users.items() if name in names]
            raise DomainError(f"{what} {verb} {name}; it belongs to {_listed(owners)}.")


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(map(repr, names))
