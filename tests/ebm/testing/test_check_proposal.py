"""Every proposal of ours, and honest ones of other shapes, keep the contract; each planted fault is found."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ebm.proposals import GaussianMixtureProposal, Proposal, ProposalSamples, annotation_noise
from ebm.testing import check_proposal

OURS = {
    "one": GaussianMixtureProposal([0.7]),
    "narrow and wide": GaussianMixtureProposal([0.05, 1.0], [0.3, 0.7]),
    "plane": GaussianMixtureProposal([[0.1, 2.0], [1.0, 0.3]]),
    "boxes": GaussianMixtureProposal([(0.05, 0.05), (0.5, 0.5)], layout="box"),
    "six": GaussianMixtureProposal([0.1, 0.8], target_dim=6),
    "annotation noise": annotation_noise(GaussianMixtureProposal([0.1, 0.8], target_dim=2), 0.1),
}


@pytest.mark.parametrize("name", OURS)
def test_every_proposal_keeps_the_contract(name: str) -> None:
    check_proposal(OURS[name])


class Torch(Proposal):
    """A distribution of torch as a proposal, drawn by inversion."""

    def __init__(self, base: torch.distributions.Distribution, dim: int, symmetric: bool = True) -> None:
        super().__init__()
        self.base, self.target_dim, self.symmetric = base, dim, symmetric

    def sample_offsets(self, count: int, like: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        u = torch.rand(count, self.target_dim, dtype=torch.float64, device=like.device, generator=generator)
        return self.base.icdf(u.clamp(1e-12, 1 - 1e-12)).to(like.dtype)

    def log_prob_offset(self, e: Tensor) -> Tensor:
        return self.base.log_prob(e).to(e.dtype).sum(-1)


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize(
    "base",
    [
        torch.distributions.Uniform(-1.0, 1.0, validate_args=False),
        torch.distributions.Laplace(0.0, 2.0),
        torch.distributions.Cauchy(0.0, 0.5),
    ],
    ids=lambda base: type(base).__name__,
)
def test_bounded_and_heavy_tailed_ones_are_no_false_alarm(
    base: torch.distributions.Distribution, dim: int
) -> None:
    check_proposal(Torch(base, dim))


def test_one_that_leans_is_no_false_alarm_unless_it_says_it_does_not() -> None:
    base = torch.distributions.Gumbel(0.0, 1.0)
    check_proposal(Torch(base, 2, symmetric=False))
    with pytest.raises(AssertionError, match="symmetric is True, so the opposite of an offset"):
        check_proposal(Torch(base, 2))


class Planted(GaussianMixtureProposal):
    """A Gaussian with one fault."""

    def __init__(self, dim: int) -> None:
        super().__init__([0.4, 1.0], target_dim=dim)


class OffByConstant(Planted):
    def log_prob_offset(self, e: Tensor) -> Tensor:
        return super().log_prob_offset(e) + 0.2


class NoNormaliser(Planted):
    def log_prob_offset(self, e: Tensor) -> Tensor:
        return super().log_prob_offset(e) + 0.5 * self.target_dim * math.log(2 * math.pi)


class DrawsWider(Planted):
    def sample_offsets(self, *args: Any, **options: Any) -> Tensor:
        return 1.15 * super().sample_offsets(*args, **options)


class DrawsAside(Planted):
    def sample_offsets(self, *args: Any, **options: Any) -> Tensor:
        return super().sample_offsets(*args, **options) + 0.1


class OtherLogQ(Planted):
    def sample(self, *args: Any, **options: Any) -> ProposalSamples:
        drawn = super().sample(*args, **options)
        return replace(drawn, log_q=drawn.log_q - 1)


class Stays(Planted):
    def log_prob(self, y: Tensor, center: Tensor, **options: Any) -> Tensor:
        return super().log_prob(y, center - 0.1 * center, **options)


class IgnoresGenerator(Planted):
    def sample_offsets(self, count: int, like: Tensor, *, generator: Any = None) -> Tensor:
        return super().sample_offsets(count, like, generator=torch.Generator().manual_seed(0))


class DrawsGlobally(Planted):
    def sample_offsets(self, count: int, like: Tensor, *, generator: Any = None) -> Tensor:
        return super().sample_offsets(count, like)


class DrawsByNumpy(Planted):
    def sample_offsets(self, count: int, like: Tensor, *, generator: Any = None) -> Tensor:
        noise = np.random.standard_normal((count, self.target_dim))  # noqa: NPY002
        return torch.from_numpy(noise).to(like)


class Narrows(Planted):
    def sample(self, *args: Any, **options: Any) -> ProposalSamples:
        drawn = super().sample(*args, **options)
        return replace(drawn, log_q=drawn.log_q.float())


class Transposes(Planted):
    def sample(self, *args: Any, **options: Any) -> ProposalSamples:
        drawn = super().sample(*args, **options)
        return replace(drawn, y=drawn.y.mT)


class SharesAlways(Planted):
    def sample(self, *args: Any, share_across_batch: bool = False, **options: Any) -> ProposalSamples:
        drawn = super().sample(*args, share_across_batch=True, **options)
        if share_across_batch:
            return drawn
        return replace(drawn, offsets=drawn.offsets.expand(len(drawn.y), -1, -1).clone())


class OtherOffsets(Planted):
    def sample(self, *args: Any, **options: Any) -> ProposalSamples:
        drawn = super().sample(*args, **options)
        return replace(drawn, offsets=-drawn.offsets)


class Excludes(Planted):
    def log_prob_offset(self, e: Tensor) -> Tensor:
        found = super().log_prob_offset(e)
        return torch.where(e[..., 0] > 0, -math.inf, found)


FAULTS = {
    OffByConstant: "does not integrate to 1",
    NoNormaliser: "does not integrate to 1",
    DrawsWider: "its draws (do not follow its log_prob|and its log_prob disagree)",
    DrawsAside: "its draws (do not follow its log_prob|and its log_prob disagree)",
    OtherLogQ: "log_q of draws must be their log_prob",
    Stays: "log_q of draws must be their log_prob|must move with the centre",
    IgnoresGenerator: "it ignores the generator",
    DrawsGlobally: "global randomness of torch although",
    DrawsByNumpy: "global randomness of NumPy although",
    Narrows: "log_q must be torch.float64 where the input is, got torch.float32",
    Transposes: r"y must have the shape \(3, 5, \d\), got \(3, \d, 5\)",
    SharesAlways: "all centres have the same offsets",
    OtherOffsets: "y must be the centres plus the offsets",
    Excludes: "log_q of a draw is -inf or NaN",
}


@pytest.mark.parametrize("dim", [1, 4])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_found_and_named(fault: type[Planted], dim: int) -> None:
    with pytest.raises(AssertionError, match=FAULTS[fault]) as caught:
        check_proposal(fault(dim))
    assert f"the proposal {fault.__name__}" in str(caught.value)
    check_proposal(Planted(dim))
