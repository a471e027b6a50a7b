"""Memory and time of the eight losses, beside the same losses written plainly, measured in one run.

Run: ``OMP_NUM_THREADS=1 python benchmarks/losses.py [--device cuda] [--case NAME] [--steps 256]``. Memory is
what sampling and loss allocate in a forward pass, the model's own share left out. The plain versions follow
the released code's description: component densities are multiplied, averaged and only then taken the
logarithm of, the label is concatenated, ``log(exp(a) + sum(exp(b)))`` is written out, Markov chains keep a
graph through the parameters, and the network concatenates features with every candidate.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ebm.losses.base import EnergyLoss
from ebm.losses.modules import build_loss
from ebm.models import EnergyModel
from ebm.nn.toy import ToyEnergyNet
from ebm.proposals import GaussianMixtureProposal

Score = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One workload: B labels of D coordinates with M samples each."""

    batch: int
    samples: int
    dim: int
    sigmas: tuple[float, ...]
    noise: float  # label sigma of KLD-IS, noise sigma of DSM, alpha of ML-MCMC
    repeats: int


CASES = {
    "toy": Case(batch=32, samples=1024, dim=1, sigmas=(0.1, 0.8), noise=0.05, repeats=41),
    "boxes": Case(batch=64, samples=512, dim=4, sigmas=(0.05, 0.5), noise=0.05, repeats=41),
}


class Ledger(TorchDispatchMode):
    """Every tensor memory that is newly allocated within it, in bytes; what happens `aside` is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self._aside = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        known = {t.untyped_storage()._cdata for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        result = func(*args, **kwargs)
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and tensor.untyped_storage()._cdata not in known:
                self.sizes += [tensor.untyped_storage().nbytes()] * (not self._aside)
        return result

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Leave out what is allocated within."""
        self._aside += 1
        try:
            yield
        finally:
            self._aside -= 1


class _Quadratic(torch.autograd.Function):
    """-a |y - c|^2 / 2 whose value and gradient are allocated aside."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, centre: Tensor, a: Tensor, ledger: Ledger) -> Tensor:
        with ledger.aside():
            ctx.save_for_backward(y, centre, a)
            ctx.ledger = ledger
            return -0.5 * a * (y - centre).square().sum(-1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        y, centre, a = ctx.saved_tensors
        with ctx.ledger.aside():
            away = y - centre
            in_y = -a * away * grads[0][..., None]
            return in_y, None, (-0.5 * away.square().sum(-1) * grads[0]).sum(), None


class Quadratic(EnergyModel):
    """The cheapest energy of D coordinates; its features are the centres ``(B, D)``."""

    def __init__(self, target_dim: int, ledger: Ledger) -> None:
        super().__init__()
        self.target_dim, self.ledger = target_dim, ledger
        self.a = nn.Parameter(torch.tensor(1.0))

    def extract(self, x: Tensor) -> Tensor:
        return x

    def score(self, features: Tensor, y: Tensor) -> Tensor:
        return _Quadratic.apply(y, features[:, None], self.a, self.ledger)


def make_loss(name: str, case: Case, steps: int) -> EnergyLoss:
    """One of the eight losses with the settings of a case."""
    if name == "sm":
        return build_loss(name, target_dim=case.dim)
    if name == "dsm":
        return build_loss(name, target_dim=case.dim, num_samples=case.samples, sigma=case.noise)
    if name == "ml-mcmc":
        chain = {"steps": steps, "step_size": case.noise}
        return build_loss(name, target_dim=case.dim, num_samples=case.samples, **chain)
    proposal = GaussianMixtureProposal(case.sigmas, target_dim=case.dim)
    extra = {"kld-is": {"label_sigma": case.noise}, "nce+": {"beta": 0.1}}.get(name, {})
    return build_loss(name, proposal=proposal, num_samples=case.samples, **extra)


def plain_density(e: Tensor, sigmas: Tensor) -> Tensor:
    """Mixture density ``(B, M)`` of offsets ``(B, M, D)``, by products of one-dimensional ones."""
    scaled = e[..., None, :] / sigmas[:, None]
    factors = torch.exp(-0.5 * scaled**2) / (sigmas[:, None] * math.sqrt(2 * math.pi))
    return factors.prod(-1).mean(-1)


def plain_loss(name: str, case: Case, score: Score, y: Tensor, steps: int) -> Tensor:
    """The same loss, written plainly."""
    if name == "sm":
        return plain_score_matching(score, y)
    if name == "dsm":
        noisy = y[:, None] + case.noise * torch.randn(y.shape[0], case.samples, case.dim, device=y.device)
        noisy = noisy.requires_grad_()
        (slope,) = torch.autograd.grad(score(noisy).sum(), noisy, create_graph=True)
        return ((slope + (noisy - y[:, None]) / case.noise**2) ** 2).sum(-1).mean()
    if name == "ml-mcmc":
        return plain_chain_loss(case, score, y, steps)
    sigmas = torch.tensor(case.sigmas, device=y.device)
    component = torch.randint(len(case.sigmas), (y.shape[0], case.samples, 1), device=y.device)
    e = sigmas[component] * torch.randn(y.shape[0], case.samples, case.dim, device=y.device)
    nu = torch.zeros_like(y)[:, None]
    if name == "nce+":
        nu = 0.1 * sigmas[torch.randint(len(case.sigmas), (y.shape[0], 1, 1), device=y.device)]
        nu = nu * torch.randn(y.shape[0], 1, case.dim, device=y.device)
    log_q = plain_density(e, sigmas).log()
    if name == "kld-is":
        f = score(y[:, None] + e)
        weight = plain_density(e, torch.tensor([case.noise], device=y.device)) / log_q.exp()
        return ((f - log_q).exp().mean(1).log() - (weight * f).mean(1)).mean()
    f = score(torch.cat((y[:, None] + nu, y[:, None] + e), 1))
    noise = f[:, 1:] - log_q
    if name == "ml-is":
        return (noise.exp().mean(1).log() - f[:, 0]).mean()
    if name == "cnce":
        return (1 + (f[:, 1:] - f[:, :1]).exp()).log().mean()
    label = f[:, 0] - plain_density(nu, sigmas).log()[:, 0]
    return ((label.exp() + noise.exp().sum(1)).log() - label).mean()


def plain_chain_loss(case: Case, score: Score, y: Tensor, steps: int) -> Tensor:
    """ML-MCMC whose chain builds a graph through the parameters at every step."""
    u = y[:, None].repeat(1, case.samples, 1)
    for _ in range(steps):
        u = u.detach().requires_grad_()
        (slope,) = torch.autograd.grad(score(u).sum(), u, create_graph=True)
        u = u + 0.5 * case.noise**2 * slope + case.noise * torch.randn_like(u)
    return (score(u.detach()).mean(1) - score(y[:, None])[:, 0]).mean()


def plain_score_matching(score: Score, y: Tensor) -> Tensor:
    """Score matching with one second-order pass per dimension."""
    at = y[:, None].detach().requires_grad_()
    (slope,) = torch.autograd.grad(score(at).sum(), at, create_graph=True)
    total = 0.5 * (slope**2).sum(-1)
    for d in range(y.shape[1]):
        total = total + torch.autograd.grad(slope[..., d].sum(), at, create_graph=True)[0][..., d]
    return total.mean()


def plain_network(net: ToyEnergyNet, x: Tensor, y: Tensor) -> Tensor:
    """The network's scores ``(B, M)`` with features and candidates concatenated for every pair."""
    h = net.x_net(x)[:, None].expand(-1, y.shape[1], -1)
    u = torch.cat((h, net.y_net(y)), -1).flatten(0, 1)
    u = nn.functional.linear(u, net.joint[0].weight, net.joint[0].bias).tanh()
    u = net.joint[1](u).tanh() + u
    u = net.joint[2](u).tanh() + u
    return net.joint[3](u).view(y.shape[:2])


def seconds(runs: Sequence[Callable[[], Tensor]], repeats: int, device: torch.device) -> list[float]:
    """Median time of a forward and backward pass of each, taken in turns; on the CPU the core's own time."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(repeats + 2):
        for run, taken in zip(runs, times):
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            start = clock()
            run().backward()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            taken.append(clock() - start)
    return [sorted(taken[2:])[repeats // 2] for taken in times]


def allocated(run: Callable[[Ledger], object], ledger: Ledger, case: Case) -> tuple[float, int]:
    """Bytes per sample, and how many tensors are as large as all candidates together."""
    ledger.sizes.clear()
    with ledger:
        run(ledger)
    whole = 4 * case.batch * case.samples * case.dim
    return sum(ledger.sizes) / (case.batch * case.samples), sum(size >= whole for size in ledger.sizes)


def measure_memory(name: str, case: Case, steps: int, device: torch.device) -> list[tuple[float, int]]:
    """Ours and plain, see `allocated`."""
    ledger = Ledger()
    model = Quadratic(case.dim, ledger).to(device)
    x, y = (torch.randn(case.batch, case.dim, device=device) for _ in range(2))
    loss = make_loss(name, case, steps)
    ours = allocated(lambda _: loss(model, x, y), ledger, case)
    plain = allocated(lambda _: plain_loss(name, case, lambda u: model.score(x, u), y, steps), ledger, case)
    return [ours, plain]


def measure_time(name: str, case: Case, steps: int, device: torch.device) -> list[float]:
    """Seconds of a training step's forward and backward pass, ours and plain."""
    repeats = max(1, case.repeats // max(1, steps // 16)) if name == "ml-mcmc" else case.repeats
    x, y = (torch.randn(case.batch, case.dim, device=device) for _ in range(2))
    loss = make_loss(name, case, steps)
    if case.dim == 1:
        net = ToyEnergyNet().to(device)
        score: Score = lambda u: plain_network(net, x, u)  # noqa: E731
        ours = lambda: loss(net, net.extract(x), y).loss  # noqa: E731
    else:
        model = Quadratic(case.dim, Ledger()).to(device)
        score = lambda u: model.score(x, u)  # noqa: E731
        ours = lambda: loss(model, x, y).loss  # noqa: E731
    plain = lambda: plain_loss(name, case, score, y, steps)  # noqa: E731
    return seconds((ours, plain), repeats, device)


def main(argv: list[str] | None = None) -> None:
    """Print one block per workload."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--case", choices=CASES, action="append", help="default: all")
    parser.add_argument("--steps", type=int, default=16, help="steps of a chain, default 16")
    args = parser.parse_args(argv)
    device = torch.device(args.device)
    for label in args.case or CASES:
        case = CASES[label]
        scored = "the papers' network" if case.dim == 1 else "a quadratic energy"
        print(f"{label}: B = {case.batch}, M = {case.samples}, D = {case.dim}, {scored}, {device}")
        print("  bytes per sample, tensors of B x M x D | the same, plain | ms, plain ms, ratio")
        for name in ("ml-is", "kld-is", "nce", "nce+", "cnce", "ml-mcmc", "sm", "dsm"):
            (size, count), (plain_size, plain_count) = measure_memory(name, case, 1, device)
            ours, plain = measure_time(name, case, args.steps, device)
            title = f"{name} ({args.steps} steps)" if name == "ml-mcmc" else name
            print(f"  {title:20s}{size:8.0f} {count:4d} |{plain_size:8.0f} {plain_count:4d}", end="")
            print(f" |{1e3 * ours:9.2f}{1e3 * plain:9.2f}{ours / plain:7.2f}")


if __name__ == "__main__":
    main()
