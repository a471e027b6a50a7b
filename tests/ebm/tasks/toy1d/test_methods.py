"""The settings of the 1D study's methods."""

from dataclasses import replace

import pytest

from ebm.exceptions import DomainError, UnknownNameError
from ebm.tasks.toy1d.methods import METHODS, ToyMethod, method


def test_the_published_settings() -> None:
    assert (method("ml-is").sigmas, method("nce").sigmas) == ((0.2, 1.6), (0.1, 0.8))
    assert method("kld-is").label_sigma == 0.025
    assert (method("nce+").beta, method("nce+").beta_mode) == (0.025, "std")
    assert [method("dsm", data_set).dsm_sigma for data_set in (1, 2)] == [0.2, 0.075]
    assert [method("ml-mcmc-16", data_set).langevin_alpha for data_set in (1, 2)] == [0.05, 0.0125]
    assert [method(f"ml-mcmc-{steps}").langevin_steps for steps in (1, 16, 256)] == [1, 16, 256]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_says_what_it_uses_and_nothing_else(name: str) -> None:
    chosen = method(name, 2)
    settings = chosen.settings()
    assert settings["name"] == name
    assert None not in settings.values()
    assert chosen.num_samples == 1024
    assert ("num_samples" in settings) == (name != "sm")


def test_names_are_read_in_any_case_and_changes_are_applied() -> None:
    assert method("NCE+", beta_mode="variance", num_samples=16) == replace(
        method("nce+"), beta_mode="variance", num_samples=16
    )
    assert method("nce", num_samples=None) == method("nce")
    assert method("ml-mcmc-64").langevin_steps == 64
    assert method("ml-mcmc-64").label == "ML-MCMC-64"


@pytest.mark.parametrize("name", ["nec", "mcmc-16", "ml-mcmc-0", "ml-mcmc", ""])
def test_an_unknown_method_is_answered_with_names(name: str) -> None:
    with pytest.raises(UnknownNameError, match="Unknown method"):
        method(name)


def test_the_nearest_name_is_suggested() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean .*'ml-mcmc-16'"):
        method("mcmc-16")


@pytest.mark.parametrize(
    "changes",
    [
        {"label_sigma": 0.1},
        {"sigmas": None, "loss": "nce"},
        {"num_samples": 0},
        {"num_samples": 1.5},
        {"sigmas": (0.1, -1.0)},
        {"sigmas": (0.1, float("nan"))},
        {"dsm_sigma": 0.1},
        {"langevin_steps": 3},
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(DomainError):
        replace(method("nce"), **changes)


def test_unknown_words_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="beta mode"):
        method("nce+", beta_mode="vari")
    with pytest.raises(UnknownNameError, match="loss"):
        ToyMethod(name="x", loss="x")
    with pytest.raises(DomainError, match="beta"):
        method("nce+", beta=-1.0)
    with pytest.raises(DomainError, match="1 or 2"):
        method("nce", 3)
