"""The contract of a sampler: a function of a score and starts, as `ebm.samplers.langevin`."""

import math
from typing import Protocol

import torch
from torch import Tensor

from ebm.gradients import ScoreFunction
from ebm.testing.common import SURE, check_randomness, generator_on, promise, require_like

__all__ = ["Sampler", "check_sampler"]

B = 2


class Sampler(Protocol):
    """Draws from ``exp f / Z``, for example ``partial(langevin, steps=50, step_size=0.1)``."""

    def __call__(
        self, score_fn: ScoreFunction, init: Tensor, *, generator: torch.Generator | None = None
    ) -> Tensor:
        """Ends of the chains, ``(B, M, D)``."""


def check_sampler(
    sampler: Sampler,
    *,
    target_dim: int = 2,
    scale: float = 1.0,
    temperature: float = 1.0,
    tolerance: float = 0.02,
    chains: int = 5_000,
    device: str | torch.device = "cpu",
) -> None:
    """See that a sampler draws from a Gaussian when it is given one.

    Ends have the shape, precision and device of the starts, which stay as they were, and come from the
    generator alone; no item's chains depend on another item. Chains that start as draws of the Gaussian end
    as such, with its mean and covariance by a statistical test with a fixed seed, and chains that start far
    from it come nearer.

    Args:
        sampler: called as ``sampler(score_fn, init, generator=generator)``.
        target_dim: D of the Gaussian.
        scale: its standard deviation, in the unit of the sampler's step.
        temperature: the covariance is so many times as large.
        tolerance: bias in mean and covariance that is none, in units of `scale` and its square; an unadjusted
            chain of step a has a^2 / 4.
        chains: for the statistical test.
        device: where to look.

    Raises:
        AssertionError: naming the promise that is not kept.
    """
    case = Case(sampler, target_dim, scale, torch.device(device))
    case.check_shapes()
    check_randomness(case.name, lambda generator: case.run(case.starts(8), generator), case.device)
    case.check_items()
    case.check_stationary(chains, temperature, tolerance)
    case.check_approach(chains)


class Case:
    """A sampler with Gaussians to draw from, one per item."""

    def __init__(self, sampler: Sampler, dim: int, scale: float, device: torch.device) -> None:
        self.sampler, self.dim, self.scale, self.device = sampler, dim, scale, device
        function = getattr(sampler, "func", sampler)  # of a partial
        self.name = f"the sampler {getattr(function, '__name__', type(function).__name__)}"
        self.means = torch.tensor([[[1.0]], [[-0.5]]], dtype=torch.float64, device=device) * scale

    def run(self, init: Tensor, generator: torch.Generator | None = None, *, moved: bool = False) -> Tensor:
        """Ends of the chains; `moved` changes the first item's Gaussian."""
        means = self.means.clone()[: init.shape[0]]
        if moved:
            means[0] += self.scale

        def score(y: Tensor) -> Tensor:
            return -0.5 * ((y - means.to(y)) / self.scale).square().sum(-1)

        return self.sampler(score, init, generator=generator or generator_on(self.device, 6))

    def starts(self, chains: int, dtype: torch.dtype = torch.float64, temperature: float = 1.0) -> Tensor:
        """Draws of the Gaussians, ``(B, chains, D)``."""
        source = generator_on(self.device, 8)
        noise = torch.randn(B, chains, self.dim, dtype=dtype, device=self.device, generator=source)
        return self.means.to(dtype) + math.sqrt(temperature) * self.scale * noise

    def check_shapes(self) -> None:
        """Shapes, precision, device, and starts that stay."""
        for dtype in (torch.float32, torch.float64):
            for rows, chains in ((B, 5), (0, 5)):
                init = self.starts(chains, dtype)[:rows]
                kept = init.clone()
                ends = self.run(init)
                require_like(f"{self.name}: its result", ends, tuple(init.shape), dtype, self.device)
                promise(torch.equal(init, kept), f"{self.name} overwrites its starts: work on a copy.")
                promise(ends.isfinite().all(), f"{self.name}: an end is not finite.")

    def check_items(self) -> None:
        """What one item's score is does not matter to the others."""
        init = self.starts(6)
        ends, moved = self.run(init), self.run(init, moved=True)
        promise(
            not torch.equal(ends[0], moved[0]),
            f"{self.name} does not look at the score: another gives the same.",
        )
        promise(
            torch.equal(ends[1], moved[1]),
            f"{self.name}: the chains of an item depend on another item's score.",
        )

    def check_stationary(self, chains: int, temperature: float, tolerance: float) -> None:
        """Draws of the Gaussian end as draws of it."""
        init = self.starts(chains, temperature=temperature)
        ends = self.run(init)
        promise(not torch.equal(ends, init), f"{self.name} does not move.")
        unit = math.sqrt(temperature)
        z = (ends - self.means) / (self.scale * unit)
        off = z.mean(1).abs().amax().item()
        error = SURE / math.sqrt(chains)
        promise(
            off <= error + tolerance / unit,
            f"{self.name}: its stationary distribution is not the Gaussian: the mean is {off:.3g} standard "
            f"deviations off, and chance and tolerance explain {error + tolerance / unit:.2g}.",
        )
        away = z - z.mean(1, keepdim=True)
        covariance = away.mT @ away / chains
        eye = torch.eye(self.dim, dtype=z.dtype, device=z.device)
        off, error = (covariance - eye).abs().amax().item(), SURE * math.sqrt(2 / chains)
        variance = covariance.diagonal(dim1=-2, dim2=-1).mean().item()
        promise(
            off <= error + tolerance / temperature,
            f"{self.name}: its stationary distribution is not the Gaussian: an entry of the covariance is "
            f"{off:.3g} off (variances are {variance:.3g} times what they should be), and chance and "
            f"tolerance explain {error + tolerance / temperature:.2g}. Look at the step, the noise's factor "
            "and the temperature.",
        )

    def check_approach(self, chains: int) -> None:
        """Far starts come nearer."""
        far = self.starts(chains // 10) + 3 * self.scale
        before, after = ((y.mean(1) - self.means[:, 0]).abs().mean().item() for y in (far, self.run(far)))
        promise(
            after < before,
            f"{self.name}: chains that start 3 standard deviations away do not come nearer: {after:.3g} from "
            f"the mean after, {before:.3g} before.",
        )
