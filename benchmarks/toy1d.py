"""Cost of the 1D study per model and epoch, and its ratio to a plain loop measured in the same run.

Run: ``OMP_NUM_THREADS=1 python benchmarks/toy1d.py [--methods nce ...] [--backend plain]``. The baseline
"plain loop" trains one model at a time, copies the features of an input to each of its candidates,
concatenates both and scores all B x M pairs; Langevin chains keep the graph through the parameters,
as the released code does.
"""

import argparse
import math
import time

import torch
from torch import Tensor, nn

from ebm.tasks.toy1d.data import make_dataset
from ebm.tasks.toy1d.engine import train_ensemble
from ebm.tasks.toy1d.methods import ToyMethod, method

METHODS = ("ml-is", "kld-is", "nce", "nce+", "dsm", "sm", "ml-mcmc-1", "ml-mcmc-16")
BATCH = 32


class PlainNet(nn.Module):
    """`ToyEnergyNet` in the order of operations of a first draft."""

    def __init__(self) -> None:
        super().__init__()
        self.x_net = nn.Sequential(nn.Linear(1, 10), nn.ReLU(), nn.Linear(10, 10), nn.ReLU())
        self.y_net = nn.Sequential(nn.Linear(1, 10), nn.Tanh())
        self.joint = nn.ModuleList(
            [nn.Linear(20, 10), nn.Linear(10, 10), nn.Linear(10, 10), nn.Linear(10, 1)]
        )

    def forward(self, features: Tensor, y: Tensor) -> Tensor:
        """Features ``(B, 10)`` and candidates ``(B, M)`` to scores ``(B, M)``."""
        batch, count = y.shape
        x = features.view(batch, 1, -1).expand(-1, count, -1).reshape(batch * count, -1)
        u = torch.tanh(self.joint[0](torch.cat((x, self.y_net(y.reshape(-1, 1))), 1)))
        u = torch.tanh(self.joint[1](u)) + u
        u = torch.tanh(self.joint[2](u)) + u
        return self.joint[3](u).view(batch, count)


class PlainLoop:
    """One model, one mini-batch at a time, each loss written down as the papers print it."""

    def __init__(self, chosen: ToyMethod, x: Tensor, y: Tensor) -> None:
        self.method, self.x, self.y = chosen, x[:, None], y[:, None]
        self.net = PlainNet()
        self.adam = torch.optim.Adam(self.net.parameters(), lr=1e-3)

    def epoch(self, steps: int | None = None) -> float:
        """Seconds for an epoch, extrapolated from `steps` mini-batches where given."""
        batches = torch.randperm(len(self.x)).split(BATCH)[:steps]
        began = time.perf_counter()
        for rows in batches:
            loss = self.loss(self.net.x_net(self.x[rows]), self.y[rows])
            self.adam.zero_grad()
            loss.backward()
            self.adam.step()
        return (time.perf_counter() - began) / len(batches) * math.ceil(len(self.x) / BATCH)

    def loss(self, features: Tensor, y: Tensor) -> Tensor:
        """Loss of labels ``(B, 1)``."""
        if self.method.loss in ("sm", "dsm"):
            return self.score_matching(features, y)
        if self.method.loss == "ml-mcmc":
            return self.net(features, self.chain(features, y)).mean() - self.net(features, y).mean()
        return self.sampled(features, y)

    def sampled(self, features: Tensor, y: Tensor) -> Tensor:
        """ML-IS, KLD-IS, NCE and NCE+."""
        count, sigmas = self.method.num_samples, torch.tensor(self.method.sigmas)
        offsets = torch.randn(count) * sigmas[torch.randint(len(sigmas), (count,))]
        q = torch.distributions.Normal(torch.zeros(1), sigmas).log_prob(offsets[:, None]).exp().mean(1)
        f = self.net(features, y + offsets)
        if self.method.loss == "kld-is":
            p = torch.distributions.Normal(0.0, self.method.label_sigma).log_prob(offsets).exp()
            return ((f - q.log()).exp().mean(1).log() - (f * (p / q)).mean(1)).mean()
        nu = torch.zeros(1)
        if self.method.beta:
            nu = self.method.beta * torch.randn(1) * sigmas[torch.randint(len(sigmas), (1,))]
        f0 = self.net(features, y + nu)[:, 0]
        if self.method.loss == "ml-is":
            return ((f - q.log()).exp().mean(1).log() - f0).mean()
        q0 = torch.distributions.Normal(torch.zeros(1), sigmas).log_prob(nu[:, None]).exp().mean()
        h0 = f0 - q0.log()
        return (torch.log(h0.exp() + (f - q.log()).exp().sum(1)) - h0).mean()

    def chain(self, features: Tensor, y: Tensor) -> Tensor:
        """Langevin samples ``(B, M)``."""
        alpha = self.method.langevin_alpha or 0.0
        at = y.expand(-1, self.method.num_samples).clone()
        for _ in range(self.method.langevin_steps or 0):
            at.requires_grad_()
            (slope,) = torch.autograd.grad(self.net(features, at).sum(), at, create_graph=True)
            at = (at + 0.5 * alpha**2 * slope + alpha * torch.randn_like(at)).detach()
        return at

    def score_matching(self, features: Tensor, y: Tensor) -> Tensor:
        """SM and DSM."""
        sigma = self.method.dsm_sigma
        noise = torch.randn(len(y), self.method.num_samples) if sigma else torch.zeros(len(y), 1)
        at = (y + (sigma or 0.0) * noise).requires_grad_()
        (slope,) = torch.autograd.grad(self.net(features, at).sum(), at, create_graph=True)
        if sigma:
            return (slope + noise / sigma).square().mean()
        (curvature,) = torch.autograd.grad(slope.sum(), at, create_graph=True)
        return (curvature + 0.5 * slope.square()).mean()


def ours(chosen: ToyMethod, x: Tensor, y: Tensor, seeds: int, backend: str) -> float:
    """Seconds per model and epoch of the study's engine on one thread."""
    began = time.perf_counter()
    train_ensemble(chosen, x, y, seeds=range(seeds), epochs=1, threads=1, backend=backend)  # type: ignore[arg-type]
    return (time.perf_counter() - began) / seeds


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--samples", type=int, help="M; the published number where left out")
    parser.add_argument("--models", type=int, default=20, help="networks trained together (default 20)")
    parser.add_argument("--backend", default="auto", choices=("auto", "plain", "fused"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = make_dataset(1)
    print(
        f"1 thread, backend {args.backend}, seconds per model and epoch of 2000 pairs, {args.models} models"
    )
    print(f"{'method':<12} {'M':>5} {'plain loop':>11} {'ours':>8} {'ratio':>6}")
    for name in args.methods:
        chosen = method(name, num_samples=None if name == "sm" else args.samples)
        few = 4 if chosen.loss == "ml-mcmc" and (chosen.langevin_steps or 0) > 8 else None
        models = 1 if few else args.models
        loop = PlainLoop(chosen, data.x, data.y)
        loop.epoch(2)
        ours(chosen, data.x[:64], data.y[:64], 1, args.backend)
        before, own = loop.epoch(few), ours(chosen, data.x, data.y, models, args.backend)
        plain = min(before, loop.epoch(few))  # around ours, so that neither has the quieter machine
        print(
            f"{name:<12} {chosen.num_samples:>5} {plain:>11.3f} {own:>8.3f} {own / plain:>6.2f}", flush=True
        )


if __name__ == "__main__":
    main()
