"""Spec group 11: score matching and denoising score matching against Hessians, formulas and minimisers."""

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.autograd.functional import hessian

from ebm.exceptions import DomainError, NumericalError, ShapeError
from ebm.losses.gradient_losses import DenoisingScoreMatchingLoss, ScoreMatchingLoss
from ebm.losses.score_matching import denoising_score_matching, score_matching
from ebm.models import EnergyModel, FunctionalEnergy


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smooth(weight: Tensor):
    return lambda y: (y @ weight).tanh().square().sum(-1) - 0.5 * y.square().sum(-1)


class Smooth(EnergyModel):
    """A small network of y and x, smooth in both."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.target_dim = dim
        self.x_layer, self.y_layer, self.out = nn.Linear(2, 6), nn.Linear(dim, 6), nn.Linear(6, 1)

    def extract(self, x: Tensor) -> Tensor:
        return self.x_layer(x)

    def score(self, features: Tensor, y: Tensor) -> Tensor:
        return self.out((features[:, None] + self.y_layer(y)).tanh())[..., 0]


def gradients(loss: Tensor, model: nn.Module, x: Tensor) -> list[Tensor]:
    inputs = [*model.parameters(), x]  # the last bias has no part in grad f
    found = torch.autograd.grad(loss, inputs, allow_unused=True)
    return [torch.zeros_like(i) if g is None else g for i, g in zip(inputs, found)]


@given(seed=st.integers(0, 1000), dim=st.integers(1, 4), batch=st.integers(1, 4))
@settings(max_examples=15, deadline=None)
def test_the_trace_is_that_of_the_hessian(seed: int, dim: int, batch: int) -> None:
    weight = torch.randn(dim, 3, dtype=torch.float64, generator=seeded(seed))
    y = torch.randn(batch, dim, dtype=torch.float64, generator=seeded(seed + 1))
    f = smooth(weight)
    expected = []
    for row in y:
        gradient = torch.autograd.functional.jacobian(f, row)
        expected.append(hessian(f, row).diagonal().sum() + 0.5 * gradient.square().sum())
    torch.testing.assert_close(score_matching(f, y, reduction="none"), torch.stack(expected))


def test_score_matching_finds_the_precision_of_gaussian_data() -> None:
    y = 0.6 * torch.randn(100_000, 2, dtype=torch.float64, generator=seeded())
    # f = -(p/2) |y|^2 has the loss -2p + p^2 E|y|^2 / 2: three values determine the parabola.
    p = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(score_matching(lambda u: -0.5 * p * u.square().sum(-1), y), p)
    q = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    (further,) = torch.autograd.grad(score_matching(lambda u: -0.5 * q * u.square().sum(-1), y), q)
    minimiser = 1.0 - slope / (further - slope)
    assert minimiser.item() == pytest.approx(1 / 0.36, rel=0.02)


def test_denoising_finds_the_precision_of_the_noisy_data() -> None:
    y = 0.6 * torch.randn(100_000, 1, dtype=torch.float64, generator=seeded())
    slopes = []
    for value in (1.0, 2.0):
        p = torch.tensor(value, dtype=torch.float64, requires_grad=True)
        loss = denoising_score_matching(
            lambda u, p=p: -0.5 * p * u.square().sum(-1), y, 0.4, 2, generator=seeded()
        )
        slopes.append(torch.autograd.grad(loss, p)[0])
    minimiser = 1.0 - slopes[0] / (slopes[1] - slopes[0])
    assert minimiser.item() == pytest.approx(1 / (0.36 + 0.16), rel=0.02)


@pytest.mark.parametrize("sigma", [0.3, (0.3, 0.1), torch.tensor([0.3, 0.1])])
def test_the_denoising_loss_is_its_formula(sigma: float | tuple | Tensor) -> None:
    y = torch.randn(5, 2, dtype=torch.float64, generator=seeded())
    width = torch.as_tensor(sigma, dtype=torch.float64)
    value = denoising_score_matching(
        lambda u: -u.square().sum(-1), y, sigma, 7, generator=seeded(), reduction="none"
    )
    noise = torch.empty(5, 7, 2, dtype=torch.float64).normal_(generator=seeded()) * width
    noisy = y[:, None] + noise
    expected = (-2 * noisy + noise / width**2).square().sum(-1).mean(-1)
    torch.testing.assert_close(value, expected)


def test_a_linear_score_has_no_trace_and_a_constant_one_is_refused() -> None:
    slope = torch.tensor([3.0, 4.0])
    with pytest.warns(UserWarning, match="second derivative"):
        assert score_matching(lambda u: u @ slope, torch.zeros(2, 2)).item() == 12.5
    with pytest.raises(DomainError, match="does not depend on y"):
        score_matching(lambda u: u.detach().sum(-1), torch.zeros(2, 2))


def relu_energy() -> FunctionalEnergy:
    net = nn.Sequential(nn.Linear(1, 8), nn.ReLU(), nn.Linear(8, 1))
    model = FunctionalEnergy(lambda _, y: net(y)[..., 0], target_dim=1)
    model.net = net
    return model


def test_a_relu_network_in_y_is_warned_about_once() -> None:
    model, loss, y = relu_energy(), ScoreMatchingLoss(1), torch.randn(6, 1, generator=seeded())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            loss(model, y, y)
    assert len(caught) == 1
    assert "ReLU" in str(caught[0].message)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="ReLU"):
        score_matching(lambda u: model.score(y, u), y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ScoreMatchingLoss(1)(Smooth(1), torch.zeros(6, 6), y)


@pytest.mark.parametrize("dim", [1, 3])
def test_modules_are_the_functions(dim: int) -> None:
    torch.manual_seed(0)
    model, x = Smooth(dim), torch.randn(4, 2, generator=seeded())
    features, y = model.extract(x), torch.randn(4, dim, generator=seeded(1))
    score = lambda u: model.score(features, u)  # noqa: E731
    out = ScoreMatchingLoss(dim)(model, features, y)
    torch.testing.assert_close(out.per_item, score_matching(score, y, reduction="none"))
    out = DenoisingScoreMatchingLoss(dim, 9, 0.2)(model, features, y, generator=seeded())
    expected = denoising_score_matching(score, y, 0.2, 9, generator=seeded(), reduction="none")
    torch.testing.assert_close(out.per_item, expected)
    at = y.requires_grad_()
    norm = torch.autograd.grad(score(at[:, None]).sum(), at)[0].norm(dim=-1).mean()
    torch.testing.assert_close(ScoreMatchingLoss(dim)(model, features, y.detach()).aux["grad_norm"], norm)


@given(seed=st.integers(0, 100), chunk=st.integers(1, 12), dim=st.integers(1, 3), weighted=st.booleans())
@settings(max_examples=20, deadline=None)
def test_chunks_change_neither_value_nor_gradients(seed: int, chunk: int, dim: int, weighted: bool) -> None:
    torch.manual_seed(seed)
    model = Smooth(dim).double()
    x = torch.randn(4, 2, dtype=torch.float64, generator=seeded(seed), requires_grad=True)
    y = torch.randn(4, dim, dtype=torch.float64, generator=seeded(seed + 1))
    weights = torch.tensor([1.0, 0.0, 2.0, 0.5], dtype=torch.float64) if weighted else None
    found = []
    for width in (None, chunk):
        loss = DenoisingScoreMatchingLoss(dim, 10, 0.3, chunk=width)
        out = loss(model, model.extract(x), y, weights=weights, generator=seeded())
        found.append([out.loss.detach(), out.per_item.detach(), out.aux["grad_norm"]])
        found[-1] += gradients(3 * out.loss, model, x)
    for whole, chunked in zip(*found):
        torch.testing.assert_close(chunked, whole)


def test_chunks_of_the_function_find_what_to_differentiate_themselves() -> None:
    torch.manual_seed(0)
    model = Smooth(2)
    x, y = torch.randn(4, 2, requires_grad=True), torch.randn(4, 2)
    found = []
    for chunk in (None, 3):
        features = model.extract(x)
        loss = denoising_score_matching(
            lambda u, h=features: model.score(h, u), y, 0.3, 10, generator=seeded(), chunk=chunk
        )
        found.append([loss.detach(), *gradients(loss, model, x)])
    for whole, chunked in zip(*found):
        torch.testing.assert_close(chunked, whole)


def test_per_item_losses_and_chunks_exclude_each_other_where_gradients_are_wanted() -> None:
    arguments = (lambda u: -u.square().sum(-1), torch.ones(2, 1), 0.3, 4)
    with pytest.raises(DomainError, match="'mean' or 'sum'"):
        denoising_score_matching(*arguments, chunk=2, reduction="none")
    with torch.no_grad():
        rows = [
            denoising_score_matching(*arguments, chunk=c, reduction="none", generator=seeded())
            for c in (2, 4)
        ]
    torch.testing.assert_close(*rows)


class Peak(torch.autograd.graph.saved_tensors_hooks):
    """Counts the largest number of bytes that graphs hold at one time."""

    def __init__(self) -> None:
        self.now = self.most = 0
        super().__init__(self.pack, lambda packed: packed.tensor)

    def pack(self, tensor: Tensor) -> "Held":
        return Held(self, tensor)


class Held:
    def __init__(self, peak: Peak, tensor: Tensor) -> None:
        self.peak, self.tensor = peak, tensor.detach()
        self.size = tensor.numel() * tensor.element_size()
        peak.now += self.size
        peak.most = max(peak.most, peak.now)

    def __del__(self) -> None:
        self.peak.now -= self.size


def test_chunks_bound_what_the_graphs_hold() -> None:
    torch.manual_seed(0)
    model, x, y = Smooth(2), torch.zeros(4, 2), torch.zeros(4, 2)
    held = {}
    for count, chunk in ((64, None), (512, 64), (512, None)):
        peak = Peak()
        with peak:
            out = DenoisingScoreMatchingLoss(2, count, 0.3, chunk=chunk)(model, model.extract(x), y)
            out.loss.backward()
        held[count, chunk] = peak.most
    assert held[512, None] > 7 * held[64, None]
    assert held[512, 64] < 1.2 * held[64, None]


def test_models_without_parameters_have_values_too() -> None:
    model = FunctionalEnergy(lambda _, y: -y.square().sum(-1), target_dim=1)
    values = [
        DenoisingScoreMatchingLoss(1, 8, 0.3, chunk=chunk)(
            model, torch.zeros(2, 1), torch.ones(2, 1), generator=seeded()
        ).loss
        for chunk in (None, 4)
    ]
    torch.testing.assert_close(*values)


def test_a_gradient_that_is_not_a_number_is_named() -> None:
    kinked = FunctionalEnergy(lambda _, y: y.sum(-1).abs().sqrt(), target_dim=1)
    with pytest.raises(NumericalError, match=r"non-finite gradient of the score in y: 1 of 2.* 0 to 1"):
        ScoreMatchingLoss(1)(kinked, torch.zeros(2, 1), torch.tensor([[0.0], [1.0]]))
    steep = FunctionalEnergy(lambda _, y: torch.where(y > 0, torch.inf, y * y).sum(-1), target_dim=1)
    with pytest.raises(NumericalError, match="scores at the samples"):
        DenoisingScoreMatchingLoss(1, 64, 1.0)(steep, torch.zeros(2, 1), torch.zeros(2, 1))
    bent = FunctionalEnergy(lambda _, y: y.sum(-1).abs().pow(1.5), target_dim=1)
    with pytest.raises(NumericalError, match="non-finite second derivative"):
        ScoreMatchingLoss(1)(bent, torch.zeros(2, 1), torch.tensor([[0.0], [1.0]]))


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"sigma": 0.0}, DomainError),
        ({"sigma": math.nan}, DomainError),
        ({"sigma": ()}, DomainError),
        ({"sigma": (0.1, 0.1, 0.1)}, ShapeError),
        ({"chunk": 0}, DomainError),
        ({"chunk": 2.0}, DomainError),
        ({"target_dim": 0}, DomainError),
    ],
)
def test_impossible_settings_are_refused(arguments: dict, error: type[Exception]) -> None:
    with pytest.raises(error):
        DenoisingScoreMatchingLoss(**{"target_dim": 2, "num_samples": 4, "sigma": 0.1} | arguments)


def test_functions_check_their_labels() -> None:
    for run in (score_matching, lambda f, y: denoising_score_matching(f, y, 0.1, 2)):
        with pytest.raises(ShapeError, match=r"y of shape \(B, D\), got \(3,\)"):
            run(lambda u: u.sum(-1), torch.zeros(3))
        with pytest.raises(DomainError, match=r"y\[1, 0\] is nan"):
            run(lambda u: u.sum(-1), torch.tensor([[0.0], [math.nan]]))
        assert run(lambda u: pytest.fail("scored an empty batch"), torch.zeros(0, 2)).item() == 0
