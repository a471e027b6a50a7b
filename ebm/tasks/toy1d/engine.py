"""Training of the 1D study: many initialisations of one network as one job.

All seeds see the same training set; each has its own generator for initialisation, shuffling and noise, so
that a seed's result does not depend on which others are trained beside it.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ebm.checks import require_count, require_finite
from ebm.exceptions import DomainError, ShapeError
from ebm.lookup import unknown_name
from ebm.nn import ToyEnergyNet
from ebm.tasks.toy1d.batched import BatchedSteps, Comparison, Layers
from ebm.tasks.toy1d.draws import CandidateTable, Draws
from ebm.tasks.toy1d.fused import FusedSteps, fused_unavailable
from ebm.tasks.toy1d.methods import ToyMethod
from ebm.tasks.toy1d.optimisation import PUBLISHED, Optimisation

__all__ = ["Backend", "Ensemble", "train_ensemble"]

Backend = Literal["auto", "plain", "fused"]

# Normal numbers drawn at once for Langevin chains: 8 MB, however long the chains are.
_CHAIN_NOISE = 2**21
# Inputs per pass when a grid is scored, so that a pass stays in the processor's cache.
_GRID_ROWS = 16


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """Trained networks.

    Attributes:
        seeds: one per network.
        weights: ``(S, 591)``, the parameters of `ToyEnergyNet` in order.
        losses: mean loss of the last epoch, ``(S,)`` float64.
    """

    seeds: tuple[int, ...]
    weights: Tensor
    losses: Tensor

    @torch.no_grad()
    def scores_of(self, index: int, x: Tensor, y: Tensor) -> Tensor:
        """f of network `index` on all pairs of inputs ``(X,)`` and targets ``(Y,)``, ``(X, Y)``.

        The y-branch is evaluated once per target and the x-branch once per input.
        """
        layers = Layers.of(self.weights[index : index + 1].to(x.device))
        part = layers.x_part(x[None])[0]
        g = torch.tanh(y[:, None] * layers.y[0].T + layers.y_bias[0]) @ layers.joint0[0, :, 10:].T
        rows = [_tail(layers, part[i : i + _GRID_ROWS, None] + g) for i in range(0, len(x), _GRID_ROWS)]
        return torch.cat(rows) if rows else x.new_zeros(0, len(y))

    def network(self, index: int) -> ToyEnergyNet:
        """Network `index` as a module."""
        net = ToyEnergyNet()
        torch.nn.utils.vector_to_parameters(self.weights[index].cpu().clone(), net.parameters())
        return net


def _tail(layers: Layers, z: Tensor) -> Tensor:
    """f from the first joint layer's sums ``(..., 10)``."""
    u = z.tanh_()
    for weight, bias in ((layers.joint1, layers.joint1_bias), (layers.joint2, layers.joint2_bias)):
        u = torch.nn.functional.linear(u, weight[0], bias[0]).tanh_().add_(u)
    return torch.nn.functional.linear(u, layers.out[0], layers.out_bias[0])[..., 0]


def train_ensemble(
    method: ToyMethod,
    x: Tensor,
    y: Tensor,
    *,
    seeds: Sequence[int],
    epochs: int = 75,
    batch_size: int = 32,
    optimisation: Optimisation = PUBLISHED,
    device: torch.device | str = "cpu",
    threads: int | None = None,
    on_epoch: Callable[[int, Tensor], None] | None = None,
    backend: Backend = "auto",
) -> Ensemble:
    """Train one `ToyEnergyNet` per seed.

    Args:
        method: loss and its settings.
        x: inputs ``(N,)``.
        y: targets ``(N,)``.
        seeds: one per network, at least one.
        epochs: passes over the data.
        batch_size: B; a smaller last batch is kept.
        optimisation: first weights, optimiser, learning rate.
        device: where to train.
        threads: networks trained at the same time on a CPU; None is torch's number of threads.
        on_epoch: called after every epoch with its number from 1 and the mean loss of every seed ``(S,)``.
        backend: ``"fused"`` (C, CPU only), ``"plain"`` (tensor operations), or what is there.

    Raises:
        DomainError: if a number or the data are out of their domain.
        ShapeError: if `x` and `y` are not ``(N,)``.
        UnknownNameError: if there is no such backend.
        InputError: if the fused backend is asked for and cannot be had.

    A network that leaves the finite numbers stays there and does not stop the others.

    Source: Gustafsson et al., BMVC 2020, appendix B.4 and the released scripts.
    """
    _require_data(x, y, seeds, epochs, batch_size)
    device = torch.device(device)
    steps = _steps(backend, device)
    data = torch.stack((x, y)).to(device, torch.float32)
    together = (
        device.type != "cpu" or method.loss == "sm"
    )  # second derivatives at labels: tiny, hence batched
    groups = [list(seeds)] if together else [[seed] for seed in seeds]
    runs = [_Run(method, data, group, batch_size, optimisation, steps) for group in groups]
    losses = torch.zeros(len(seeds), dtype=torch.float64)
    with ThreadPoolExecutor(threads or torch.get_num_threads()) as pool:
        for epoch in range(1, epochs + 1):
            rate = optimisation.rate((epoch - 1) / epochs)
            losses = torch.cat(list(pool.map(lambda run: run.epoch(rate), runs)))  # noqa: B023
            if on_epoch is not None:
                on_epoch(epoch, losses)
    weights = torch.cat([run.weights for run in runs]).cpu()
    return Ensemble(seeds=tuple(seeds), weights=weights, losses=losses)


class _Run:
    """Some seeds that take their steps together."""

    def __init__(
        self,
        method: ToyMethod,
        data: Tensor,
        seeds: Sequence[int],
        batch_size: int,
        optimisation: Optimisation,
        steps: BatchedSteps,
    ) -> None:
        self.method, self.data, self.batch_size, self.steps = method, data, batch_size, steps
        self.generators = [torch.Generator(data.device).manual_seed(seed) for seed in seeds]
        self.weights = torch.stack([optimisation.first_weights(seed) for seed in seeds]).to(data.device)
        self.optimiser = optimisation.optimise(self.weights)
        self.draws = Draws(method) if method.sigmas is not None else None

    def epoch(self, rate: float) -> Tensor:
        """One pass over the data at a learning rate; mean loss per seed ``(S,)`` on the CPU."""
        self.optimiser.param_groups[0]["lr"] = rate
        total = torch.zeros(len(self.generators), dtype=torch.float64, device=self.data.device)
        count = self.data.shape[1]
        order = self._per_seed(lambda g: torch.randperm(count, generator=g, device=self.data.device))
        shuffled = self.data[:, order]  # (2, S, N)
        tables = self._tables(-(-count // self.batch_size))
        for start in range(0, count, self.batch_size):
            x, y = shuffled[..., start : start + self.batch_size].contiguous().unbind()
            loss, gradient = self._step(x, y, next(tables))
            self.weights.grad = gradient
            self.optimiser.step()
            total += loss * (x.shape[1] / count)
        return total.cpu()

    def _step(self, x: Tensor, y: Tensor, table: CandidateTable | None) -> tuple[Tensor, Tensor]:
        """Losses ``(S,)`` and gradients of one mini-batch ``(S, B)``."""
        if table is not None:
            rows = slice(None, y.shape[1] if table.offsets.shape[1] > 1 else 1)
            log_q, coefficient = table.log_q[:, rows], table.coefficient[:, rows]
            candidates = y[..., None] + table.offsets[:, rows]
            how: Comparison = "pairs" if self.method.loss == "cnce" else "softmax"
            return self.steps.candidate_step(self.weights, x, candidates, log_q, coefficient, how)
        if self.method.loss == "sm":
            return self.steps.curvature_step(self.weights, x, y)
        if self.method.loss == "dsm":
            return self._denoising_step(x, y)
        return self._chain_step(x, y)

    def _denoising_step(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        sigma = self.method.dsm_sigma or 0.0
        noise = self._normal(y.shape[1], self.method.num_samples)
        return self.steps.slope_step(self.weights, x, y[..., None] + sigma * noise, noise / sigma)

    def _chain_step(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """ML-MCMC: chains start at the label and pass no gradient on."""
        batch, chains = y.shape[1], self.method.num_samples
        left, alpha = self.method.langevin_steps or 0, self.method.langevin_alpha or 0.0
        chain = y[..., None].expand(-1, -1, chains)
        while left:
            now = min(left, max(1, _CHAIN_NOISE // (batch * chains)))
            noise = self._normal(now, batch, chains)
            chain = self.steps.langevin(self.weights, x, chain, noise, alpha)
            left -= now
        candidates = torch.cat((y[..., None], chain), -1)
        coefficient = torch.full((len(y), 1, 1 + chains), -1 / chains, device=y.device)
        coefficient[..., 0] = 1
        empty = torch.zeros_like(coefficient)
        return self.steps.candidate_step(self.weights, x, candidates, empty, coefficient, "linear")

    def _tables(self, count: int) -> Iterator[CandidateTable | None]:
        """Candidates of `count` steps: drawn once an epoch where batches share offsets, else every step."""
        if self.draws is None:
            yield from [None] * count
        elif self.method.share_across_batch:
            tables = self._draw(self.draws, count)
            for t in range(count):
                row = slice(t, t + 1)
                yield CandidateTable(tables.offsets[:, row], tables.log_q[:, row], tables.coefficient[:, row])
        else:
            for _ in range(count):
                yield self._draw(self.draws, self.batch_size)

    def _draw(self, draws: Draws, rows: int) -> CandidateTable:
        tables = [draws.table(rows, self.data, generator) for generator in self.generators]
        return CandidateTable(
            torch.stack([table.offsets for table in tables]),
            torch.stack([table.log_q for table in tables]),
            torch.stack([table.coefficient for table in tables]),
        )

    def _normal(self, *shape: int) -> Tensor:
        return self._per_seed(lambda g: torch.randn(*shape, generator=g, device=self.data.device))

    def _per_seed(self, draw: Callable[[torch.Generator], Tensor]) -> Tensor:
        if len(self.generators) == 1:
            return draw(self.generators[0])[None]
        return torch.stack([draw(generator) for generator in self.generators])


def _steps(backend: str, device: torch.device) -> BatchedSteps:
    if backend not in ("auto", "plain", "fused"):
        raise unknown_name("backend", str(backend), ("auto", "plain", "fused"))
    if backend == "fused" and device.type != "cpu":
        raise DomainError(f"the fused backend is for the CPU, not for {device}; choose backend='plain'.")
    fused = backend == "fused" or (backend == "auto" and device.type == "cpu" and not fused_unavailable())
    return FusedSteps() if fused else BatchedSteps()


def _require_data(x: Tensor, y: Tensor, seeds: Sequence[int], epochs: int, batch_size: int) -> None:
    if x.ndim != 1 or x.shape != y.shape:
        raise ShapeError(f"expected x and y of shape (N,), got {tuple(x.shape)} and {tuple(y.shape)}.")
    if not len(x) or not len(seeds):
        raise DomainError(f"training needs data and seeds, got {len(x)} pairs and {len(seeds)} seeds.")
    require_finite("x", x)
    require_finite("y", y)
    require_count("epochs", epochs)
    require_count("batch_size", batch_size)
