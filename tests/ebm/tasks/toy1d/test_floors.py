"""The floors of the objectives against closed forms and the values checked before."""

import pytest
import torch

from ebm.exceptions import DomainError
from ebm.tasks.toy1d.evaluation import true_density
from ebm.tasks.toy1d.floors import label_noise, noise_floor, population_floor
from ebm.tasks.toy1d.methods import method

# Data set 1 and 2, computed independently with a noise sampled on the grid; ours is exact, hence 2 %.
ANCHORS = [
    ("nce+", {"beta_mode": "std"}, (0.0002, 0.0248)),
    ("nce+", {"beta_mode": "variance"}, (0.0580, 0.2443)),
    ("kld-is", {}, (0.0014, 0.0990)),
    ("dsm", {}, (0.3277, 0.3948)),
    ("dsm", {"dsm_sigma": 0.2}, (0.3277, 0.9545)),
]


@pytest.mark.parametrize(("name", "changes", "expected"), ANCHORS)
def test_floors_are_those_computed_before(name: str, changes: dict, expected: tuple[float, float]) -> None:
    for data_set in (1, 2):
        floor = population_floor(method(name, data_set, **changes), true_density(data_set))
        assert floor == pytest.approx(expected[data_set - 1], rel=0.02, abs=1e-4)


@pytest.mark.parametrize("sigma", [0.025, 0.075, 0.2])
def test_a_blurred_gaussian_is_the_wider_gaussian(sigma: float) -> None:
    variance = (0.15 * true_density(2).x.sigmoid()).square()
    wider = variance + sigma**2
    expected = 0.5 * ((wider / variance).log() + variance / wider - 1).mean()
    assert noise_floor(true_density(2), [sigma]) == pytest.approx(float(expected), rel=2e-4)


def test_methods_without_label_noise_have_no_floor_and_short_chains_no_optimum() -> None:
    truth = true_density(1, 64)
    assert [population_floor(method(name), truth) for name in ("nce", "ml-is", "sm")] == [0.0, 0.0, 0.0]
    assert population_floor(method("nce+", beta=0.0), truth) == 0.0
    assert population_floor(method("ml-mcmc-16"), truth) is None


def test_the_label_noise_of_nce_plus_in_both_readings() -> None:
    torch.testing.assert_close(label_noise(method("nce+")), (0.0025, 0.02))
    variance = label_noise(method("nce+", beta_mode="variance"))
    torch.testing.assert_close(variance, (0.0158114, 0.1264911), atol=1e-6, rtol=0)


def test_a_noise_without_width_is_refused() -> None:
    with pytest.raises(DomainError, match="sigmas"):
        noise_floor(true_density(1, 64), [0.0])
