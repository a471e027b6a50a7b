"""Every loss of ours keeps the contract, and the check finds each planted fault."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from ebm.losses.base import LossOutput
from ebm.losses.modules import LOSSES, NCELoss
from ebm.proposals import GaussianMixtureProposal
from ebm.testing import check_loss
from tests.ebm.losses.test_contract import make


@pytest.mark.filterwarnings("ignore:importance sampling with M")
@pytest.mark.parametrize("dim", [1, 3])
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_keeps_the_contract(name: str, dim: int) -> None:
    check_loss(make(name, dim), is_random=name != "sm", finite_differences=name != "ml-mcmc")


def test_what_is_said_of_a_loss_is_looked_at_too() -> None:
    with pytest.raises(AssertionError, match="whatever the seed of the generator: it ignores the generator"):
        check_loss(make("sm"))
    with pytest.raises(AssertionError, match="said to draw nothing, but depends on the generator"):
        check_loss(make("nce"), is_random=False)
    with pytest.raises(AssertionError, match="not the slope of its value"):
        check_loss(make("ml-mcmc"))


class Planted(NCELoss):
    """NCE with one fault."""

    def __init__(self) -> None:
        super().__init__(GaussianMixtureProposal([0.2, 1.0], target_dim=2), 16)

    def honest(self, *args: Any, **options: Any) -> LossOutput:
        return super().forward(*args, **options)


class IgnoresGenerator(Planted):
    def forward(self, *args: Any, **options: Any) -> LossOutput:
        return self.honest(*args, **options | {"generator": torch.Generator().manual_seed(0)})


class DrawsGlobally(Planted):
    def forward(self, *args: Any, **options: Any) -> LossOutput:
        return self.honest(*args, **options | {"generator": None})


class KeepsState(Planted):
    calls = 0

    def forward(self, *args: Any, **options: Any) -> LossOutput:
        out = self.honest(*args, **options)
        self.calls += 1
        return replace(out, loss=out.loss + self.calls, per_item=out.per_item + self.calls)


class Sums(Planted):
    def forward(self, *args: Any, **options: Any) -> LossOutput:
        out = self.honest(*args, **options)
        return replace(out, loss=out.per_item.sum())


class IgnoresWeights(Planted):
    def forward(self, *args: Any, weights: Tensor | None = None, **options: Any) -> LossOutput:
        return self.honest(*args, **options)


class MixesItems(Planted):
    def forward(self, *args: Any, weights: Tensor | None = None, **options: Any) -> LossOutput:
        out = self.honest(*args, **options)
        mixed = out.per_item + (out.per_item.mean() if len(out.per_item) else 0)
        loss = mixed.mean() if weights is None else (weights * mixed).sum() / weights.sum()
        return replace(out, loss=loss, per_item=mixed) if len(mixed) else out


class Narrows(Planted):
    def forward(self, *args: Any, **options: Any) -> LossOutput:
        out = self.honest(*args, **options)
        return replace(out, loss=out.loss.float(), per_item=out.per_item.float())


class ReturnsTensor(Planted):
    def forward(self, *args: Any, **options: Any) -> Any:
        return self.honest(*args, **options).loss


class KeepsGraph(Planted):
    def forward(self, *args: Any, **options: Any) -> LossOutput:
        out = self.honest(*args, **options)
        return replace(out, aux={**out.aux, "mine": out.loss * 2})


class NotFinite(Planted):
    def forward(self, *args: Any, **options: Any) -> LossOutput:
        out = self.honest(*args, **options)
        return replace(out, loss=out.loss * torch.nan, per_item=out.per_item * torch.nan)


class EmptyIsNan(Planted):
    def forward(self, model: Any, features: Tensor, y: Tensor, **options: Any) -> LossOutput:
        out = self.honest(model, features, y, **options)
        return out if len(y) else replace(out, loss=out.per_item.mean())


class EmptyIsLoose(Planted):
    def forward(self, model: Any, features: Tensor, y: Tensor, **options: Any) -> LossOutput:
        out = self.honest(model, features, y, **options)
        return out if len(y) else replace(out, loss=torch.zeros((), dtype=y.dtype))


class TakesAnything(Planted):
    def forward(self, model: Any, features: Tensor, y: Tensor, **options: Any) -> LossOutput:
        return self.honest(model, features, y[:, : self.target_dim], **options)


class WrongGradient(Planted):
    def forward(self, *args: Any, **options: Any) -> LossOutput:
        out = self.honest(*args, **options)
        return replace(out, loss=0.5 * (out.loss + out.loss.detach()))


class LosesFeatures(Planted):
    def forward(self, model: Any, features: Tensor, y: Tensor, **options: Any) -> LossOutput:
        return self.honest(model, features.detach() if len(y) else features, y, **options)


class ChangesWithoutGraph(Planted):
    def forward(self, *args: Any, **options: Any) -> LossOutput:
        out = self.honest(*args, **options)
        if torch.is_grad_enabled():
            return out
        return replace(out, loss=out.loss + 1)


class IgnoresLabels(Planted):
    def forward(self, model: Any, features: Tensor, y: Tensor, **options: Any) -> LossOutput:
        out = self.honest(model, features, y, **options)
        return out if not len(y) else self.honest(model, features * 0, y * 0, **options)


FAULTS = {
    IgnoresGenerator: "it ignores the generator",
    DrawsGlobally: "draws from the global randomness of torch although a generator is given",
    KeepsState: "two results with two generators of the same seed",
    Sums: "loss must be the mean of per_item",
    IgnoresWeights: "one item has weight must have its loss",
    MixesItems: "must not depend on other items",
    Narrows: "loss must be torch.float64 where the input is, got torch.float32",
    ReturnsTensor: "must return a LossOutput, got Tensor",
    KeepsGraph: r"aux\['mine'\] carries a graph",
    NotFinite: "per_item is not finite",
    EmptyIsNan: "loss of no items must be 0, got nan",
    EmptyIsLoose: r"connected to the features, so that backward\(\) works",
    TakesAnything: "must be refused with a ValueError, and were taken",
    WrongGradient: "its gradient is not the slope of its value",
    LosesFeatures: "the gradient of features is missing",
    ChangesWithoutGraph: "the same under no_grad",
    IgnoresLabels: "does not depend on its label",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_found_and_named(fault: type[Planted]) -> None:
    with pytest.raises(AssertionError, match=FAULTS[fault]) as caught:
        check_loss(fault())
    assert f"the loss {fault.__name__}" in str(caught.value)
    check_loss(Planted())
