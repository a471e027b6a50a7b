"""No rows, no boxes, no labels: nothing in, nothing out. A filter may leave none, and that is no error."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ebm
from ebm import calibration
from ebm.baselines.build import BASELINES, build_baseline
from ebm.baselines.functional import gaussian_nll, huber, l1, l2, laplace_nll
from ebm.boxes import box_iou, rect_to_rel, rel_to_rect
from ebm.crps import crps_from_cells, crps_from_gaussian, crps_from_samples
from ebm.density import GridDensity, ImportanceDensity
from ebm.exceptions import DomainError, ShapeError
from ebm.losses.functional import cnce, kld_is, ml_is, ml_mcmc, nce
from ebm.losses.score_matching import denoising_score_matching, score_matching
from ebm.metrics import grid_kl, mean_absolute_error
from ebm.models import FunctionalEnergy
from ebm.nms import guided_nms
from ebm.ops.prroi_pool import prroi_pool2d, prroi_pool_per_image
from ebm.predict import gradient_ascent, gradient_ascent_early_stop, refine, refine_boxes
from ebm.proposals import GaussianMixtureProposal
from ebm.samplers import importance_resample, langevin

QUICK: dict[str, Any] = {"hidden": (4,), "epochs": 1, "progress": False}
DRAW = np.random.default_rng(0)
X, Y = DRAW.normal(size=(24, 3)), DRAW.normal(size=(24, 2))


class _Fussy(nn.Module):
    """A feature network that cannot take an empty batch, as many with a reshape inside."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.reshape(len(x), -1))


@pytest.fixture(scope="module", params=["one target", "two targets", "a network of one's own"])
def fitted(request: pytest.FixtureRequest) -> ebm.FittedEBM:
    own = {"feature_net": _Fussy()} if "own" in request.param else {}
    return ebm.fit(X, Y if "two" in request.param else Y[:, 0], **QUICK, **own)


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_a_fitted_density_of_no_rows(fitted: ebm.FittedEBM, kind: Callable[[Any], Any]) -> None:
    x, y = kind(X)[:0], kind(Y if fitted.target_dim == 2 else Y[:, 0])[:0]
    targets = (2,) if fitted.target_dim == 2 else ()
    for method in ("mean", "mode", "median"):
        assert fitted.predict(x, method=method).shape == (0, *targets)
    assert fitted.predict_interval(x).shape == (0, *targets, 2)
    assert fitted.log_prob(x, y).shape == (0,)
    assert fitted.sample(x, 3).shape == (0, 3, *targets)
    assert isinstance(fitted.predict(x), type(x))
    with pytest.raises(ShapeError, match="at least two rows"):
        fitted.score(x, y)
    for call in (lambda: ebm.fit(x, y, **QUICK), lambda: ebm.fit(X, Y, validation_data=(x, Y[:0]), **QUICK)):
        with pytest.raises(ShapeError, match="at least one row|no rows"):
            call()


def _score(y: Tensor) -> Tensor:
    return -0.5 * y.square().sum(-1)


POINTS = torch.linspace(-2, 2, 9)
DENSITIES: dict[str, Callable[[], Any]] = {
    "grid": lambda: GridDensity(_score, POINTS, batch_size=0),
    "grid of two": lambda: GridDensity(_score, [POINTS, POINTS], batch_size=0),
    "samples": lambda: ImportanceDensity(_score, GaussianMixtureProposal([1.0]), torch.zeros(0, 1), 8),
    "samples of two": lambda: ImportanceDensity(
        _score, GaussianMixtureProposal([1.0], target_dim=2), torch.zeros(0, 2), 8
    ),
    "fitted": lambda: ebm.fit(X, Y[:, 0], **QUICK).density(X[:0]),
    "gaussian": lambda: build_baseline("gaussian", 3).density(torch.zeros(0, 3)),
    "mdn-2": lambda: build_baseline("mdn-2", 3).density(torch.zeros(0, 3)),
}


@pytest.mark.parametrize("name", DENSITIES)
def test_a_density_of_no_items(name: str) -> None:
    density = DENSITIES[name]()
    dim, closed = density.target_dim, name in ("gaussian", "mdn-2")
    assert density.batch_size == 0
    for summary in ("mean", "mode", "variance", "std"):
        assert getattr(density, summary)().shape == (0, dim), summary
    assert density.cdf(0.5).shape == (0,)
    assert density.quantile([0.1, 0.9]).shape == (0, 2) or name == "mdn-2"
    assert density.log_prob(torch.zeros(0, dim, dtype=density.mean().dtype)).shape == (0,)
    assert density.log_prob(np.zeros((0, dim))).shape == (0,)
    assert density.sample(3).shape == (0, 3, dim)
    if closed:
        return
    assert density.covariance().shape == (0, dim, dim)
    assert density.entropy().shape == density.log_partition().shape == (0,)
    assert density.credible_interval(0.9).shape == (0, 2)
    assert density.credible_set(0.9).mass.shape == (0,)
    assert density.highest_density_rank(np.zeros((0, dim))).shape == (0,)
    assert density.effective_sample_size().shape == (0,)
    assert density.marginal(0).batch_size == 0


def test_the_honesty_of_no_densities_is_unknown() -> None:
    density, y = DENSITIES["grid"](), torch.zeros(0, 1)
    for many in (density, [density, density]):
        assert calibration.pit(many, y).shape == (0,)
        assert calibration.ranks(many, y).shape == calibration.crps(many, y).shape == (0,)
        assert calibration.coverage(many, y, [0.5, 0.9]).isnan().all()
        assert calibration.reliability(many, y).count == 0
        assert calibration.expected_calibration_error(many, y).isnan()
    with pytest.raises(ShapeError, match="at least one density"):
        calibration.pit([], y)


def test_the_mean_of_no_errors_is_unknown() -> None:
    assert mean_absolute_error(torch.zeros(0, 2), torch.zeros(0, 2)).isnan()
    assert grid_kl(torch.zeros(0, 5), torch.zeros(0, 5)).isnan()
    assert grid_kl(torch.zeros(3, 0, 5), torch.zeros(0, 5), reduction="none").shape == (3, 0)


EMPTY, BOXES = torch.zeros(0), torch.zeros(0, 4)
POINTWISE: dict[str, tuple[Callable[[], Tensor], tuple[int, ...]]] = {
    "guided_nms": (
        lambda: guided_nms(BOXES, EMPTY, EMPTY, torch.zeros(0, dtype=torch.long)).index,
        (0,),
    ),
    "prroi_pool2d": (lambda: prroi_pool2d(torch.ones(2, 3, 8, 8), torch.zeros(0, 5), 2), (0, 3, 2, 2)),
    "prroi_pool2d of no maps": (
        lambda: prroi_pool2d(torch.ones(0, 3, 8, 8), torch.zeros(0, 5), 2),
        (0, 3, 2, 2),
    ),
    "prroi_pool2d windowed": (
        lambda: prroi_pool2d(torch.ones(2, 3, 8, 8), torch.zeros(0, 5), 2, path="windowed"),
        (0, 3, 2, 2),
    ),
    "prroi_pool_per_image": (
        lambda: prroi_pool_per_image(torch.ones(2, 3, 8, 8), torch.zeros(2, 0, 4), 2),
        (2, 0, 3, 2, 2),
    ),
    "prroi_pool_per_image windowed": (
        lambda: prroi_pool_per_image(torch.ones(2, 3, 8, 8), torch.zeros(2, 0, 4), 2, path="windowed"),
        (2, 0, 3, 2, 2),
    ),
    "prroi_pool_per_image of no maps": (
        lambda: prroi_pool_per_image(torch.ones(0, 3, 8, 8), torch.zeros(0, 2, 4), 2),
        (0, 2, 3, 2, 2),
    ),
    "refine_boxes": (
        lambda: refine_boxes(_score, BOXES, space="relative", steps=2, step_length=0.1)[0],
        (0, 4),
    ),
    "refine_boxes default": (
        lambda: refine_boxes(_score, BOXES, space="default", steps=2, step_length=0.1)[1],
        (0,),
    ),
    "gradient_ascent": (lambda: gradient_ascent(_score, BOXES, steps=2, step_length=0.1).y, (0, 4)),
    "early stop": (lambda: gradient_ascent_early_stop(_score, BOXES, steps=2, step_length=0.1).y, (0, 4)),
    "refine": (
        lambda: (
            refine(
                FunctionalEnergy(lambda x, y: _score(y), 4),
                BOXES,
                BOXES,
                method="s1",
                steps=2,
                step_length=0.1,
            ).y
        ),
        (0, 4),
    ),
    "langevin": (lambda: langevin(_score, torch.zeros(0, 3, 1), 2, 0.1), (0, 3, 1)),
    "langevin without chains": (lambda: langevin(_score, torch.zeros(2, 0, 1), 2, 0.1), (2, 0, 1)),
    "importance_resample": (
        lambda: importance_resample(torch.zeros(0, 3, 2), torch.zeros(0, 3), 5),
        (0, 5, 2),
    ),
    "proposal": (lambda: GaussianMixtureProposal([1.0]).sample(torch.zeros(0, 1), 3).y, (0, 3, 1)),
    "box_iou": (lambda: box_iou(BOXES, BOXES), (0,)),
    "rect_to_rel": (lambda: rect_to_rel(BOXES, torch.zeros(0, 2)), (0, 4)),
    "rel_to_rect": (lambda: rel_to_rect(BOXES, torch.zeros(0, 2)), (0, 4)),
    "crps_from_cells": (lambda: crps_from_cells(torch.zeros(0, 5), torch.zeros(0, 5), EMPTY), (0,)),
    "crps_from_samples": (lambda: crps_from_samples(torch.zeros(0, 5), EMPTY), (0,)),
    "crps_from_gaussian": (lambda: crps_from_gaussian(EMPTY, EMPTY, EMPTY), (0,)),
}


@pytest.mark.parametrize("name", POINTWISE)
def test_a_function_of_nothing(name: str) -> None:
    call, shape = POINTWISE[name]
    assert call().shape == shape


ROW, TABLE = torch.zeros(0), torch.zeros(0, 3)
LOSSES: dict[str, Callable[..., Tensor]] = {
    "cnce": lambda **r: cnce(TABLE, **r),
    "nce": lambda **r: nce(TABLE, TABLE, **r),
    "ml_is": lambda **r: ml_is(ROW, TABLE, TABLE, **r),
    "kld_is": lambda **r: kld_is(TABLE, TABLE, TABLE, **r),
    "ml_mcmc": lambda **r: ml_mcmc(ROW, TABLE, **r),
    "score_matching": lambda **r: score_matching(_score, TABLE, **r),
    "denoising": lambda **r: denoising_score_matching(_score, TABLE, 0.1, 2, **r),
    "l1": lambda **r: l1(TABLE, TABLE, **r),
    "l2": lambda **r: l2(TABLE, TABLE, **r),
    "huber": lambda **r: huber(TABLE, TABLE, **r),
    "gaussian_nll": lambda **r: gaussian_nll(TABLE, TABLE, TABLE, **r),
    "laplace_nll": lambda **r: laplace_nll(TABLE, TABLE, TABLE, **r),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_of_no_items(name: str) -> None:
    assert LOSSES[name](reduction="none").shape == (0,)
    assert LOSSES[name](reduction="sum").item() == 0
    assert LOSSES[name](reduction="mean").item() == 0  # a batch without labels moves nothing


SETTINGS: dict[str, dict[str, Any]] = {"softmax": {"bins": [0.0, 1.0, 2.0]}}


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_of_no_rows(name: str) -> None:
    head = build_baseline(name, 3, **SETTINGS.get(name, {}))
    features = torch.zeros(0, 3, requires_grad=True)
    out = head(features, torch.zeros(0, 1))
    out.loss.backward()
    assert out.loss.item() == 0
    assert out.per_item.shape == (0,)
    assert head.predict(features).shape == (0, 1)
    for what in ("density", "quantiles"):
        if hasattr(head, what):
            getattr(head, what)(features)


def test_values_are_looked_at_even_where_there_are_few() -> None:
    with pytest.raises(DomainError, match="x must be finite"):
        ebm.fit(X, Y[:, 0], **QUICK).predict(np.full((1, 3), np.nan))
