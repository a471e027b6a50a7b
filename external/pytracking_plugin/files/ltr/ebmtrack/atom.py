"""ATOM's box head trained by noise-contrastive estimation: the recipe of `atom_prob_ml` but for the loss.

The paper trains DiMP so; these values for ATOM are its proposals in ATOM's recipe, not published ones.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from ebm.losses.ltr import NCERegression

from ..actors.bbreg import AtomBBKLActor
from ..data.sampler import ATOMSampler
from ..models.bbreg.atom import atom_resnet18
from .backbone import build_network
from .processing import NCEBBregProcessing, Proposals
from .run import build_loaders, describe, parallel, train
from .sources import joint_transform

__all__ = ["ATOMRecipe", "run_atom"]


@dataclass(frozen=True, kw_only=True)
class ATOMRecipe:
    """An ATOM run; the attributes are those of `DiMPRecipe`."""

    preset: str
    batch_size: int = 64
    num_workers: int = 8
    epochs: int = 50
    train_samples: int = 64_000
    validation_samples: int = 32_000
    max_gap: int = 200
    feature_size: int = 18
    stride: int = 16
    search_area: float = 5.0
    backbone_weights: str = ""


def run_atom(settings: Any, recipe: ATOMRecipe) -> None:
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
        ATOMSampler,
        partial(_processing, recipe, proposals),
        flip=False,
    )
    net = parallel(build_network(atom_resnet18, settings, 18, recipe.backbone_weights), settings)
    actor = AtomBBKLActor(net=net, objective=NCERegression())
    groups = [{"params": net.bb_regressor.parameters()}]
    train(settings, recipe, actor, loaders, groups, 1e-3)


def _processing(recipe: ATOMRecipe, proposals: Proposals, transform: Any) -> NCEBBregProcessing:
    return NCEBBregProcessing(
        proposals=proposals,
        search_area_factor=recipe.search_area,
        output_sz=recipe.feature_size * recipe.stride,
        center_jitter_factor={"train": 0, "test": 4.5},
        scale_jitter_factor={"train": 0, "test": 0.5},
        mode="sequence",
        transform=transform,
        joint_transform=joint_transform(flip=False),
    )
