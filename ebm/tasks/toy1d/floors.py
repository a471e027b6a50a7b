"""How well a method can do at best: the divergence of its objective's optimum from the true density.

NCE+, KLD-IS and DSM learn the density of noisy labels. With unlimited data, samples and capacity they reach
the true density convolved with that noise, and no better; the divergence of that optimum is a floor.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ebm.checks import require_positive
from ebm.tasks.toy1d.evaluation import Truth
from ebm.tasks.toy1d.methods import ToyMethod

__all__ = ["blur", "label_noise", "noise_floor", "population_floor"]

_SMALLEST = 1e-30


def population_floor(method: ToyMethod, truth: Truth) -> float | None:
    """The divergence of the optimum of a method's objective, nats.

    Returns: 0 where the optimum is the true density; None where the objective has no such optimum that the
        method reaches (ML-MCMC with short chains, whose samples are not those of the model).
    """
    if method.loss == "ml-mcmc":
        return None
    sigmas = label_noise(method)
    return noise_floor(truth, sigmas) if sigmas else 0.0


def label_noise(method: ToyMethod) -> tuple[float, ...]:
    """Standard deviations of the label noise, an even mixture, that a method models; empty without any."""
    if method.loss == "kld-is" and method.label_sigma is not None:
        return (method.label_sigma,)
    if method.loss == "dsm" and method.dsm_sigma is not None:
        return (method.dsm_sigma,)
    if method.loss == "nce+" and method.beta:
        scale = method.beta if method.beta_mode == "std" else method.beta**0.5
        return tuple(scale * sigma for sigma in method.sigmas or ())
    return ()


def noise_floor(truth: Truth, sigmas: Sequence[float]) -> float:
    """KL(truth || truth convolved along y with an even mixture of zero-mean Gaussians), nats.

    Args:
        truth: the true density on its grid.
        sigmas: standard deviations of the mixture.

    Raises:
        DomainError: if a standard deviation is not positive.
    """
    blurred = blur(truth, sigmas)
    return float((truth.negative_entropy - (truth.p * blurred.log()).sum(1)).mean())


def blur(truth: Truth, sigmas: Sequence[float]) -> Tensor:
    """The true cell probabilities after the convolution, ``(G, G)``, every row normalised on the grid.

    The noise enters by its exact Fourier transform, so that noise narrower than a cell is no problem; the
    targets are padded with as many empty cells, so that nothing wraps around.

    Raises:
        DomainError: if a standard deviation is not positive.
    """
    require_positive("sigmas", list(sigmas))
    size = len(truth.y)
    step = float(truth.y[1] - truth.y[0])
    frequency = 2 * torch.pi * torch.fft.rfftfreq(2 * size, d=step, dtype=torch.float64)
    transform = torch.stack([(-0.5 * (sigma * frequency).square()).exp() for sigma in sigmas]).mean(0)
    blurred = torch.fft.irfft(torch.fft.rfft(truth.p, n=2 * size) * transform, n=2 * size)[:, :size]
    blurred = blurred.clamp(min=_SMALLEST)
    return blurred / blurred.sum(1, keepdim=True)
