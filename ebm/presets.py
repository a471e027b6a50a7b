"""Published settings of training and prediction, by name.

A preset is a value: a variant of your own is ``replace(preset("tracking/dimp-nce+"), beta=0.2)``. Where the
two 1D data sets have different settings, those of the second end in ``-2``. M counts noise samples: where the
detection code takes 128 with the label among them, M is 127.

Source: Gustafsson et al., ECCV 2020 and its supplement; BMVC 2020, appendices; the released code where it
differs from them.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from ebm.baselines.iou import IoUCriterion
from ebm.configs import MethodConfig, RefineConfig, box_pair
from ebm.lookup import lookup

__all__ = ["MethodConfig", "RefineConfig", "box_pair", "preset", "presets", "refinement", "refinements"]

Rows = tuple[tuple[float, ...], ...]

_DETECTION_STEP = (4e-4, 1.6e-3)
_SHORT_STEP = (2.5e-5, 1e-4)
_NARROW: Rows = ((0.0375, 0.0375), (0.075, 0.075), (0.15, 0.15))
_WIDE: Rows = ((0.075, 0.075), (0.15, 0.15), (0.3, 0.3))
_TRACKING: Rows = ((0.05, 0.05), (0.5, 0.5))


def _backtrack(step_length: tuple[float, float], decay: float = 0.5) -> RefineConfig:
    return RefineConfig(algorithm="s1", space="relative", step_length=step_length, decay=decay)


def _every_step(step_length: float | tuple[float, float]) -> RefineConfig:
    return RefineConfig(algorithm="vanilla", space="relative", step_length=step_length, decay=1.0)


def _early_stop(step_length: float) -> RefineConfig:
    return RefineConfig(
        algorithm="s2",
        space="target",
        steps=5,
        step_length=step_length,
        tol_improve=1e-3,
        tol_degenerate=-1e-2,
    )


refinements: Mapping[str, RefineConfig] = MappingProxyType(
    {
        "detection/iou-net": RefineConfig(algorithm="s1", space="default", step_length=0.5, decay=0.1),
        "detection/iou-net*": _backtrack((2e-3, 8e-3), decay=0.2),
        "detection/ml-is": _backtrack(_DETECTION_STEP),
        "detection/ml-is-p1": _backtrack((1e-4, 4e-4)),
        "detection/kld-is": _backtrack(_DETECTION_STEP),
        "detection/nce": _backtrack(_DETECTION_STEP),
        "detection/nce+": _backtrack((8e-4, 3.2e-3)),
        "detection/dsm": _backtrack(_SHORT_STEP),
        "detection/ml-mcmc-1": _backtrack(_SHORT_STEP),
        "detection/ml-mcmc-4": _backtrack(_SHORT_STEP),
        "detection/ml-mcmc-8": _backtrack(_SHORT_STEP),
        "tracking/atom": RefineConfig(
            algorithm="vanilla", space="default", steps=5, step_length=1.0, decay=1.0
        ),
        "tracking/atom*": _every_step((1e-2, 5e-2)),
        "tracking/atom-ml-is": _every_step((2e-4, 1e-3)),
        "tracking/prdimp": _every_step(2.5e-3),
        "tracking/dimp-kld-is": _every_step(2.5e-3),
        "tracking/dimp-nce": _every_step(2.5e-3),
        "tracking/dimp-nce+": _every_step(2.5e-3),
        "age": _early_stop(3.0),
        "headpose": _early_stop(0.1),
    }
)


def _toy(
    loss: str, *sigmas: float, label_sigma: float | None = None, beta: float | None = None
) -> MethodConfig:
    """A method of the 1D study that draws from a proposal, with the authors' sharing of draws in a batch."""
    return MethodConfig(
        loss=loss,
        target_dim=1,
        num_samples=1024,
        sigmas=tuple((sigma,) for sigma in sigmas),
        label_sigma=None if label_sigma is None else (label_sigma,),
        beta=beta,
        share_across_batch=True,
    )


def _toy_dsm(sigma: float) -> MethodConfig:
    return MethodConfig(loss="dsm", target_dim=1, num_samples=1024, dsm_sigma=sigma)


def _toy_mcmc(steps: int, alpha: float) -> MethodConfig:
    return MethodConfig(
        loss="ml-mcmc", target_dim=1, num_samples=1024, langevin_steps=steps, langevin_alpha=alpha
    )


def _boxes(
    name: str,
    loss: str,
    num_samples: int,
    sigmas: Rows,
    *,
    label_sigma: float | None = None,
    beta: float | None = None,
) -> MethodConfig:
    """A method on boxes that draws from a proposal."""
    return MethodConfig(
        loss=loss,
        target_dim=4,
        layout="box",
        num_samples=num_samples,
        sigmas=sigmas,
        label_sigma=None if label_sigma is None else (label_sigma, label_sigma),
        beta=beta,
        refine=refinements[name],
    )


def _boxes_iou(
    name: str, num_samples: int, sigmas: Rows, criterion: IoUCriterion, *, label: bool
) -> MethodConfig:
    return MethodConfig(
        loss="iou",
        target_dim=4,
        layout="box",
        num_samples=num_samples,
        sigmas=sigmas,
        iou_criterion=criterion,
        iou_label=label,
        refine=refinements[name],
    )


def _boxes_mcmc(steps: int) -> MethodConfig:
    return MethodConfig(
        loss="ml-mcmc",
        target_dim=4,
        layout="box",
        num_samples=128,
        langevin_steps=steps,
        langevin_alpha=1e-5,
        refine=refinements[f"detection/ml-mcmc-{steps}"],
    )


_TOY = {
    "toy1d/ml-is": _toy("ml-is", 0.2, 1.6),
    "toy1d/ml-is-p1": _toy("ml-is", 0.1, 0.8),
    "toy1d/kld-is": _toy("kld-is", 0.2, 1.6, label_sigma=0.025),
    "toy1d/nce": _toy("nce", 0.1, 0.8),
    "toy1d/nce+": replace(_toy("nce+", 0.1, 0.8, beta=0.025), share_across_batch=False),  # eq. 15
    "toy1d/sm": MethodConfig(loss="sm", target_dim=1),
    "toy1d/dsm": _toy_dsm(0.2),
    "toy1d/dsm-2": _toy_dsm(0.075),
    "toy1d/ml-mcmc-1": _toy_mcmc(1, 0.05),
    "toy1d/ml-mcmc-1-2": _toy_mcmc(1, 0.0125),
    "toy1d/ml-mcmc-16": _toy_mcmc(16, 0.05),
    "toy1d/ml-mcmc-16-2": _toy_mcmc(16, 0.0125),
    "toy1d/ml-mcmc-256": _toy_mcmc(256, 0.05),
    "toy1d/ml-mcmc-256-2": _toy_mcmc(256, 0.0125),
}

_DETECTION = {
    "detection/iou-net": MethodConfig(
        loss="iou-pool",
        target_dim=4,
        layout="box",
        num_samples=128,
        iou_criterion="huber",
        refine=refinements["detection/iou-net"],
    ),
    "detection/iou-net*": _boxes_iou("detection/iou-net*", 127, _NARROW, "huber", label=True),
    "detection/ml-is": _boxes("detection/ml-is", "ml-is", 127, _NARROW),
    "detection/ml-is-p1": _boxes("detection/ml-is-p1", "ml-is", 127, _NARROW),
    "detection/kld-is": _boxes("detection/kld-is", "kld-is", 128, _NARROW, label_sigma=0.0225),
    "detection/nce": _boxes("detection/nce", "nce", 127, _WIDE),
    "detection/nce+": _boxes("detection/nce+", "nce+", 127, _WIDE, beta=0.1),
    "detection/dsm": MethodConfig(
        loss="dsm",
        target_dim=4,
        layout="box",
        num_samples=128,
        dsm_sigma=0.075,
        refine=refinements["detection/dsm"],
    ),
    "detection/ml-mcmc-1": _boxes_mcmc(1),
    "detection/ml-mcmc-4": _boxes_mcmc(4),
    "detection/ml-mcmc-8": _boxes_mcmc(8),
}

_TRACKERS = {
    "tracking/atom*": _boxes_iou("tracking/atom*", 128, _TRACKING, "mse", label=False),
    "tracking/atom-ml-is": _boxes("tracking/atom-ml-is", "ml-is", 128, _TRACKING),
    "tracking/prdimp": _boxes("tracking/prdimp", "kld-is", 128, _TRACKING, label_sigma=0.05),
    "tracking/dimp-kld-is": _boxes("tracking/dimp-kld-is", "kld-is", 128, _TRACKING, label_sigma=0.05),
    "tracking/dimp-nce": _boxes("tracking/dimp-nce", "nce", 128, _TRACKING),
    "tracking/dimp-nce+": _boxes("tracking/dimp-nce+", "nce+", 128, _TRACKING, beta=0.1),
}

_FACES = {
    name: MethodConfig(
        loss="ml-is",
        target_dim=dim,
        num_samples=1024,
        sigmas=((narrow,), (wide,)),
        refine=refinements[name],
    )
    for name, dim, narrow, wide in (("age", 1, 0.1, 20.0), ("headpose", 3, 1.0, 20.0))
}

presets: Mapping[str, MethodConfig] = MappingProxyType(_TOY | _DETECTION | _TRACKERS | _FACES)


def preset(name: str) -> MethodConfig:
    """The preset of that name.

    Raises:
        UnknownNameError: (a ValueError) with the nearest names.
    """
    return lookup("preset", name, presets)


def refinement(name: str) -> RefineConfig:
    """How the method of that name predicts; also for IoU-Net and ATOM, which are trained on jittered boxes.

    Raises:
        UnknownNameError: (a ValueError) with the nearest names.
    """
    return lookup("refinement", name, refinements)
