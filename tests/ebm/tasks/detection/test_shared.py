"""f of boxes around labels: values, gradients and what they teach, as by autograd on the whole maps."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ebm.gradients import score_and_gradient
from ebm.losses.gradient_losses import DenoisingScoreMatchingLoss, MLMCMCLoss
from ebm.losses.score_matching import score_terms
from ebm.tasks.detection.branch import corners_of
from ebm.tasks.detection.energy import Problems, PyramidEnergy
from ebm.tasks.detection.shared import SharedEnergy
from tests.ebm.tasks.detection.energies import boxes, energy


def labelled(
    seed: int, spread: float, count: int = 6, columns: int = 3
) -> tuple[PyramidEnergy, Problems, Tensor]:
    """Relative boxes around five labels, ``(5, count, 4)``."""
    model = energy(columns)
    rects, image, column = boxes(5, seed)
    problems, y = model.labels(image, column, corners_of(rects))
    noise = torch.randn(5, count, 4, generator=torch.Generator().manual_seed(seed))
    return model, problems, y[:, None] + spread * noise


class Plain(PyramidEnergy):
    """The same energy, by autograd alone."""


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), spread=st.sampled_from([0.005, 0.1, 0.6]))
def test_boxes_around_labels_have_the_gradients_of_autograd(seed: int, spread: float) -> None:
    """Also where those of a label are on several levels."""
    model, problems, y = labelled(seed, spread)
    shared = model.score_function(problems)
    assert isinstance(shared, SharedEnergy)
    expected = score_and_gradient(partial(model._plainly, problems), y)
    found = score_and_gradient(shared, y)
    torch.testing.assert_close(found.score, expected.score, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.gradient, expected.gradient, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(shared(y), expected.score)


@pytest.mark.parametrize("broken", ["no label", "no box", "no area", "not finite"])
def test_boxes_around_labels_may_be_what_they_like(broken: str) -> None:
    model, problems, y = labelled(0, 0.01)
    if broken == "no label":
        problems, y = Problems(*(own[:0] for own in problems)), y[:0]
    elif broken == "no box":
        y = y[:, :0]
    else:
        y[2, 1, 2] = -200.0 if broken == "no area" else torch.nan
    expected = model._plainly(problems, y)
    value, gradient = model.score_function(problems).value_and_gradient(y)  # type: ignore[attr-defined]
    torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-4, equal_nan=True)
    assert gradient.shape == y.shape


def test_chains_end_where_autograd_leads_them() -> None:
    model, problems, y = labelled(3, 0.0)
    loss = MLMCMCLoss(4, 6, 4, 0.02)
    outs = [
        loss(own, problems, y[:, 0], generator=torch.Generator().manual_seed(0))
        for own in (model, Plain(model.branch, model.pyramid))
    ]
    torch.testing.assert_close(outs[0].per_item, outs[1].per_item, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(outs[0].aux, outs[1].aux, rtol=1e-3, atol=1e-4)
    assert float(outs[0].aux["grad_norm"]) > 0


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("chunk", [None, 4])
def test_denoising_trains_as_it_does_by_autograd(columns: int, chunk: int | None) -> None:
    model, problems, y = labelled(7, 0.0, columns=columns)
    model.branch.requires_grad_(True)
    loss = DenoisingScoreMatchingLoss(4, 9, 0.1, chunk=chunk)
    slopes = []
    for own in (model, Plain(model.branch, model.pyramid)):
        model.branch.zero_grad()
        out = loss(own, problems, y[:, 0], generator=torch.Generator().manual_seed(0))
        out.loss.backward()
        slopes.append([parameter.grad for parameter in model.branch.parameters()])
        assert slopes[-1].pop() is None  # the last bias is in no gradient
        slopes[-1].append(out.loss.detach())
    for found, expected in zip(*slopes):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
    assert float(slopes[1][0].abs().max()) > 0


def test_scores_of_boxes_around_labels_train_as_they_do_by_autograd() -> None:
    model, problems, y = labelled(5, 0.2)
    model.branch.requires_grad_(True)
    slopes = []
    for own in (model, Plain(model.branch, model.pyramid)):
        model.branch.zero_grad()
        own.score(problems, y).square().sum().backward()
        slopes.append([parameter.grad.clone() for parameter in model.branch.parameters()])
    for found, expected in zip(*slopes):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


def test_scores_can_be_differentiated_twice_in_boxes() -> None:
    model, problems, y = labelled(5, 0.05)
    terms = score_terms(model.score_function(problems), y[:, 0])
    expected = score_terms(partial(model._plainly, problems), y[:, 0])
    torch.testing.assert_close(terms.trace, expected.trace)
    assert not terms.is_flat
