"""Candidate boxes: their law, and log-densities that belong to them."""

import math
from dataclasses import replace

import pytest
import torch

from ebm.boxes import rect_to_rel
from ebm.exceptions import DomainError, ShapeError, UnknownNameError
from ltr.data.proposals import BoxProposals, ProposalConfig

LABELS = torch.tensor([[100.0, 100.0, 80.0, 60.0], [10.0, 200.0, 20.0, 90.0]])
METHODS = ("gmm", "nce", "nce_plus", "cnce")
methods = pytest.mark.parametrize("method", METHODS)


def offsets_of(boxes: torch.Tensor) -> torch.Tensor:
    """Relative offsets ``[I, P, 4]`` of candidates from their labels, computed the long way round."""
    size = LABELS[:, None, 2:]
    return rect_to_rel(boxes, size) - rect_to_rel(LABELS[:, None], size)


def mixture_log_density(offsets: torch.Tensor, pairs: tuple[tuple[float, float], ...]) -> torch.Tensor:
    """The log-density of a mixture from torch's own distributions."""
    parts = []
    for position, size in pairs:
        scale = torch.tensor([position, position, size, size], dtype=torch.float64)
        parts.append(torch.distributions.Normal(0.0, scale).log_prob(offsets.double()).sum(-1))
    return torch.stack(parts).logsumexp(0) - math.log(len(pairs))


@methods
def test_densities_belong_to_the_boxes(method: str, generator: torch.Generator) -> None:
    config = ProposalConfig(method=method, num_samples=64)  # type: ignore[arg-type]
    source = BoxProposals(config)
    drawn = source(LABELS, generator)
    rows = 64 if method == "gmm" else 65
    assert source.rows == rows
    assert drawn.boxes.shape == (2, rows, 4)
    offsets = offsets_of(drawn.boxes)
    expected = mixture_log_density(offsets, config.sigmas).float()
    torch.testing.assert_close(drawn.log_q, expected, rtol=1e-3, atol=1e-3)
    if method == "gmm":
        label = mixture_log_density(offsets, (config.label_sigma,)).float()
        torch.testing.assert_close(drawn.gt_log_density, label, rtol=2e-3, atol=2e-3)
    elif method == "cnce":
        around = LABELS.repeat_interleave(rows, 0)
        candidates = drawn.boxes.flatten(0, 1)
        back = rect_to_rel(around, candidates[:, 2:]) - rect_to_rel(candidates, candidates[:, 2:])
        # Densities over the label's coordinates: a candidate's unit of length is its own size.
        unit = (candidates[:, 2:] / around[:, 2:]).log().sum(-1)
        expected = mixture_log_density(back, config.sigmas).float() - unit
        torch.testing.assert_close(drawn.gt_log_density.flatten(), expected, rtol=1e-3, atol=2e-3)
    else:
        assert not drawn.gt_log_density.any()


def test_published_densities_at_the_label(generator: torch.Generator) -> None:
    drawn = BoxProposals(ProposalConfig(method="nce", num_samples=3))(LABELS, generator)
    torch.testing.assert_close(drawn.boxes[:, 0], LABELS)
    torch.testing.assert_close(drawn.log_q[:, 0].exp(), torch.full((2,), 2026.6266), rtol=1e-4, atol=0.0)


def test_the_perturbed_label_has_the_narrow_noise_and_the_wide_noises_density() -> None:
    source = BoxProposals(ProposalConfig(method="nce_plus", num_samples=1, beta=0.1))
    generator = torch.Generator().manual_seed(3)
    first = torch.stack([offsets_of(source(LABELS, generator).boxes)[:, 0] for _ in range(1500)])
    # Half of the labels move by 0.005 (relative), half by 0.05.
    expected = math.sqrt(0.5 * 0.005**2 + 0.5 * 0.05**2)
    torch.testing.assert_close(first.std((0, 1)), torch.full((4,), expected), rtol=0.08, atol=0.0)
    assert first.mean((0, 1)).abs().max() < 5 * expected / math.sqrt(3000)


@pytest.mark.parametrize(("mode", "factor"), [("std", 0.1), ("variance", math.sqrt(0.1))])
def test_beta_multiplies_what_the_mode_says(mode: str, factor: float) -> None:
    config = ProposalConfig(method="nce_plus", num_samples=1, sigmas=((0.2, 0.2),), beta_mode=mode)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    first = torch.stack([offsets_of(BoxProposals(config)(LABELS, generator).boxes)[:, 0] for _ in range(800)])
    torch.testing.assert_close(first.std().item(), 0.2 * factor, rtol=0.05, atol=0.0)


def test_noise_boxes_follow_the_mixture(generator: torch.Generator) -> None:
    drawn = BoxProposals(ProposalConfig(method="gmm", num_samples=20000))(LABELS, generator)
    offsets = offsets_of(drawn.boxes)
    torch.testing.assert_close(
        offsets.var((0, 1)), torch.full((4,), 0.5 * (0.05**2 + 0.5**2)), rtol=0.05, atol=0.0
    )
    assert (drawn.boxes[..., 2:] > 0).all()


@methods
def test_the_generator_decides(method: str) -> None:
    source = BoxProposals(ProposalConfig(method=method, num_samples=8))  # type: ignore[arg-type]
    drawn = [source(LABELS, torch.Generator().manual_seed(seed)).boxes for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0][:, 1:], drawn[2][:, 1:])


def test_bad_configurations_and_labels() -> None:
    config = ProposalConfig()
    with pytest.raises(UnknownNameError, match="did you mean 'nce'"):
        BoxProposals(replace(config, method="ncee"))  # type: ignore[arg-type]
    with pytest.raises(DomainError, match="num_samples must be at least 1, got 0"):
        BoxProposals(replace(config, num_samples=0))
    with pytest.raises(ShapeError, match=r"\[I, 4\], not \[4\]"):
        BoxProposals(config)(LABELS[0])
    with pytest.raises(DomainError):
        BoxProposals(config)(torch.tensor([[1.0, 2.0, 0.0, 4.0]]))
    with pytest.raises(DomainError):
        BoxProposals(config)(torch.tensor([[1.0, float("nan"), 3.0, 4.0]]))
