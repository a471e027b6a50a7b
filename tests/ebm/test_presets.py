"""Presets against the published tables."""

from dataclasses import replace

import pytest
import torch

from ebm.exceptions import DomainError, UnknownNameError
from ebm.losses.modules import LOSSES
from ebm.predict import refine_boxes
from ebm.presets import MethodConfig, RefineConfig, preset, presets
from ebm.proposals import ZeroNoise


def test_tracking_settings_are_the_published_ones() -> None:
    for method in presets.values():
        assert method.num_samples == 128
        torch.testing.assert_close(method.proposal().sigmas, torch.tensor([[0.05] * 4, [0.5] * 4]))
        assert (method.refine.space, method.refine.steps, method.refine.decay) == ("relative", 10, 1.0)
        assert not method.refine.backtrack
    steps = {name: method.refine.step_length for name, method in presets.items()}
    assert steps.pop("tracking/atom-ml-is") == (2e-4, 1e-3)
    assert set(steps.values()) == {2.5e-3}
    nce_plus = preset("tracking/dimp-nce+")
    assert (nce_plus.beta, nce_plus.beta_mode) == (0.1, "std")
    torch.testing.assert_close(nce_plus.annotation_noise().sigmas, torch.tensor([[0.005] * 4, [0.05] * 4]))
    assert preset("tracking/dimp-kld-is").label_density().sigmas.tolist() == [pytest.approx([0.05] * 4)]


@pytest.mark.parametrize("name", presets)
def test_every_preset_builds_its_loss_and_refines(name: str) -> None:
    method = preset(name)
    loss = method.build_loss(check_finite=False)
    assert isinstance(loss, LOSSES[method.loss])
    drawn = loss.sample(torch.zeros(2, 4), generator=torch.Generator().manual_seed(0))
    assert drawn.y.shape == (2, 128 if method.loss == "kld-is" else 129, 4)
    assert not loss.check_finite
    score = lambda boxes: -(boxes[:, 2].log() - 3).square()  # noqa: E731
    boxes = torch.tensor([[10.0, 10, 30, 40], [12, 9, 32, 41]])
    options = {"space": "relative", "steps": 10, "step_length": method.refine.step_length}
    expected = refine_boxes(score, boxes, **options)
    torch.testing.assert_close(method.refine.refine(score, boxes), expected)


def test_unused_settings_are_refused() -> None:
    with pytest.raises(DomainError, match="'nce' does not use beta"):
        MethodConfig(loss="nce", beta=0.1)
    with pytest.raises(DomainError, match=r"'nce\+' needs beta"):
        MethodConfig(loss="nce+")
    with pytest.raises(DomainError, match="'ml-is' does not use label_sigma"):
        MethodConfig(loss="ml-is", label_sigma=(0.1, 0.1))


def test_variants_are_replacements() -> None:
    assert isinstance(replace(preset("tracking/dimp-nce+"), beta=0.0).annotation_noise(), ZeroNoise)
    assert replace(RefineConfig(), backtrack=True).backtrack
    assert preset("tracking/dimp-nce").annotation_noise() is None
    assert preset("tracking/dimp-nce").label_density() is None


def test_near_names_are_suggested() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'tracking/dimp-nce"):
        preset("dimp-nce+")
