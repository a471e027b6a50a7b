"""What few noise samples do to a loss: exact minimisers, and fits with equal settings.

Run: ``OMP_NUM_THREADS=1 python benchmarks/conditional_nce.py minimisers|fits [--seeds 3] [--problems ...]``.

``minimisers`` takes the network out: it minimises the expectation of each loss itself. At M = 1 over every
function of one target, as a table on a grid, both integrals by quadrature; for more samples and targets over
one family that holds the truth, with a large fixed set of draws. ``fits`` trains small networks by `ebm.fit`
with nce+, nce and cnce, all else equal, and compares them with the truth that the rows were drawn from.
"""

import argparse
import itertools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

import ebm
from ebm.losses.functional import cnce, kld_is, ml_is, nce
from ebm.proposals import GaussianMixtureProposal

FIT_SIGMAS = (0.05, 0.3, 1.5)  # of `ebm.fit`, in standard deviations of the target
LABEL_SIGMA = 0.03  # of KLD-IS there
SHARE, MODES, WIDTH = 0.7, 2.0, 0.5  # .7 N(-2, .5^2) + .3 N(2, .5^2)
BIMODAL_SIGMAS = (0.11, 0.66, 3.3)  # 2.2 times as wide; so, nearly, is that target
LOSSES, COUNTS = ("nce", "ml-is", "kld-is", "cnce"), (1, 4, 16, 64, 256)
Energy = Callable[[Tensor], Tensor]  # scores (...) of targets (..., D)


def bimodal(y: Tensor, share: Tensor, width: Tensor) -> Tensor:
    """Log-density of two Gaussians at -2 and 2, up to a constant, ``(..., 1) -> (...)``."""
    left, right = (-0.5 * ((y[..., 0] - c) / width).square() for c in (-MODES, MODES))
    return torch.logaddexp(share.log() + left, torch.log1p(-share) + right) - width.log()


def table_minimiser(log_p: Tensor, y: Tensor, proposal: GaussianMixtureProposal, loss: str) -> Tensor:
    """Density on the grid `y` ``(G,)`` that minimises a loss at M = 1, by Newton's method."""
    p = log_p.softmax(0)
    log_q = proposal.log_prob_offset((y[None] - y[:, None])[..., None])
    weight = p[:, None] * log_q.exp() * (y[1] - y[0])  # of label u and sample v
    extra = proposal.log_prob_at_center() - log_q if loss == "nce" else torch.zeros_like(log_q)
    f = torch.zeros_like(y)
    for _ in range(60):
        logits = f[None] - f[:, None] + extra
        wrong, slope = logits.sigmoid(), logits.sigmoid() * (-logits).sigmoid()
        flow, stiff = weight * wrong, weight * slope
        gradient = flow.sum(0) - flow.sum(1)
        hessian = torch.diag(stiff.sum(0) + stiff.sum(1)) - stiff - stiff.T
        step = torch.linalg.solve(hessian + 1e-13 * torch.eye(len(y), dtype=y.dtype), gradient)
        f = f - step.clamp(-1, 1)
        if step.abs().max() < 1e-9:
            break
    return f.softmax(0)


@dataclass(frozen=True)
class Draws:
    """Labels with M samples each, drawn once: targets ``(N, 1 + M, D)``, log-densities ``(N, 1 + M)``."""

    y: Tensor
    log_q: Tensor
    log_p: Tensor  # of the label density of KLD-IS

    @classmethod
    def around(cls, labels: Tensor, proposal: GaussianMixtureProposal, count: int) -> "Draws":
        """Samples around labels ``(N, D)``."""
        generator = torch.Generator().manual_seed(1000)  # not that of the labels
        drawn = proposal.sample(labels, count, generator=generator, lead=torch.zeros_like(labels))
        narrow = GaussianMixtureProposal([LABEL_SIGMA], target_dim=labels.shape[1])
        return cls(drawn.y, drawn.log_q, narrow.log_prob(drawn.y, labels))

    def loss(self, name: str, energy: Energy) -> Tensor:
        """A loss of these draws, ``()``."""
        f = energy(self.y)
        if name == "cnce":
            return cnce(f)
        if name == "nce":
            return nce(f, self.log_q)
        if name == "ml-is":
            return ml_is(f[:, 0], f[:, 1:], self.log_q[:, 1:])
        return kld_is(f[:, 1:], self.log_q[:, 1:], self.log_p[:, 1:])


def family_minimiser(
    loss: Callable[[Tensor], Tensor], start: Sequence[float], limit: float = 4.0
) -> Tensor | None:
    """Parameters that minimise a loss; None if they run away by more than `limit` nats."""
    theta = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([theta], max_iter=60, tolerance_change=1e-10, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        value = loss(theta)
        value.backward()
        return value

    solver.step(closure)
    away = (theta.detach() - torch.tensor(start, dtype=torch.float64)).abs().max()
    return theta.detach() if away < limit and bool(theta.isfinite().all()) else None


def print_tables_at_one() -> None:
    """Standard deviation and share that M = 1 gives where every function can be learned."""
    y = torch.linspace(-5.5, 5.5, 331, dtype=torch.float64)
    two = bimodal(y[:, None], *torch.tensor([SHARE, WIDTH], dtype=torch.float64))
    print("M = 1, exact over all functions: sd for N(0, 1); share of the left mode for .7/.3")
    for sigmas in ((0.25,), (0.5,), (1.0,), (2.0,), (4.0,), FIT_SIGMAS, BIMODAL_SIGMAS):
        cells = []
        for loss in ("nce", "cnce"):
            proposal = GaussianMixtureProposal(sigmas, target_dim=1)
            p = table_minimiser(-0.5 * y.square(), y, proposal, loss)
            left = table_minimiser(two, y, proposal, loss)[y < 0].sum()
            cells += [f"{loss} sd {(p * y.square()).sum().sqrt():.4f} share {left:.4f}"]
        print(f"  sigma {sigmas!s:20} " + "   ".join(cells), flush=True)


def gaussian_cells(dim: int, count: int, labels: int) -> list[str]:
    """Deviation of the best zero-mean Gaussian for labels from N(0, 1)."""
    rows = max(2000, 4 * labels // (count * dim))
    y = torch.randn(rows, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(dim))
    y = y / y.square().mean().sqrt()
    draws = Draws.around(y, GaussianMixtureProposal(FIT_SIGMAS, target_dim=dim), count)
    cells = []
    for name in LOSSES:
        found = family_minimiser(
            lambda t, n=name: draws.loss(n, lambda u: -0.5 * u.square().sum(-1) * (-2 * t[0]).exp()), [0.0]
        )
        cells += [f"{name} " + ("-    " if found is None else f"{found[0].exp():.3f}")]
    return cells


def bimodal_cells(count: int, labels: int) -> list[str]:
    """Share of the left mode and width of both, relative to the true one."""
    rows = max(2000, 4 * labels // count)
    noise = torch.randn(rows, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = torch.where(torch.arange(rows) < SHARE * rows, -MODES, MODES) + WIDTH * noise
    draws = Draws.around(y[:, None], GaussianMixtureProposal(BIMODAL_SIGMAS, target_dim=1), count)
    start = [math.log(SHARE / (1 - SHARE)), math.log(WIDTH)]
    cells = []
    for name in LOSSES:
        found = family_minimiser(
            lambda t, n=name: draws.loss(n, lambda u: bimodal(u, t[0].sigmoid(), t[1].exp())), start
        )
        shown = "-" if found is None else f"{found[0].sigmoid():.3f} {found[1].exp() / WIDTH:.3f}"
        cells += [f"{name} {shown:11}"]
    return cells


def print_families(labels: int) -> None:
    """Minimisers by M and D within a family that holds the truth."""
    print(f"sd for N(0, 1) within Gaussians, sigmas {FIT_SIGMAS}; '-': runs away")
    for dim, count in itertools.product((1, 2, 4, 8), COUNTS):
        print(f"  D {dim} M {count:3d}  " + "   ".join(gaussian_cells(dim, count, labels)), flush=True)
    print("share of the left mode for .7/.3, width / true width")
    for count in COUNTS:
        print(f"  M {count:3d}  " + "  ".join(bimodal_cells(count, labels)), flush=True)


@dataclass(frozen=True)
class Problem:
    """y = W x + mode + L noise, three inputs; what is drawn can be evaluated."""

    dim: int
    modes: tuple[float, ...] = (0.0,)
    shares: tuple[float, ...] = (1.0,)
    width: float = 0.5

    def mean(self, x: Tensor) -> Tensor:
        """``(N, 3) -> (N, D)``."""
        return x @ torch.linspace(-1, 1, 3 * self.dim).cos().reshape(3, self.dim).to(x)

    def root(self, like: Tensor) -> Tensor:
        """Root of the covariance ``(D, D)``: deviations `width`, correlations 0.5."""
        covariance = 0.5 * torch.ones(self.dim, self.dim) + 0.5 * torch.eye(self.dim)
        return self.width * torch.linalg.cholesky(covariance).to(like)

    def noise(self, count: int, factor: Tensor, generator: torch.Generator) -> Tensor:
        """Deviations from W x ``(count, D)``, the Gaussian part enlarged by `factor` ``(count, 1)``."""
        which = torch.tensor(self.shares).multinomial(count, replacement=True, generator=generator)
        drawn = factor * torch.randn(count, self.dim, generator=generator)
        return torch.tensor(self.modes)[which, None] + drawn @ self.root(drawn).T

    def log_prob(self, e: Tensor, factor: float = 1.0) -> Tensor:
        """Log-density of such deviations, ``(..., D) -> (...)``."""
        root = factor * self.root(e)
        parts = [
            torch.distributions.MultivariateNormal(torch.full((self.dim,), mode), scale_tril=root).log_prob(e)
            + math.log(share)
            for mode, share in zip(self.modes, self.shares)
        ]
        return torch.stack(parts).logsumexp(0)


PROBLEMS = {
    "gaussian": Problem(1),
    "bimodal": Problem(1, (-1.0, 1.0), (SHARE, 1 - SHARE), 0.25),
    "linear-2": Problem(2),
    "linear-4": Problem(4),
}
METHODS: dict[str, tuple[str, dict[str, float]]] = {
    "nce+": ("nce+", {}),
    "nce": ("nce", {}),
    "cnce": ("cnce", {}),
    "cnce, beta 0.025": ("cnce", {"beta": 0.025}),
}


@dataclass(frozen=True)
class Found:
    """A fit beside the truth, on test rows."""

    excess: float  # NLL above the truth's, nats
    coverage: float  # of central 90 % intervals, mean over the targets
    spread: float  # deviation of the density / that of the truth
    left: float  # share of the probability below W x
    seconds: float  # of processor time


def measure(problem: Problem, loss: str, options: dict[str, float], seed: int, rows: int) -> Found:
    """Fit one loss and compare it with the truth on 300 more rows."""
    generator = torch.Generator().manual_seed(1000 + seed)
    x = torch.randn(rows + 300, 3, generator=generator)
    y = problem.mean(x) + problem.noise(len(x), torch.ones(len(x), 1), generator)
    began = time.process_time()
    fitted = ebm.fit(x[:rows], y[:rows], loss=loss, seed=seed, progress=False, **options)
    seconds = time.process_time() - began
    return compare(problem, fitted, x[rows:], y[rows:], generator, seconds)


def compare(
    problem: Problem, fitted: ebm.FittedEBM, x: Tensor, y: Tensor, generator: torch.Generator, seconds: float
) -> Found:
    """Weigh draws around the truth: no grid and no proposal of the fit has a part in it."""
    own, draws = y - problem.mean(x), 3000
    factor = torch.tensor([1.0, 2.0]).repeat_interleave(draws // 2)  # half from the truth, half twice as wide
    e = problem.noise(len(x) * draws, factor.repeat(len(x))[:, None], generator).reshape(len(x), draws, -1)
    log_q = torch.logaddexp(problem.log_prob(e), problem.log_prob(e, 2.0)) - math.log(2)
    with torch.no_grad():
        features = fitted.model.extract(fitted.scaling.inputs(fitted.scaling.rows(x), fitted.device))
        candidates = torch.cat((y[:, None], problem.mean(x)[:, None] + e), 1)
        f = fitted.model.score(features, fitted.scaling.standardised(candidates))
    log_w = f[:, 1:] - log_q
    nll = log_w.logsumexp(1) - math.log(draws) - f[:, 0]
    w = log_w.softmax(1)[..., None]
    rank = (w * (e < own[:, None])).sum(1)
    variance = (w * e.square()).sum(1) - (w * e).sum(1).square()
    modes, shares = np.array(problem.modes), np.array(problem.shares)
    true = problem.width**2 + shares @ modes**2 - (shares @ modes) ** 2
    return Found(
        excess=(nll + problem.log_prob(own)).mean().item(),
        coverage=((rank > 0.05) & (rank < 0.95)).float().mean().item(),
        spread=(variance.mean() / true).sqrt().item(),
        left=(w * (e < 0)).sum(1).mean().item(),
        seconds=seconds,
    )


def print_fits(names: Sequence[str], samples: Sequence[int], seeds: int, rows: int) -> None:
    """One row of markdown per problem, number of samples and loss: means over the seeds and their range."""
    print(
        "| problem | M | loss | NLL above the truth's | 90 % intervals hold | sd / true sd | left | CPU s |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, count, (title, (loss, options)) in itertools.product(names, samples, METHODS.items()):
        budget = {"num_samples": count, "epochs": 60, "patience": 10}
        found = [measure(PROBLEMS[name], loss, budget | options, seed, rows) for seed in range(seeds)]
        excess = [one.excess for one in found]
        mean = {key: np.mean([getattr(one, key) for one in found]) for key in Found.__dataclass_fields__}
        print(
            f"| {name} | {count} | {title} | {mean['excess']:.3f} ({min(excess):.3f} to {max(excess):.3f}) "
            f"| {100 * mean['coverage']:.1f} % | {mean['spread']:.3f} | {mean['left']:.3f} "
            f"| {mean['seconds']:.1f} |",
            flush=True,
        )


def main(argv: Sequence[str] | None = None) -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("minimisers", "fits"))
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=[*PROBLEMS])
    parser.add_argument("--samples", type=int, nargs="+", default=[4, 64], help="M of the fits")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1000, help="rows to fit; 300 more are for the test")
    args = parser.parse_args(argv)
    if args.what == "minimisers":
        print_tables_at_one()
        print_families(labels=60_000)
    else:
        print_fits(args.problems, args.samples, args.seeds, args.rows)


if __name__ == "__main__":
    main()
