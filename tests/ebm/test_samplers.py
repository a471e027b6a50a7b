"""Spec group 10, and 18 for samplers: Langevin chains and resampling against Gaussians with known moments."""

import math

import pytest
import torch
from torch import Tensor, nn

from ebm.exceptions import DomainError, NumericalError, ShapeError
from ebm.samplers import importance_resample, langevin


def gaussian(mean: float = 0.0, sigma: float = 1.0):
    return lambda y: -(y - mean).square().sum(-1) / (2 * sigma**2)


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_one_step_is_the_formula() -> None:
    init, alpha = torch.tensor([[[1.0, -2.0]]], dtype=torch.float64), torch.tensor([0.1, 0.3]).double()
    moved = langevin(gaussian(0.5), init, 1, alpha, temperature=4.0, generator=seeded())
    noise = torch.empty(1, 1, 2, dtype=torch.float64).normal_(generator=seeded())
    expected = init + 0.5 * alpha**2 * (0.5 - init) + 2.0 * alpha * noise
    torch.testing.assert_close(moved, expected)


def test_group_10_a_long_chain_has_the_moments_of_a_gaussian() -> None:
    alpha, mean, sigma = 0.2, 1.5, 0.7
    init = torch.full((1, 60_000, 1), 1.3, dtype=torch.float64)
    y = langevin(gaussian(mean, sigma), init, 200, alpha * sigma, generator=seeded())
    assert y.mean().item() == pytest.approx(mean, rel=0.02)
    assert y.var().item() == pytest.approx(sigma**2, rel=0.02)


def test_the_variance_of_an_unadjusted_chain_is_that_of_its_recursion() -> None:
    # y' = (1 - a^2/2) y + a n has the variance 1 / (1 - a^2/4).
    y = langevin(gaussian(), torch.zeros(1, 60_000, 1, dtype=torch.float64), 20, 1.0, generator=seeded())
    assert y.var().item() == pytest.approx(4 / 3, rel=0.02)


@pytest.mark.parametrize("temperature", [1.0, 0.25])
def test_metropolis_corrects_a_step_that_is_far_too_long(temperature: float) -> None:
    init = torch.zeros(1, 30_000, 1, dtype=torch.float64)
    alpha = 1.5
    arguments = {"temperature": temperature, "generator": seeded()}
    exact = langevin(gaussian(1.0), init, 60, alpha, metropolis=True, **arguments)
    assert exact.mean().item() == pytest.approx(1.0, abs=0.02)
    assert exact.var().item() == pytest.approx(temperature, rel=0.04)
    crude = langevin(gaussian(1.0), init, 60, alpha, **arguments)
    assert crude.var().item() == pytest.approx(temperature / (1 - alpha**2 / 4), rel=0.05)


def test_metropolis_within_bounds_samples_the_truncated_density() -> None:
    init = torch.full((1, 30_000, 1), 0.5, dtype=torch.float64)
    y = langevin(gaussian(), init, 60, 0.8, metropolis=True, clamp=(0.0, math.inf), generator=seeded())
    assert y.min().item() >= 0
    assert y.mean().item() == pytest.approx(math.sqrt(2 / math.pi), rel=0.02)


def test_bounds_hold_at_the_start_and_after_each_move() -> None:
    init = torch.tensor([[[5.0, -5.0], [0.1, 0.2]]])
    path = langevin(
        gaussian(), init, 20, 1.0, clamp=((-1.0, -2.0), 1.0), generator=seeded(), return_path=True
    )
    assert path.shape == (21, 1, 2, 2)
    torch.testing.assert_close(path[0], torch.tensor([[[1.0, -2.0], [0.1, 0.2]]]))
    assert (path <= 1).all()
    assert (path[..., 0] >= -1).all()
    assert (path[..., 1] >= -2).all()
    assert init[0, 0, 0] == 5


@pytest.mark.parametrize("metropolis", [False, True])
def test_the_path_leads_from_the_start_to_the_end(metropolis: bool) -> None:
    init = torch.randn(2, 3, 2, generator=seeded())
    path, end = (
        langevin(gaussian(), init, 7, 0.5, metropolis=metropolis, generator=seeded(), return_path=flag)
        for flag in (True, False)
    )
    assert path.shape == (8, 2, 3, 2)
    assert torch.equal(path[0], init)
    assert torch.equal(path[-1], end)
    assert len({tuple(point.flatten().tolist()) for point in path}) > 4
    assert torch.equal(langevin(gaussian(), init, 0, 0.5, metropolis=metropolis), init)


def test_zero_temperature_is_gradient_ascent() -> None:
    y = langevin(gaussian(2.0), torch.zeros(1, 1, 1, dtype=torch.float64), 3, 1.0, temperature=0)
    assert y.item() == pytest.approx(2 * (1 - 0.5**3))


def test_chains_need_no_gradients_outside_and_leave_none_behind() -> None:
    net = nn.Linear(2, 1)
    score = lambda y: net(y.tanh())[..., 0]  # noqa: E731
    for context in (torch.no_grad, torch.inference_mode, torch.enable_grad):
        with context():
            end = langevin(score, torch.zeros(2, 3, 2), 3, 0.1, generator=seeded())
        assert not end.requires_grad
    assert net.weight.grad is None
    assert net.weight.requires_grad


class Known:
    """A Gaussian energy that states its gradient."""

    def __call__(self, y: Tensor) -> Tensor:
        return pytest.fail("differentiated although the gradient is known")

    def value_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return -0.5 * (y - 1).square().sum(-1), 1 - y


@pytest.mark.parametrize("metropolis", [False, True])
def test_a_known_gradient_is_used(metropolis: bool) -> None:
    runs = [
        langevin(score, torch.zeros(2, 3, 2), 5, 0.4, metropolis=metropolis, generator=seeded())
        for score in (Known(), gaussian(1.0))
    ]
    torch.testing.assert_close(*runs)


def test_an_empty_batch_is_not_scored() -> None:
    fail = lambda y: pytest.fail("scored an empty batch")  # noqa: E731
    for metropolis in (False, True):
        assert langevin(fail, torch.zeros(0, 4, 2), 3, 0.1, metropolis=metropolis).shape == (0, 4, 2)
        path = langevin(fail, torch.zeros(2, 0, 2), 3, 0.1, metropolis=metropolis, return_path=True)
        assert path.shape == (4, 2, 0, 2)


def test_a_chain_that_leaves_the_numbers_names_its_step() -> None:
    cliff = lambda y: (10 * y + (1 - y).sqrt()).sum(-1)  # noqa: E731
    with pytest.raises(
        NumericalError, match=r"at step 2 of 9 of the Langevin chain \(2 entries; finite .*none"
    ):
        langevin(cliff, torch.zeros(1, 2, 1), 9, 1.0, temperature=0.0)
    with pytest.raises(NumericalError, match="at the start"):
        langevin(cliff, torch.full((1, 2, 1), 2.0), 9, 1.0, metropolis=True)
    assert langevin(cliff, torch.zeros(1, 2, 1), 9, 1.0, temperature=0.0, validate=False).isnan().all()
    # With a Metropolis test such moves are refused.
    kept = langevin(cliff, torch.zeros(1, 500, 1), 9, 1.0, metropolis=True, generator=seeded())
    assert (kept < 1).all()


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"steps": -1}, DomainError, "steps must be an integer >= 0"),
        ({"steps": 2.0}, DomainError, "steps must be an integer"),
        ({"step_size": 0.0}, DomainError, "step_size must be finite and > 0"),
        ({"step_size": (0.1, -0.1)}, DomainError, "step_size"),
        ({"step_size": torch.full((3,), 0.1)}, ShapeError, r"step_size must be one number or D = 2"),
        ({"temperature": -1.0}, DomainError, "temperature"),
        ({"temperature": math.nan}, DomainError, "temperature"),
        ({"temperature": 0.0, "metropolis": True}, DomainError, "metropolis needs a temperature > 0"),
        ({"clamp": (1.0, 1.0)}, DomainError, "low < high"),
        ({"init": torch.zeros(2, 2)}, ShapeError, r"init of shape \(B, M, D\), got \(2, 2\)"),
        ({"init": torch.tensor([[[0.0, math.inf]]])}, DomainError, r"init\[0, 0, 1\] is inf"),
        ({"init": torch.zeros(1, 1, 2, dtype=torch.bool)}, TypeError, "bool"),
        ({"generator": torch.Generator(), "init": torch.zeros(1, 1, 2, device="meta")}, TypeError, "meta"),
        ({"score_fn": lambda y: y}, ShapeError, r"scores of shape \(1, 3\), got \(1, 3, 2\)"),
        ({"score_fn": lambda y: y.detach().sum(-1)}, DomainError, "does not depend on y"),
    ],
)
def test_impossible_chains_are_refused(arguments: dict, error: type[Exception], match: str) -> None:
    given_ = {"score_fn": gaussian(), "init": torch.zeros(1, 3, 2), "steps": 2, "step_size": 0.1} | arguments
    with pytest.raises(error, match=match):
        langevin(**given_)


def test_integer_starts_are_numbers() -> None:
    assert langevin(gaussian(), torch.zeros(1, 1, 1, dtype=torch.long), 1, 0.1).dtype == torch.float32


def test_resampling_follows_the_weights() -> None:
    y = torch.tensor([[[0.0], [1.0], [2.0]], [[3.0], [4.0], [5.0]]])
    log_weights = torch.tensor([[0.1, 0.7, 0.2], [1.0, 0.0, 0.0]]).log() + 100.0
    drawn = importance_resample(y, log_weights, 50_000, generator=seeded())
    assert drawn.shape == (2, 50_000, 1)
    share = torch.stack([(drawn[0] == k).double().mean() for k in range(3)])
    torch.testing.assert_close(share, torch.tensor([0.1, 0.7, 0.2]).double(), atol=0.01, rtol=0)
    assert (drawn[1] == 3).all()


def test_resampled_proposals_have_the_moments_of_the_model() -> None:
    proposal = 2.0 * torch.randn(1, 200_000, 1, generator=seeded(), dtype=torch.float64)
    log_q = -(proposal[..., 0] / 2).square() / 2
    drawn = importance_resample(proposal, gaussian(0.5, 0.6)(proposal) - log_q, 100_000, generator=seeded())
    assert drawn.mean().item() == pytest.approx(0.5, abs=0.01)
    assert drawn.std().item() == pytest.approx(0.6, rel=0.02)


def test_impossible_resampling_is_refused() -> None:
    y = torch.zeros(2, 3, 1)
    with pytest.raises(ShapeError, match=r"got \(2, 3, 1\) and \(2, 4\)"):
        importance_resample(y, torch.zeros(2, 4), 5)
    with pytest.raises(ShapeError, match="M >= 1"):
        importance_resample(y[:, :0], torch.zeros(2, 0), 5)
    with pytest.raises(ValueError, match="num_samples"):
        importance_resample(y, torch.zeros(2, 3), 0)
    with pytest.raises(TypeError, match="log_weights on meta"):
        importance_resample(y, torch.zeros(2, 3, device="meta"), 1)
    weights = torch.zeros(2, 3)
    weights[1] = -math.inf
    with pytest.raises(NumericalError, match=r"log_weights\[1\]"):
        importance_resample(y, weights, 1)
    assert importance_resample(y[:0], torch.zeros(0, 3), 4).shape == (0, 4, 1)


def test_starts_on_an_expanded_tensor_are_chains_of_their_own() -> None:
    label: Tensor = torch.zeros(2, 1, 2)
    end = langevin(gaussian(), label.expand(2, 5, 2), 1, 0.5, generator=seeded())
    assert end[0].unique(dim=0).shape[0] == 5
    assert label.count_nonzero() == 0
