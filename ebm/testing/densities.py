"""The contract of a density: `ebm.density.base.Density`, or `ebm.baselines.densities.ParametricDensity`."""

from collections.abc import Callable

import torch
from torch import Tensor

from ebm.baselines.densities import ParametricDensity
from ebm.density.base import Density
from ebm.testing.common import (
    check_randomness,
    generator_on,
    kolmogorov,
    promise,
    require_like,
    require_mass,
)
from ebm.testing.quadrature import KNOTS, integrate

__all__ = ["check_density"]

AnyDensity = Density | ParametricDensity
LEVELS = (0.05, 0.3, 0.5, 0.8, 0.95)
# Shapes of answers after the batch; a parametric density lacks some.
QUESTIONS = {
    "mean": "D",
    "variance": "D",
    "std": "D",
    "mode": "D",
    "covariance": "DD",
    "entropy": "",
    "log_partition": "",
    "effective_sample_size": "",
    "credible_interval": "2",
}


def check_density(
    make: Callable[[Tensor], AnyDensity],
    items: int = 3,
    *,
    tolerance: float = 0.02,
    draws: int = 4_000,
    has_cdf: bool = True,
    device: str | torch.device = "cpu",
) -> None:
    """See that a kind of density keeps what `Density`, or `ParametricDensity`, promises.

    Answers have the right shapes and precision, stay on the device, carry no graph (those of a `Density`),
    and an item's do not depend on the others; there may be no items. The density integrates to 1, mean,
    variance and entropy are those of quadrature (up to two dimensions); `cdf` increases from 0 to 1 and
    `quantile` is its inverse; draws come from the generator alone and follow the density, by a statistical
    test with a fixed seed; ranks of draws are uniform and the credible set holds what it says.

    Args:
        make: the density of the items of these numbers, a long tensor ``(B,)`` with entries below `items`,
            for example ``lambda rows: MyDensity(features[rows])``. B may be 0.
        items: how many there are to choose from, at least 2.
        tolerance: error that is none: of probabilities and entropy, and of mean and variance in units of the
            standard deviation and the variance.
        draws: per item, for the statistical tests.
        has_cdf: whether there are `cdf` and `quantile`.
        device: where to look; `make` gets its numbers there.

    Raises:
        AssertionError: naming the promise that is not kept.
    """
    case = Case(make, items, torch.device(device), tolerance)
    # A parametric density is trained through its answers.
    with torch.set_grad_enabled(isinstance(case.density, Density) and torch.is_grad_enabled()):
        case.check_all(draws, has_cdf)


class Case:
    """A kind of density with some items of it."""

    def __init__(
        self, make: Callable[[Tensor], AnyDensity], items: int, device: torch.device, tolerance: float
    ) -> None:
        self.make, self.items, self.device, self.tolerance = make, items, device, tolerance
        self.density = self.of(range(items))
        self.name, self.dim = f"the density {type(self.density).__name__}", self.density.target_dim
        self.dtype = self.density.mean().dtype

    def of(self, rows: range | list[int]) -> AnyDensity:
        """The density of some items."""
        return self.make(torch.tensor(list(rows), dtype=torch.long, device=self.device))

    def check_all(self, draws: int, has_cdf: bool) -> None:
        """Every promise."""
        self.check_answers()
        check_randomness(self.name, lambda generator: self.density.sample(5, generator), self.device)
        sample = self.density.sample(draws, generator_on(self.device, 9))
        self.check_log_prob(sample)
        self.check_items(sample)
        for item in range(self.items):
            self.check_integrals(item, sample[item])
        if has_cdf:
            self.check_cdf(sample)
        if isinstance(self.density, Density):
            self.check_ranks(self.density, sample)

    def check_answers(self) -> None:
        """Shapes, precision, device, no graph, with and without items."""
        for density, count in ((self.density, self.items), (self.of([]), 0)):
            of = f"{self.name}, for {count} items: "
            promise(density.batch_size == count, f"{of}batch_size must say so, got {density.batch_size}.")
            sizes = {"D": self.dim, "2": 2}
            for question, letters in QUESTIONS.items():
                if not hasattr(density, question):
                    continue
                shape = (count, *(sizes[letter] for letter in letters))
                answer = getattr(density, question)()
                require_like(f"{of}{question}()", answer, shape, self.dtype, self.device)
                promise(answer.isfinite().all(), f"{of}{question}() is not finite.")
            drawn = density.sample(6, generator_on(self.device, 1))
            require_like(f"{of}sample(6)", drawn, (count, 6, self.dim), self.dtype, self.device)
            for places, shape in ((drawn, (count, 6)), (drawn[:, 0], (count,)), (drawn[:, :0], (count, 0))):
                answer = density.log_prob(places)
                require_like(f"{of}log_prob of {tuple(places.shape)}", answer, shape, self.dtype, self.device)

    def check_log_prob(self, sample: Tensor) -> None:
        """Draws have density, all ways to ask agree, and the mode is no less likely than draws."""
        few = sample[:, :8]
        whole = self.density.log_prob(few)
        promise((whole > -torch.inf).all(), f"{self.name}: log_prob of a draw is -inf or NaN.")
        single = torch.stack([self.density.log_prob(few[:, m]) for m in range(8)], 1)
        self.require_near(single, whole, "log_prob of (B, D) and of (B, M, D) must agree")
        changed = few.clone()
        changed[0] = few[0].flip(0)
        self.require_near(
            self.density.log_prob(changed)[1:], whole[1:], "log_prob of an item must not depend on others"
        )
        if isinstance(self.density, Density):  # that of a mixture may be lower: see `ParametricDensity.mode`
            best, found = self.density.log_prob(self.density.mode()), whole.amax(1)
            promise(
                (best >= found - self.tolerance).all(),
                f"{self.name}: mode() is less likely than a draw: {best.tolist()} and {found.tolist()} nats.",
            )

    def check_items(self, sample: Tensor) -> None:
        """The density of an item is the same whatever is beside it."""
        last = self.items - 1
        beside = self.of([last, 0])
        alone = self.of([last])
        for density, row in ((beside, 0), (alone, 0)):
            rule = "of an item must not depend on the items beside it"
            for question in ("mean", "variance"):
                got, wanted = getattr(density, question)()[row], getattr(self.density, question)()[last]
                self.require_near(got, wanted, f"{question}() {rule}")
            got = density.log_prob(sample[[last, 0]][: density.batch_size, :8])[row]
            self.require_near(got, self.density.log_prob(sample[:, :8])[last], f"log_prob {rule}")

    def check_integrals(self, item: int, sample: Tensor) -> None:
        """The integral of the density, its mean, variance and entropy."""
        alone = self.of([item])
        of = f"{self.name}, item {item}: "

        def log_prob(places: Tensor) -> Tensor:
            return alone.log_prob(places[None])[0]

        if self.dim not in KNOTS:
            require_mass(of.rstrip(": "), sample, log_prob, self.tolerance, generator_on(self.device, 4))
            return
        found = integrate(log_prob, sample)
        promise(
            abs(found.total - 1) <= self.tolerance,
            f"{of}log_prob does not integrate to 1: the integral of its exponential is {found.total:.4g}.",
        )
        std, mean, variance = found.variance.sqrt(), alone.mean()[0].double(), alone.variance()[0].double()
        off = ((mean - found.mean) / std).abs().amax().item()
        promise(
            off <= self.tolerance,
            f"{of}mean() is {mean.tolist()}, by quadrature of log_prob {found.mean.tolist()}.",
        )
        off = (variance / found.variance - 1).abs().amax().item()
        promise(
            off <= 2 * self.tolerance,
            f"{of}variance() is {variance.tolist()}, by quadrature of log_prob {found.variance.tolist()}.",
        )
        if isinstance(alone, Density):
            entropy = alone.entropy().item()
            promise(
                abs(entropy - found.entropy) <= self.tolerance,
                f"{of}entropy() is {entropy:.4g}, by quadrature of log_prob {found.entropy:.4g} nats.",
            )
        if self.dim == 1:
            self.compare_cdf(of, alone, found.places[:, 0], found.below)

    def compare_cdf(self, of: str, alone: AnyDensity, places: Tensor, below: Tensor) -> None:
        """The distribution function by quadrature, where the density has one."""
        try:
            gap = (alone.cdf(places[None])[0] - below).abs().amax().item()
        except (NotImplementedError, ValueError):
            return
        promise(gap <= self.tolerance, f"{of}cdf is up to {gap:.3g} off the integral of log_prob.")

    def check_cdf(self, sample: Tensor) -> None:
        """It increases from 0 to 1, `quantile` is its inverse, and draws follow it."""
        levels = torch.tensor(LEVELS, dtype=self.dtype, device=self.device)
        for dim in range(self.dim):
            of = f"{self.name}, coordinate {dim}: "
            low, high = sample[..., dim].amin(1, keepdim=True), sample[..., dim].amax(1, keepdim=True)
            share = torch.linspace(-0.5, 1.5, 200, dtype=self.dtype, device=self.device)
            t = torch.cat(
                (low - 1e4 * (high - low), low + (high - low) * share, high + 1e4 * (high - low)), 1
            )
            below = self.density.cdf(t, dim)
            require_like(f"{of}cdf", below, tuple(t.shape), self.dtype, self.device)
            promise((below.diff(dim=1) >= -1e-6).all(), f"{of}cdf must never decrease.")
            promise(
                (below[:, 0].abs() <= 0.01).all() and ((below[:, -1] - 1).abs() <= 0.01).all(),
                f"{of}cdf must go from 0 to 1, got {below[:, 0].tolist()} to {below[:, -1].tolist()}.",
            )
            places = self.density.quantile(LEVELS, dim)
            require_like(f"{of}quantile", places, (self.items, len(LEVELS)), self.dtype, self.device)
            promise((places.diff(dim=1) >= 0).all(), f"{of}quantile must never decrease.")
            gap = (self.density.cdf(places, dim) - levels).abs().amax().item()
            promise(
                gap <= self.tolerance, f"{of}cdf and quantile are no inverses: {gap:.3g} off in probability."
            )
            self.require_uniform(
                of + "its draws do not follow its cdf", self.density.cdf(sample[..., dim], dim)
            )

    def check_ranks(self, density: Density, sample: Tensor) -> None:
        """Ranks of draws are uniform, and credible sets hold as much as they say."""
        rank = density.highest_density_rank(sample)
        require_like(
            f"{self.name}: highest_density_rank", rank, tuple(sample.shape[:2]), self.dtype, self.device
        )
        self.require_uniform(f"{self.name}: highest_density_rank of its draws is not uniform", rank)
        for level in (0.5, 0.9):
            held = density.credible_set(level).contains(sample).double().mean(1)
            _, chance = kolmogorov(rank[0])
            promise(
                ((held - level).abs() <= chance + self.tolerance).all(),
                f"{self.name}: credible_set({level}) holds {held.tolist()} of the draws.",
            )

    def require_uniform(self, broken: str, u: Tensor) -> None:
        """Kolmogorov's test of ``(B, n)``, item by item."""
        for item, row in enumerate(u):
            gap, chance = kolmogorov(row)
            promise(
                gap <= chance + self.tolerance,
                f"{broken}: in item {item} they are {gap:.3g} apart, and chance explains {chance:.2g}.",
            )

    def require_near(self, got: Tensor, wanted: Tensor, rule: str) -> None:
        """Equal up to rounding."""
        near = torch.allclose(got, wanted, rtol=1e-3, atol=1e-4)
        promise(
            near, f"{self.name}: {rule}, got {got.flatten()[:4].tolist()}, {wanted.flatten()[:4].tolist()}."
        )
