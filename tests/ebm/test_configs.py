"""Configurations: what they build, and what they refuse."""

from dataclasses import replace

import pytest
import torch

from ebm.baselines.iou import IoULoss
from ebm.box_ascent import refine_boxes
from ebm.configs import MethodConfig, RefineConfig, box_pair
from ebm.exceptions import DomainError, ShapeError, UnknownNameError
from ebm.losses.conditional import CNCELoss
from ebm.losses.gradient_losses import DenoisingScoreMatchingLoss, MLMCMCLoss
from ebm.losses.modules import LOSSES, NCEPlusLoss
from ebm.models import FunctionalEnergy
from ebm.predict import gradient_ascent_early_stop, refine
from ebm.presets import preset, presets, refinement, refinements
from ebm.proposals import ZeroNoise


@pytest.mark.parametrize("name", presets)
def test_every_preset_builds_its_loss_and_trains(name: str) -> None:
    method = replace(preset(name), num_samples=min(preset(name).num_samples, 16))
    if method.langevin_steps:
        method = replace(method, langevin_steps=2)
    loss = method.build_loss(check_finite=False)
    assert isinstance(loss, LOSSES.get(method.loss, IoULoss))
    assert not loss.check_finite
    scale = torch.nn.Parameter(torch.ones(()))
    model = FunctionalEnergy(lambda x, y: -scale * (y - x[:, None]).square().sum(-1), method.target_dim)
    y = torch.zeros(3, method.target_dim)
    out = loss(model, y + 0.1, y, generator=torch.Generator().manual_seed(0))
    out.loss.backward()
    assert scale.grad.isfinite()
    assert scale.grad != 0


def test_arguments_reach_the_losses() -> None:
    chains = preset("toy1d/ml-mcmc-16-2").build_loss()
    assert isinstance(chains, MLMCMCLoss)
    assert (chains.num_samples, chains.steps, chains.target_dim) == (1024, 16, 1)
    noised = preset("detection/dsm").build_loss()
    assert isinstance(noised, DenoisingScoreMatchingLoss)
    assert (noised.num_samples, noised.target_dim) == (128, 4)
    perturbed = preset("toy1d/nce+").build_loss()
    assert isinstance(perturbed, NCEPlusLoss)
    assert not perturbed.share_across_batch
    assert preset("toy1d/nce+").build_loss(share_across_batch=True).share_across_batch
    torch.testing.assert_close(perturbed.noise.sigmas, torch.tensor([[0.0025], [0.02]]))
    labelled = preset("toy1d/kld-is").build_loss()
    torch.testing.assert_close(labelled.label_density.sigmas, torch.tensor([[0.025]]))
    uneven = replace(preset("detection/kld-is"), label_sigma=(0.01, 0.02))
    torch.testing.assert_close(
        uneven.build_loss().label_density.sigmas, torch.tensor([[0.01, 0.01, 0.02, 0.02]])
    )
    torch.testing.assert_close(uneven.label_density().sigmas, torch.tensor([[0.01, 0.01, 0.02, 0.02]]))
    torch.testing.assert_close(preset("headpose").proposal().sigmas, torch.tensor([[1.0] * 3, [20.0] * 3]))
    drawn = preset("tracking/dimp-nce").build_loss().sample(torch.zeros(2, 4))
    assert drawn.y.shape == (2, 129, 4)
    drawn = preset("detection/ml-is").build_loss().sample(torch.zeros(2, 4))
    assert drawn.y.shape == (2, 128, 4)


@pytest.mark.parametrize("name", [name for name in refinements if "/" in name])
def test_refinements_of_boxes_refine_boxes(name: str) -> None:
    config = refinement(name)
    score = lambda boxes: -(boxes[:, 2].log() - 3).square()  # noqa: E731
    boxes = torch.tensor([[10.0, 10, 30, 40], [12, 9, 32, 41]])
    expected = refine_boxes(
        score,
        boxes,
        space="default" if name in ("detection/iou-net", "tracking/atom") else "relative",
        steps=5 if name == "tracking/atom" else 10,
        step_length=config.step_length,
        decay=1.0 if name.startswith("tracking/") else config.decay,
        backtrack=name.startswith("detection/"),
    )
    torch.testing.assert_close(config.refine(score, boxes), expected)
    with pytest.raises(DomainError, match="is for boxes"):
        config.options()


@pytest.mark.parametrize("name", ["age", "headpose"])
def test_refinements_of_faces_stop_early(name: str) -> None:
    config, dim = refinement(name), preset(name).target_dim
    model = FunctionalEnergy(lambda x, y: -0.02 * (y - x[:, None]).square().sum(-1), dim)
    x, start = torch.full((2, dim), 30.0), torch.tensor([[25.0] * dim, [40.0] * dim])
    expected = gradient_ascent_early_stop(
        lambda y: model.score(x, y), start[:, None], steps=5, step_length=config.step_length
    )
    result = refine(model, x, start, **config.options())
    torch.testing.assert_close(result.y, expected.y[:, 0])
    with pytest.raises(DomainError, match="not for boxes"):
        config.refine(lambda boxes: boxes.sum(-1), torch.ones(1, 4))


PLAIN = {"target_dim": 1, "num_samples": 8, "sigmas": ((0.1,),)}


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"loss": "nce", "beta": 0.1},
            DomainError,
            r"'nce' does not use beta.* to 'nce\+', 'cnce'",
        ),
        ({"loss": "cnce", "beta_mode": "variance"}, DomainError, "but there is no beta"),
        ({"loss": "cnce", "label_sigma": (0.1,)}, DomainError, "'cnce' does not use label_sigma"),
        ({"loss": "nce+"}, DomainError, r"'nce\+' needs beta"),
        ({"loss": "nce+", "beta": 0.1, "num_samples": 0}, DomainError, "needs num_samples"),
        ({"loss": "nce", "sigmas": ()}, DomainError, "needs sigmas"),
        ({"loss": "nce", "beta_mode": "variance"}, DomainError, "does not use beta_mode='variance'"),
        ({"loss": "ml-is", "label_sigma": (0.1,)}, DomainError, "'ml-is' does not use label_sigma"),
        ({"loss": "sm"}, DomainError, "'sm' does not use num_samples; it belongs to 'ml-is'"),
        ({"loss": "dsm", "sigmas": (), "dsm_sigma": None}, DomainError, "'dsm' needs dsm_sigma"),
        ({"loss": "dsm", "dsm_sigma": 0.1}, DomainError, "'dsm' does not use sigmas"),
        (
            {"loss": "dsm", "dsm_sigma": 0.1, "sigmas": (), "share_across_batch": True},
            DomainError,
            "does not use share_across_batch",
        ),
        ({"loss": "ml-is", "iou_label": True}, DomainError, "iou_label; it belongs to 'iou'"),
        ({"loss": "ml-mcmc", "sigmas": (), "langevin_alpha": 0.1}, DomainError, "needs langevin_steps"),
        ({"loss": "ml-is", "dsm_sigma": 0.0}, DomainError, "does not use dsm_sigma"),
        ({"loss": "ncee"}, UnknownNameError, "did you mean 'nce'"),
        ({"loss": "nce", "layout": "box"}, ShapeError, "target_dim = 4, got 1"),
        ({"loss": "nce", "layout": "box", "target_dim": 4}, ShapeError, r"pair of widths, got \(0.1,\)"),
    ],
)
def test_settings_a_method_does_not_use_are_refused(settings: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        MethodConfig(**PLAIN | settings)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"algorithm": "s2", "decay": 0.5},
            DomainError,
            "'s2' does not use decay; it belongs to 's1', 'vanilla'",
        ),
        ({"algorithm": "s1"}, DomainError, "'s1' needs decay"),
        ({"algorithm": "s1", "decay": 0.5, "tol_improve": 0.1}, DomainError, "does not use tol_improve"),
        ({"algorithm": "s2", "tol_improve": 0.1}, DomainError, "'s2' needs tol_degenerate"),
        (
            {"algorithm": "s2", "tol_improve": 0.1, "tol_degenerate": 0.0, "space": "relative"},
            DomainError,
            "'s2' refines in space 'target'",
        ),
        ({"algorithm": "s1", "decay": 0.5, "step_length": (1.0, 2.0)}, DomainError, "for boxes alone"),
        ({"algorithm": "s3"}, UnknownNameError, "algorithm 's3'"),
        ({"algorithm": "s1", "decay": 0.5, "space": "box"}, UnknownNameError, "space 'box'"),
    ],
)
def test_settings_a_refinement_does_not_use_are_refused(settings: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        RefineConfig(**{"space": "target", "step_length": 0.1} | settings)


def test_variants_are_replacements() -> None:
    assert isinstance(replace(preset("tracking/dimp-nce+"), beta=0.0).annotation_noise(), ZeroNoise)
    wider = replace(preset("toy1d/nce+"), beta_mode="variance")
    torch.testing.assert_close(wider.annotation_noise().sigmas, torch.tensor([[0.015811], [0.126491]]))
    assert preset("tracking/dimp-nce").annotation_noise() is None
    assert preset("tracking/dimp-nce").label_density() is None


def test_conditional_nce_takes_the_settings_of_nce_and_beta_where_wanted() -> None:
    published = preset("tracking/dimp-nce")
    loss = replace(published, loss="cnce").build_loss()
    assert isinstance(loss, CNCELoss)
    assert loss.noise.symmetric
    assert loss.num_samples == published.num_samples
    noisy = replace(published, loss="cnce", beta=0.1)
    torch.testing.assert_close(noisy.build_loss().noise.sigmas, noisy.annotation_noise().sigmas)
    assert replace(refinement("tracking/prdimp"), algorithm="s1", decay=0.5).steps == 10
    with pytest.raises(DomainError, match="'sm' has no proposal"):
        preset("toy1d/sm").proposal()
    with pytest.raises(ShapeError, match="pair of widths"):
        box_pair((0.1, 0.2, 0.3))
