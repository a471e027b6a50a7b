"""The contract of a proposal, see `ebm.proposals.Proposal`."""

import torch
from torch import Tensor

from ebm.proposals import Proposal, ProposalSamples
from ebm.testing.common import (
    check_randomness,
    generator_on,
    kolmogorov,
    promise,
    require_like,
    require_mass,
)
from ebm.testing.quadrature import integrate

__all__ = ["check_proposal"]

B, M = 3, 5
# Error of quadrature.
INEXACT = 0.01


def check_proposal(
    proposal: Proposal, *, draws: int = 20_000, tolerance: float = 0.0, device: str | torch.device = "cpu"
) -> None:
    """See that a proposal keeps what `Proposal` promises.

    Draws have the right shapes, follow the precision and the device of the centres and come from the
    generator alone; `log_q` is `log_prob` of the draws; the density moves with the centre, is as symmetric as
    the proposal says, integrates to 1 and is that of the draws, by a statistical test with a fixed seed.

    Args:
        proposal: the proposal; moved to `device`.
        draws: for the statistical test: the more, the smaller the fault that is found.
        tolerance: error of the density, as a share of it, that is none, for one that is an approximation.
        device: where to look.

    Raises:
        AssertionError: naming the promise that is not kept.
    """
    case = Case(proposal.to(device), torch.device(device))
    case.check_shapes()
    centre = case.centre(torch.float64)
    check_randomness(
        case.name, lambda generator: proposal.sample(centre, M, generator=generator).y, case.device
    )
    case.check_log_prob()
    offsets = proposal.sample_offsets(draws, centre, generator=generator_on(case.device, 3))
    if proposal.target_dim == 1:
        case.check_line(offsets, tolerance)
    require_mass(case.name, offsets, proposal.log_prob_offset, tolerance, generator_on(case.device, 4))


class Case:
    """A proposal on a device."""

    def __init__(self, proposal: Proposal, device: torch.device) -> None:
        self.proposal, self.device, self.name = proposal, device, f"the proposal {type(proposal).__name__}"
        self.dim = proposal.target_dim

    def centre(self, dtype: torch.dtype, rows: int = B) -> Tensor:
        """Centres ``(rows, D)``."""
        places = torch.arange(float(rows), dtype=dtype, device=self.device)
        return (places[:, None] * 0.7 - 0.5).expand(-1, self.dim).contiguous()

    def sample(self, dtype: torch.dtype, rows: int = B, *, shared: bool = False) -> ProposalSamples:
        """Draws around the centres."""
        return self.proposal.sample(
            self.centre(dtype, rows), M, generator=generator_on(self.device, 5), share_across_batch=shared
        )

    def check_shapes(self) -> None:
        """Shapes, precision and device, with and without items."""
        for dtype in (torch.float32, torch.float64):
            for rows, shared in ((B, False), (B, True), (0, False)):
                drawn = self.sample(dtype, rows, shared=shared)
                of = f"{self.name}, for {rows} centres: "
                require_like(of + "y", drawn.y, (rows, M, self.dim), dtype, self.device)
                require_like(of + "log_q", drawn.log_q, (rows, M), dtype, self.device)
                promise(drawn.y.isfinite().all(), f"{of}y is not finite.")
                promise((drawn.log_q > -torch.inf).all(), f"{of}log_q of a draw is -inf or NaN.")
                self.check_offsets(of, drawn, self.centre(dtype, rows), shared)
            single = self.sample(dtype, 1)
            away = self.proposal.log_prob(single.y[:, 0], self.centre(dtype, 1))
            require_like(f"{self.name}: log_prob", away, (1,), dtype, self.device)

    def check_offsets(self, of: str, drawn: ProposalSamples, centre: Tensor, shared: bool) -> None:
        """What was added to the centres: the same for all of them if they share it, and only then."""
        shape = (1 if shared else len(centre), M, self.dim)
        require_like(f"{of}offsets", drawn.offsets, shape, centre.dtype, self.device)
        self.require_equal(
            centre[:, None] + drawn.offsets, drawn.y, "y must be the centres plus the offsets", 1e-5
        )
        if len(centre) > 1 and not shared:
            promise(
                not torch.equal(drawn.offsets[0], drawn.offsets[1]),
                f"{of}all centres have the same offsets, without share_across_batch.",
            )

    def check_log_prob(self) -> None:
        """That of the draws, wherever the centre is, and whichever the batch."""
        drawn, centre = self.sample(torch.float64), self.centre(torch.float64)
        again = self.proposal.log_prob(drawn.y, centre)
        self.require_equal(drawn.log_q, again, "log_q of draws must be their log_prob")
        self.require_equal(
            torch.stack([self.proposal.log_prob(drawn.y[:, m], centre) for m in range(M)], 1),
            again,
            "log_prob of (B, D) and of (B, M, D) must agree",
        )
        self.require_equal(
            self.proposal.log_prob(drawn.y + 2, centre + 2), again, "log_prob must move with the centre"
        )
        offsets = drawn.y - centre[:, None]
        self.require_equal(self.proposal.log_prob_offset(offsets), again, "log_prob must be log_prob_offset")
        if self.proposal.symmetric:
            self.require_equal(
                self.proposal.log_prob_offset(-offsets),
                again,
                "symmetric is True, so the opposite of an offset must have its density",
            )

    def check_line(self, offsets: Tensor, tolerance: float) -> None:
        """One dimension: the integral of the density, and Kolmogorov's test of the draws."""
        found = integrate(self.proposal.log_prob_offset, offsets)
        promise(
            abs(found.total - 1) <= INEXACT + tolerance,
            f"{self.name}: log_prob does not integrate to 1: the integral of its exponential is "
            f"{found.total:.4g}.",
        )
        at = torch.searchsorted(found.places[:, 0].contiguous(), offsets[:, 0].double().contiguous())
        gap, chance = kolmogorov(found.below[at.clamp(max=len(found.places) - 1)].clamp(0, 1))
        promise(
            gap <= chance + INEXACT + tolerance,
            f"{self.name}: its draws do not follow its log_prob: their distribution functions are up to "
            f"{gap:.3g} apart, and chance explains {chance:.2g}.",
        )

    def require_equal(self, got: Tensor, wanted: Tensor, rule: str, tolerance: float = 1e-6) -> None:
        """Equal up to rounding."""
        near = torch.allclose(got, wanted, rtol=tolerance, atol=tolerance)
        promise(
            near,
            f"{self.name}: {rule}, got {got.flatten()[:4].tolist()} and {wanted.flatten()[:4].tolist()}.",
        )
