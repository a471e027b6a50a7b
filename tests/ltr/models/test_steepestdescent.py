"""Gauss-Newton descent: published numbers, a closed form against autograd, and problems solved by hand."""

import pytest
import torch
from torch import Tensor, nn

from ebm.exceptions import InputError, ShapeError, UnknownNameError
from ltr.models.meta.steepestdescent import GNSteepestDescent, linearise
from ltr.models.target_classifier.residual_modules import LinearFilterHinge
from tests.ltr.models.test_losses import gaussian_labels
from tests.ltr.models.test_optimizer import BOXES, WEIGHTS

HINGE = {"init_filter_reg": 0.1, "hinge_threshold": 0.05, "activation_leak": 0.1, "score_act": "relu"}


class TensorList(list):
    """A list with a type of its own, as the published framework passes parameters."""


class ByAutograd(nn.Module):
    """Hides the closed form of a residual module."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, parameters: list[Tensor], **kwargs: Tensor) -> list[Tensor]:
        return self.inner(parameters, **kwargs)


def solver(residuals: nn.Module, **options: object) -> GNSteepestDescent:
    return GNSteepestDescent(
        residuals, **{"num_iter": 3, "residual_batch_dim": 1, "compute_losses": True, **options}
    )


@pytest.fixture
def start(pattern) -> Tensor:
    return 0.05 * pattern((3, 4, 4, 4), 1.3)


@pytest.fixture
def data(pattern) -> dict[str, Tensor]:
    label = gaussian_labels(BOXES.reshape(6, 4), 0.05, 4, (6, 5), (96, 80)).reshape(2, 3, 6, 7)
    return {"feat": pattern((2, 3, 4, 5, 6), 0.7), "bb": BOXES, "train_label": label}


@pytest.mark.parametrize("wrap", [lambda m: m, ByAutograd], ids=["closed form", "autograd"])
@pytest.mark.parametrize("gradients", [True, False], ids=["grad", "no_grad"])
def test_anchors(wrap, gradients, start, data, check_summary) -> None:
    with torch.set_grad_enabled(gradients):
        weights, iterates, losses = solver(wrap(LinearFilterHinge(**HINGE)))(start, **data)
    wanted = torch.tensor([0.018905, 0.005009, 0.002515, 0.001876])
    torch.testing.assert_close(torch.stack(losses), wanted, rtol=1e-4, atol=6e-7)
    check_summary(weights, (0.042299, 3.518673, -0.027810, -0.023997))
    assert [w.shape for w in iterates] == [start.shape] * 4
    assert iterates[-1] is weights
    assert weights.requires_grad == gradients


@pytest.mark.parametrize("act", ["relu", "bentpar"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_closed_form_is_what_differentiating_twice_gives(act, weighted, start, data) -> None:
    module = LinearFilterHinge(**{**HINGE, "score_act": act}).double()
    data = {name: value.double() for name, value in data.items()}
    if weighted:
        data["sample_weight"] = WEIGHTS.double()
    features = data["feat"].requires_grad_()
    first = start.double().requires_grad_()
    found = []
    for residuals in (module, ByAutograd(module)):
        weights, _, _ = solver(residuals)(first, **data)
        through = torch.autograd.grad(weights.square().sum(), [features, first, module.filter_reg])
        found.append((weights, *through))
    for ours, expected in zip(*found):
        torch.testing.assert_close(ours, expected)


def test_the_closed_form_works_in_inference_mode(start, data) -> None:
    module = LinearFilterHinge(**HINGE)
    expected = solver(module)(start, **data)[0]
    with torch.inference_mode():
        torch.testing.assert_close(solver(module)(start, **data)[0], expected)


def test_a_list_comes_back_as_the_list_that_it_was(start, data) -> None:
    expected = solver(LinearFilterHinge(**HINGE))(start, **data)[0]
    weights, iterates, _ = solver(LinearFilterHinge(**HINGE))(TensorList([start]), num_iter=3, **data)
    assert type(weights) is TensorList
    assert type(iterates[1]) is TensorList
    torch.testing.assert_close(weights[0], expected)


def test_a_learned_or_a_fixed_size_of_the_filter(start, data) -> None:
    fixed = LinearFilterHinge(**HINGE, learn_filter_reg=False)
    assert list(fixed.parameters()) == []
    learned = LinearFilterHinge(**HINGE)
    assert list(learned.state_dict()) == ["filter_reg"]
    torch.testing.assert_close(solver(fixed)(start, **data)[0], solver(learned)(start, **data)[0])


class Lines(nn.Module):
    """Residuals ``a x + b y - t`` of several independent problems, over two parameters."""

    def forward(self, parameters: list[Tensor], rows: Tensor, target: Tensor) -> list[Tensor]:
        x, y = parameters
        return [rows[..., 0] * x + rows[..., 1] * y - target]


def test_orthogonal_problems_are_solved_in_one_step(generator) -> None:
    """With equal curvature in all directions the best step along the gradient is the solution."""
    rows = torch.eye(2).repeat(3, 1, 1) * torch.tensor([1.0, 2.0, 5.0])[:, None, None]
    target = torch.randn(3, 2, generator=generator)
    begin = [torch.randn(3, 1, generator=generator) for _ in range(2)]
    (x, y), _, losses = GNSteepestDescent(Lines(), num_iter=1, compute_losses=True)(
        begin, rows=rows, target=target
    )
    scale = torch.tensor([1.0, 2.0, 5.0])
    torch.testing.assert_close(torch.cat((x, y), 1), target / scale[:, None], rtol=1e-5, atol=1e-6)
    assert losses[0] > 0.1
    assert losses[1] < 1e-10


def test_each_problem_has_a_step_of_its_own(generator) -> None:
    rows = torch.randn(3, 4, 2, generator=generator)
    target = torch.randn(3, 4, generator=generator)
    begin = [torch.randn(3, 1, generator=generator) for _ in range(2)]
    together = GNSteepestDescent(Lines(), num_iter=4)(begin, rows=rows, target=target)[0]
    for k in range(3):
        alone = GNSteepestDescent(Lines(), num_iter=4)(
            [b[k : k + 1] for b in begin], rows=rows[k : k + 1], target=target[k : k + 1]
        )[0]
        for whole, part in zip(together, alone):
            torch.testing.assert_close(whole[k : k + 1], part)


def test_detaching_cuts_the_way_to_the_start(start, data) -> None:
    begin = start.requires_grad_()
    free = solver(LinearFilterHinge(**HINGE))(begin, **data)[0]
    cut = solver(LinearFilterHinge(**HINGE), detach_length=1)(begin, **data)[0]
    torch.testing.assert_close(cut, free)
    assert torch.autograd.grad(free.sum(), begin)[0].abs().sum() > 0
    assert torch.autograd.grad(cut.sum(), begin, allow_unused=True)[0] is None


def test_the_jacobian_products_are_adjoint(start, data, generator) -> None:
    data = {name: value.double() for name, value in data.items()}
    linear = linearise(LinearFilterHinge(**HINGE).double(), [start.double()], **data)
    v = [torch.randn(start.shape, generator=generator, dtype=torch.float64)]
    u = [torch.randn(r.shape, generator=generator, dtype=torch.float64) for r in linear.residuals]
    forward = sum((a * b).sum() for a, b in zip(linear.push(v), u))
    backward = sum((a * b).sum() for a, b in zip(linear.pull(u), v))
    torch.testing.assert_close(forward, backward)


def test_bf16_autocast_stays_close_and_returns_float32(start, data) -> None:
    expected = solver(LinearFilterHinge(**HINGE))(start, **data)[0]
    with torch.autocast("cpu", torch.bfloat16):
        weights, _, losses = solver(LinearFilterHinge(**HINGE))(start, **data)
    assert weights.dtype == losses[0].dtype == torch.float32
    torch.testing.assert_close(weights, expected, rtol=0.05, atol=3e-3)


def test_bad_input_is_named(start, data) -> None:
    with pytest.raises(InputError, match="train_label"):
        solver(LinearFilterHinge(**HINGE))(start, feat=data["feat"], bb=BOXES)
    with pytest.raises(ShapeError, match=r"\(2, 3, 5, 6\).*\(2, 3, 6, 7\)"):
        solver(LinearFilterHinge(**HINGE))(start, feat=data["feat"], train_label=torch.zeros(2, 3, 5, 6))
    with pytest.raises(ShapeError, match="3 problems.*residuals 2"):
        GNSteepestDescent(Mismatched())(torch.zeros(3, 1))
    with pytest.raises(UnknownNameError, match="did you mean 'relu'"):
        LinearFilterHinge(score_act="rel")


class Mismatched(nn.Module):
    """Two residuals for three problems."""

    def forward(self, parameters: list[Tensor]) -> list[Tensor]:
        return [parameters[0][:2] + 1]
