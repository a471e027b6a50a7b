"""Energy-based regression: p(y|x) = exp f(x, y) / Z(x)."""

from typing import TYPE_CHECKING

from ebm.lazy import lazy_names

if TYPE_CHECKING:
    from ebm.baselines.base import Baseline, BaselineEnergy
    from ebm.baselines.build import build_baseline
    from ebm.boxes import box_iou, expand_box_sigmas, rect_to_rel, rel_to_rect
    from ebm.density.grid import GridDensity
    from ebm.density.importance import ImportanceDensity
    from ebm.exceptions import FitInterrupted, PredictionInterrupted
    from ebm.fitting import Censored, FitConfig, FittedEBM, fit, load_fitted
    from ebm.images.fit import fit_images
    from ebm.losses.conditional import CNCELoss
    from ebm.losses.functional import cnce, kld_is, ml_is, ml_mcmc, nce
    from ebm.losses.gradient_losses import DenoisingScoreMatchingLoss, MLMCMCLoss, ScoreMatchingLoss
    from ebm.losses.ltr import (
        CNCERegression,
        KLRegression,
        KLRegressionGrid,
        MLRegression,
        NCERegression,
        sample_box_nce,
    )
    from ebm.losses.modules import KLDISLoss, MLISLoss, NCELoss, NCEPlusLoss, build_loss
    from ebm.losses.score_matching import denoising_score_matching, score_matching
    from ebm.metrics import best_k_mean, grid_kl, mean_absolute_error
    from ebm.models import EnergyModel, FunctionalEnergy
    from ebm.nms import guided_nms
    from ebm.nn import ConditionalEBM, MLPEnergyHead, ToyEnergyNet, ToyEnergyNetP1, ToyGaussianNet
    from ebm.ops.prroi_pool import PrRoIPool2D, prroi_pool2d, prroi_pool_per_image
    from ebm.predict import gradient_ascent, gradient_ascent_early_stop, refine, refine_boxes
    from ebm.presets import preset
    from ebm.proposals import GaussianMixtureProposal, annotation_noise
    from ebm.samplers import importance_resample, langevin

__all__ = [
    "Baseline",
    "BaselineEnergy",
    "CNCELoss",
    "CNCERegression",
    "Censored",
    "ConditionalEBM",
    "DenoisingScoreMatchingLoss",
    "EnergyModel",
    "FitConfig",
    "FitInterrupted",
    "FittedEBM",
    "FunctionalEnergy",
    "GaussianMixtureProposal",
    "GridDensity",
    "ImportanceDensity",
    "KLDISLoss",
    "KLRegression",
    "KLRegressionGrid",
    "MLISLoss",
    "MLMCMCLoss",
    "MLPEnergyHead",
    "MLRegression",
    "NCELoss",
    "NCEPlusLoss",
    "NCERegression",
    "PrRoIPool2D",
    "PredictionInterrupted",
    "ScoreMatchingLoss",
    "ToyEnergyNet",
    "ToyEnergyNetP1",
    "ToyGaussianNet",
    "annotation_noise",
    "best_k_mean",
    "box_iou",
    "build_baseline",
    "build_loss",
    "cnce",
    "denoising_score_matching",
    "expand_box_sigmas",
    "fit",
    "fit_images",
    "gradient_ascent",
    "gradient_ascent_early_stop",
    "grid_kl",
    "guided_nms",
    "importance_resample",
    "kld_is",
    "langevin",
    "load_fitted",
    "mean_absolute_error",
    "ml_is",
    "ml_mcmc",
    "nce",
    "preset",
    "prroi_pool2d",
    "prroi_pool_per_image",
    "rect_to_rel",
    "refine",
    "refine_boxes",
    "rel_to_rect",
    "sample_box_nce",
    "score_matching",
]

_HOME = {
    "ebm.baselines.base": ("Baseline", "BaselineEnergy"),
    "ebm.baselines.build": ("build_baseline",),
    "ebm.boxes": ("box_iou", "expand_box_sigmas", "rect_to_rel", "rel_to_rect"),
    "ebm.density.grid": ("GridDensity",),
    "ebm.density.importance": ("ImportanceDensity",),
    "ebm.exceptions": ("FitInterrupted", "PredictionInterrupted"),
    "ebm.fitting": ("Censored", "FitConfig", "FittedEBM", "fit", "load_fitted"),
    "ebm.images.fit": ("fit_images",),
    "ebm.losses.conditional": ("CNCELoss",),
    "ebm.losses.functional": ("cnce", "kld_is", "ml_is", "ml_mcmc", "nce"),
    "ebm.losses.gradient_losses": ("DenoisingScoreMatchingLoss", "MLMCMCLoss", "ScoreMatchingLoss"),
    "ebm.losses.ltr": (
        "CNCERegression",
        "KLRegression",
        "KLRegressionGrid",
        "MLRegression",
        "NCERegression",
        "sample_box_nce",
    ),
    "ebm.losses.modules": ("KLDISLoss", "MLISLoss", "NCELoss", "NCEPlusLoss", "build_loss"),
    "ebm.losses.score_matching": ("denoising_score_matching", "score_matching"),
    "ebm.metrics": ("best_k_mean", "grid_kl", "mean_absolute_error"),
    "ebm.models": ("EnergyModel", "FunctionalEnergy"),
    "ebm.nms": ("guided_nms",),
    "ebm.nn": ("ConditionalEBM", "MLPEnergyHead", "ToyEnergyNet", "ToyEnergyNetP1", "ToyGaussianNet"),
    "ebm.ops.prroi_pool": ("PrRoIPool2D", "prroi_pool2d", "prroi_pool_per_image"),
    "ebm.predict": ("gradient_ascent", "gradient_ascent_early_stop", "refine", "refine_boxes"),
    "ebm.presets": ("preset",),
    "ebm.proposals": ("GaussianMixtureProposal", "annotation_noise"),
    "ebm.samplers": ("importance_resample", "langevin"),
}
__getattr__, __dir__ = lazy_names(__name__, globals(), _HOME)
