"""Coverage and width of 90 % intervals by the number of targets, on truths that are known.

    OMP_NUM_THREADS=1 python benchmarks/several_targets.py [--truth linear] [--dims 1 2 3 4 6 8] [--model M]

Every D is measured twice: with the truth's own energy in place of a network, which shows what is due to the
computation of the density, and with `ebm.fit`, which adds what is due to the fit. The baseline of every width
and negative log-likelihood is the truth's own. Coverage and width are means over targets and test rows, one
interval per target; a ratio of 1 and 90 % are ideal.
"""

import argparse
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

import ebm
from ebm.fitting.config import FitConfig
from ebm.fitting.data import Scaling, measure
from ebm.fitting.loop import History
from ebm.models import EnergyModel

LEVEL = 0.9
INPUTS = 4
NOISE = 0.5
CORRELATION = 0.5
# The bimodal truth: two branches, this far to either side of the middle in every target, not equally likely.
BRANCH, SHARE, NARROW = 0.8, 0.7, 0.25


@dataclass(frozen=True)
class Truth:
    """y = W x + branch + Gaussian noise, with one branch or two."""

    slope: Tensor  # (D, INPUTS)
    covariance: Tensor  # of the noise, (D, D)
    branches: Tensor  # (K, D)
    shares: Tensor  # (K,)

    @classmethod
    def named(cls, name: str, dim: int) -> "Truth":
        """The truth called "linear" or "bimodal"."""
        generator = torch.Generator().manual_seed(dim)
        slope = torch.randn(dim, INPUTS, generator=generator).double() / math.sqrt(INPUTS)
        near = torch.arange(dim)
        correlation = CORRELATION ** (near[:, None] - near).abs().double()
        if name == "linear":
            return cls(slope, NOISE**2 * correlation, torch.zeros(1, dim).double(), torch.ones(1).double())
        branches = BRANCH * torch.stack((torch.ones(dim), -torch.ones(dim))).double()
        shares = torch.tensor([SHARE, 1 - SHARE]).double()
        return cls(0.5 * slope, NARROW**2 * correlation, branches, shares)

    def rows(self, count: int, seed: int) -> tuple[Tensor, Tensor]:
        """Inputs ``(N, INPUTS)`` and targets ``(N, D)``."""
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(count, INPUTS, generator=generator).double()
        branch = torch.multinomial(self.shares, count, replacement=True, generator=generator)
        noise = torch.randn(count, len(self.slope), generator=generator).double()
        factor = torch.linalg.cholesky(self.covariance)
        return x, x @ self.slope.T + self.branches[branch] + noise @ factor.T

    def log_prob(self, x: Tensor, y: Tensor) -> Tensor:
        """``(B, INPUTS)`` and ``(B, M, D)`` to ``(B, M)``."""
        away = (y - (x @ self.slope.T)[:, None])[:, :, None] - self.branches
        zero = torch.zeros(len(self.slope), dtype=y.dtype)
        noise = torch.distributions.MultivariateNormal(zero, self.covariance, validate_args=False)
        return (noise.log_prob(away) + self.shares.log()).logsumexp(-1)

    def width(self) -> float:
        """Of the equal-tailed interval of one target; all targets have the same."""
        line = torch.linspace(-6, 6, 100_001).double()
        scale = self.covariance[0, 0].sqrt()
        cdf = (torch.special.ndtr((line[:, None] - self.branches[:, 0]) / scale) * self.shares).sum(1)
        low, high = np.interp([0.5 * (1 - LEVEL), 0.5 * (1 + LEVEL)], cdf, line)
        return float(high - low)


class TrueEnergy(EnergyModel):
    """The truth over standardised targets; its features are raw inputs, its scores off by a constant."""

    def __init__(self, truth: Truth, scaling: Scaling) -> None:
        super().__init__()
        self.truth, self.scaling, self.target_dim = truth, scaling, len(truth.slope)
        self.nothing = nn.Parameter(torch.zeros(()))

    def extract(self, x: Tensor) -> Tensor:
        """Raw inputs of standardised ones."""
        return x.double() * self.scaling.x_scale + self.scaling.x_mean

    def score(self, features: Tensor, y: Tensor) -> Tensor:
        """See `EnergyModel.score`."""
        return self.truth.log_prob(features, self.scaling.raw(y.double())).float() + 3 + 0 * self.nothing


def known(truth: Truth, x: Tensor, y: Tensor) -> ebm.FittedEBM:
    """A fitted density whose network is the truth."""
    scaling = measure(x, y, flat=False)
    history = History(train_loss=(), held_out_nll=(), best_epoch=0, seconds=0.0)
    return ebm.FittedEBM(TrueEnergy(truth, scaling), scaling, FitConfig(), {}, history)


def row(label: str, dim: int, truth: Truth, make: Callable[[], ebm.FittedEBM], count: int) -> str:
    """One line of the table."""
    x, y = truth.rows(count, seed=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.process_time()
        fitted = make()
        fit_seconds = time.process_time() - start
        start = time.process_time()
        low, high = fitted.predict_interval(x, LEVEL).unbind(-1)
        seconds = time.process_time() - start
        nll = -fitted.log_prob(x, y).cpu()
    told_of = " ".join(sorted({warning.category.__name__ for warning in caught}))
    inside = ((low <= y) & (y <= high)).double().mean().item()
    width = (high - low).mean().item() / truth.width()
    ideal = -truth.log_prob(x, y[:, None])[:, 0].mean().item()
    told = fitted.history.held_out_nll[fitted.history.best_epoch] if fitted.history.held_out_nll else math.nan
    mean, error = nll.mean().item(), nll.std().item() / math.sqrt(count)
    return (
        f"{dim:>2}  {label:<6} {inside:8.1%} {width:7.2f}  {told:8.3f} {mean:8.3f} +- {error:.3f}"
        f" {ideal:8.3f}  {fit_seconds:7.1f} {1000 * seconds / count:10.1f}  {told_of}"
    )


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--truth", choices=("linear", "bimodal"), default="linear")
    parser.add_argument("--dims", type=int, nargs="+", default=[1, 2, 3, 4, 6, 8])
    parser.add_argument(
        "--model", default=None, help="of ebm.fit, such as mdn-4+energy; its default likewise"
    )
    parser.add_argument("--members", type=int, default=None)
    parser.add_argument("--loss", default=None, help="of ebm.fit; its default where not given")
    parser.add_argument("--num-samples", type=int, default=None, help="of the loss; its default likewise")
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--test-rows", type=int, default=1000)
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--known-only", action="store_true", help="leave the fits out")
    only.add_argument("--fitted-only", action="store_true", help="leave the known energies out")
    args = parser.parse_args(argv)
    names = ("loss", "num_samples", "model", "members")
    options = {name: getattr(args, name) for name in names}
    options = {name: value for name, value in options.items() if value is not None}
    print(
        f"{args.truth} truth, {args.rows} rows, {args.test_rows} test rows, {LEVEL:.0%} intervals; ", end=""
    )
    print("NLL in nats; CPU s, and ms per row")
    print(" D  energy coverage   width  held-out          test NLL    truth    fit s predict ms  warnings")
    for dim in args.dims:
        truth = Truth.named(args.truth, dim)
        x, y = truth.rows(args.rows, seed=0)
        makers = {} if args.fitted_only else {"known": lambda: known(truth, x, y)}  # noqa: B023
        if not args.known_only:
            makers["fitted"] = lambda: ebm.fit(x, y, progress=False, **options)  # noqa: B023
        for label, make in makers.items():
            print(row(label, dim, truth, make, args.test_rows), flush=True)


if __name__ == "__main__":
    main()
