"""The contract of a loss, see `ebm.losses.base.EnergyLoss`."""

from typing import Any

import torch
from torch import Tensor, nn

from ebm.losses.base import EnergyLoss, LossOutput
from ebm.models import EnergyModel
from ebm.testing.common import check_randomness, generator_on, promise, require_like

__all__ = ["check_loss"]

B = 5
STEP, DIRECTIONS, GRADIENT_ERROR = 1e-5, 4, 1e-4


class Probe(EnergyModel):
    """A smooth energy with parameters in every term, and inputs that matter."""

    def __init__(self, target_dim: int) -> None:
        super().__init__()
        self.target_dim = target_dim
        self.weight = nn.Parameter(torch.eye(target_dim) + 0.1)
        self.scale, self.phase = nn.Parameter(torch.tensor(0.3)), nn.Parameter(torch.zeros(target_dim))

    def extract(self, x: Tensor) -> Tensor:
        return x @ self.weight

    def score(self, features: Tensor, y: Tensor) -> Tensor:
        away = y - features[:, None]
        return -0.5 * self.scale.exp() * away.square().sum(-1) + 0.3 * (y + self.phase).sin().sum(-1)


def check_loss(
    loss: EnergyLoss,
    *,
    is_random: bool = True,
    finite_differences: bool = True,
    device: str | torch.device = "cpu",
) -> None:
    """See that a loss keeps what `EnergyLoss` promises, on a small energy model of its dimension.

    Its value has the right shapes and precision, is the mean over items, and weights choose items; gradients
    reach features and parameters, are finite and are those of the value; what it draws comes from the
    generator alone; an item's loss depends on that item alone; an empty batch gives 0 that backward()
    accepts; labels of another dimension are refused.

    Args:
        loss: the loss; moved to `device`.
        is_random: whether it draws anything.
        finite_differences: compare gradients with differences of the value. False where the gradient is not
            that of the value on purpose: ML-MCMC's samples move with the model, its gradient holds them.
        device: where to look.

    Raises:
        AssertionError: naming the promise that is not kept.
    """
    case = Case(loss.to(device), torch.device(device))
    check_randomness(case.name, lambda generator: case.run(generator).loss, case.device, is_random=is_random)
    case.check_values()
    case.check_items()
    case.check_empty()
    case.check_refusal()
    case.check_gradients(finite_differences)


class Case:
    """A loss with a batch to try it on."""

    def __init__(self, loss: EnergyLoss, device: torch.device) -> None:
        self.loss, self.device, self.name = loss, device, f"the loss {type(loss).__name__}"
        source = torch.Generator().manual_seed(0)
        self.x = torch.randn(B, loss.target_dim, generator=source, dtype=torch.float64).to(device)
        noise = torch.randn(B, loss.target_dim, generator=source, dtype=torch.float64).to(device)
        self.y = self.x + 0.5 * noise
        self.model = Probe(loss.target_dim).double().to(device)

    def run(self, generator: torch.Generator | None = None, **changes: Any) -> LossOutput:
        """The loss of the batch, or of a changed one: `x`, `y`, `weights`, `model`."""
        x, y, model = (changes.pop(name, getattr(self, name)) for name in ("x", "y", "model"))
        out = self.loss(model, model.extract(x), y, generator=generator or self.seeded(), **changes)
        promise(
            isinstance(out, LossOutput), f"{self.name} must return a LossOutput, got {type(out).__name__}."
        )
        found = out.per_item.detach()
        promise(found.isfinite().all(), f"{self.name}: per_item is not finite: {found.tolist()}.")
        return out

    def seeded(self) -> torch.Generator:
        return generator_on(self.device, 7)

    def check_values(self) -> None:
        """Shapes, precision, reduction, diagnostics."""
        for dtype in (torch.float64, torch.float32):
            model = Probe(self.loss.target_dim).to(self.device, dtype)
            out = self.run(x=self.x.to(dtype), y=self.y.to(dtype), model=model)
            require_like(f"{self.name}: loss", out.loss.detach(), (), dtype, self.device)
            require_like(f"{self.name}: per_item", out.per_item.detach(), (B,), dtype, self.device)
            self.require_near(out.loss, out.per_item.mean(), "loss must be the mean of per_item")
            for key, value in out.aux.items():
                graph = isinstance(value, Tensor) and value.requires_grad
                promise(not graph, f"{self.name}: aux[{key!r}] carries a graph: detach it.")
        with torch.no_grad():
            without = self.run().loss
        promise(not without.requires_grad, f"{self.name}: under no_grad its value carries a graph.")
        self.require_near(without, self.run().loss, "the value must be the same under no_grad")

    def check_items(self) -> None:
        """Weights choose items, and an item does not look at others."""
        whole = self.run().per_item
        weights = torch.zeros(B, dtype=torch.float64, device=self.device)
        weights[1] = 2.0
        self.require_near(
            self.run(weights=weights).loss,
            whole[1],
            "a batch in which one item has weight must have its loss",
        )
        x, y = self.x.clone(), self.y.clone()
        x[0], y[0] = x[0] + 1, y[0] - 1
        moved = self.run(x=x, y=y).per_item
        promise(
            bool((moved[0] - whole[0]).abs() > 0),
            f"{self.name}: an item's loss does not depend on its label.",
        )
        self.require_near(moved[1:], whole[1:], "the loss of an item must not depend on other items")

    def check_empty(self) -> None:
        """No items."""
        model = Probe(self.loss.target_dim).double().to(self.device)
        x = self.x[:0].clone().requires_grad_()
        out = self.run(x=x, y=self.y[:0], model=model)
        require_like(
            f"{self.name}: per_item of no items", out.per_item.detach(), (0,), self.y.dtype, self.device
        )
        promise(out.loss.item() == 0, f"{self.name}: the loss of no items must be 0, got {out.loss.item()}.")
        promise(
            out.loss.requires_grad,
            f"{self.name}: the loss of no items must be connected to the features, so that backward() works.",
        )
        out.loss.backward()

    def check_refusal(self) -> None:
        """Labels of another dimension."""
        try:
            self.loss(self.model, self.model.extract(self.x), self.y.repeat(1, 2), generator=self.seeded())
        except (ValueError, TypeError):
            return
        raise AssertionError(
            f"{self.name}: labels of 2 D columns must be refused with a ValueError, and were taken."
        )

    def check_gradients(self, finite_differences: bool) -> None:
        """Gradients reach features and parameters, and are the slopes of the value."""
        x, parameters = self.x.clone().requires_grad_(), list(self.model.parameters())
        self.model.zero_grad()
        self.run(x=x).loss.backward()
        reached = [x.grad, *(parameter.grad for parameter in parameters)]
        for place, gradient in zip(
            ("features", "parameters", "parameters", "parameters"), reached, strict=True
        ):
            promise(
                gradient is not None and bool(gradient.isfinite().all()),
                f"{self.name}: the gradient of {place} is missing or not finite.",
            )
        total = torch.cat([gradient.flatten() for gradient in reached if gradient is not None])
        promise(bool(total.abs().sum() > 0), f"{self.name}: the gradient is zero everywhere.")
        if finite_differences:
            self.compare(total, [x.detach(), *(parameter.detach() for parameter in parameters)])

    def compare(self, gradient: Tensor, leaves: list[Tensor]) -> None:
        """The gradient along some directions, and the difference of values there."""
        source = torch.Generator().manual_seed(1)
        for _ in range(DIRECTIONS):
            way = torch.randn(len(gradient), generator=source, dtype=torch.float64).to(self.device)
            slope, numeric = (gradient @ way).item(), self.slope(leaves, way)
            promise(
                abs(slope - numeric) <= GRADIENT_ERROR * (1 + gradient.norm().item()),
                f"{self.name}: its gradient is not the slope of its value: {slope:.6g} by backward(), "
                f"{numeric:.6g} by finite differences with the same draws. Look for a detach() or no_grad() "
                "too many, or pass finite_differences=False if it is meant.",
            )

    def slope(self, leaves: list[Tensor], way: Tensor) -> float:
        """The central difference of the value along a direction of all leaves."""
        parts = way.split([leaf.numel() for leaf in leaves])
        ends = []
        for sign in (STEP, -STEP):
            x, *values = (leaf + sign * part.view_as(leaf) for leaf, part in zip(leaves, parts, strict=True))
            model = Probe(self.loss.target_dim).double().to(self.device)
            with torch.no_grad():
                for parameter, value in zip(model.parameters(), values, strict=True):
                    parameter.copy_(value)
            ends.append(self.run(x=x, model=model).loss.item())
        return (ends[0] - ends[1]) / (2 * STEP)

    def require_near(self, got: Tensor, wanted: Tensor, rule: str) -> None:
        """Equal up to rounding."""
        got, wanted = got.detach().double(), wanted.detach().double()
        near = torch.allclose(got, wanted, rtol=1e-5, atol=1e-5)
        promise(near, f"{self.name}: {rule}, got {got.tolist()} and {wanted.tolist()}.")
