"""DiMP whose box head is trained by noise-contrastive estimation: SuperDiMP's recipe but for the box loss.

Source: Gustafsson et al., BMVC 2020, arXiv:2005.01698, appendix on tracking.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from ebm.losses.ltr import NCERegression

from ..actors.tracking import KLDiMPActor
from ..data.sampler import DiMPSampler
from ..models.loss import LBHinge
from ..models.tracking.dimpnet import dimpnet50
from .backbone import build_network
from .processing import NCEDiMPProcessing, Proposals
from .run import build_loaders, describe, parallel, train
from .sources import joint_transform

__all__ = ["DiMPRecipe", "run_dimp"]

FILTER_SIZE = 4


@dataclass(frozen=True, kw_only=True)
class DiMPRecipe:
    """A DiMP run.

    Attributes:
        preset: method in `ebm.presets` whose proposals are drawn.
        batch_size: sequences per step.
        num_workers: processes that load data.
        epochs: number of epochs.
        train_samples: sequences per epoch.
        validation_samples: sequences per validation.
        max_gap: frames between base and other frames.
        feature_size: cells per side of the classifier's map.
        stride: px per cell.
        search_area: side of the crop in units of the target's.
        box_weight: factor of the box loss.
        backbone_weights: file of ImageNet weights; empty: `resnet50_weights` in local.py, or a download.
    """

    preset: str
    batch_size: int = 20
    num_workers: int = 8
    epochs: int = 50
    train_samples: int = 40_000
    validation_samples: int = 10_000
    max_gap: int = 200
    feature_size: int = 22
    stride: int = 16
    search_area: float = 6.0
    box_weight: float = 0.01
    backbone_weights: str = ""

    @property
    def label_sigma(self) -> float:
        """Width of the classifier's label, relative to the crop."""
        return 0.25 / self.search_area


def run_dimp(settings: Any, recipe: DiMPRecipe) -> None:
    """Train as `recipe` says.

    Args:
        settings: PyTracking's settings object.
        recipe: what to train.
    """
    proposals = Proposals.from_preset(recipe.preset)
    describe(settings, recipe, proposals)
    loaders = build_loaders(
        settings.env,
        recipe,
        DiMPSampler,
        partial(_processing, recipe, proposals),
        flip=True,
        num_test_frames=3,
        num_train_frames=3,
    )
    net = parallel(_network(settings, recipe), settings)
    objective = {"bb_ce": NCERegression(), "test_clf": LBHinge(threshold=0.05)}
    weights = {"bb_ce": recipe.box_weight, "test_clf": 100, "test_init_clf": 100, "test_iter_clf": 400}
    actor = KLDiMPActor(net=net, objective=objective, loss_weight=weights)
    train(settings, recipe, actor, loaders, _groups(net), 2e-4)


def _network(settings: Any, recipe: DiMPRecipe) -> Any:
    return build_network(
        dimpnet50,
        settings,
        50,
        recipe.backbone_weights,
        filter_size=FILTER_SIZE,
        optim_iter=5,
        clf_feat_norm=True,
        clf_feat_blocks=0,
        final_conv=True,
        out_feature_dim=512,
        optim_init_step=0.9,
        optim_init_reg=0.1,
        init_gauss_sigma=recipe.label_sigma * recipe.feature_size,
        num_dist_bins=100,
        bin_displacement=0.1,
        mask_init_factor=3.0,
        target_mask_act="sigmoid",
        score_act="relu",
        frozen_backbone_layers=["conv1", "bn1", "layer1", "layer2"],
    )


def _processing(recipe: DiMPRecipe, proposals: Proposals, transform: Any) -> NCEDiMPProcessing:
    label = {"feature_sz": recipe.feature_size, "sigma_factor": recipe.label_sigma, "kernel_sz": FILTER_SIZE}
    return NCEDiMPProcessing(
        proposals=proposals,
        search_area_factor=recipe.search_area,
        output_sz=recipe.feature_size * recipe.stride,
        center_jitter_factor={"train": 3, "test": 5.5},
        scale_jitter_factor={"train": 0.25, "test": 0.5},
        crop_type="inside_major",
        max_scale_change=1.5,
        mode="sequence",
        label_function_params=label,
        label_density_params=dict(label),
        transform=transform,
        joint_transform=joint_transform(flip=True),
    )


def _groups(net: Any) -> list[dict[str, Any]]:
    """Parameters and learning rates, in SuperDiMP's order."""
    return [
        {"params": net.classifier.filter_initializer.parameters(), "lr": 5e-5},
        {"params": net.classifier.filter_optimizer.parameters(), "lr": 5e-4},
        {"params": net.classifier.feature_extractor.parameters(), "lr": 5e-5},
        {"params": net.bb_regressor.parameters(), "lr": 1e-3},
        {"params": net.feature_extractor.layer3.parameters(), "lr": 2e-5},
    ]
