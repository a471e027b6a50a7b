"""Parameter sets: published values, checks that name the field, and look-up by name."""

from dataclasses import FrozenInstanceError, replace

import pytest

from ebm.exceptions import DomainError, UnknownNameError
from pytracking.parameter import find_parameters, parameter_names
from pytracking.parameter.base import Augmentation
from pytracking.parameter.dimp_params import DiMPParams

EVERY_SET = [(tracker, name) for tracker in ("dimp", "first_box") for name in parameter_names(tracker)]


def dimp(name: str) -> DiMPParams:
    params = find_parameters("dimp", name)
    assert isinstance(params, DiMPParams)
    return params


@pytest.mark.parametrize(("tracker", "name"), EVERY_SET)
def test_every_set_is_found_and_frozen(tracker: str, name: str) -> None:
    params = find_parameters(tracker, name)
    with pytest.raises(FrozenInstanceError):
        params.network_files = ()  # type: ignore[misc]
    assert params.needs_network == (tracker == "dimp")


def test_published_dimp18_values() -> None:
    params = dimp("dimp18")
    assert params.crop_size == (288, 288)
    assert (params.search_area_scale, params.border_mode) == (5.0, "replicate")
    assert (params.sample_memory_size, params.init_samples_minimum_weight) == (50, 0.25)
    assert (params.learning_rate, params.hard_negative_learning_rate) == (0.01, 0.02)
    assert (params.net_opt_iter, params.net_opt_update_iter, params.net_opt_hn_iter) == (10, 2, 1)
    assert (params.box_refinement_space, params.box_refinement_iter) == ("default", 5)
    assert params.box_refinement_step_length == 1.0
    assert (params.target_not_found_threshold, params.displacement_scale) == (0.25, 0.8)
    assert replace(dimp("dimp50"), network_files=params.network_files) == params


@pytest.mark.parametrize("name", ["nce_plus", "kld_is"])
def test_energy_sets_track_with_super_dimps_settings(name: str) -> None:
    params, parent = dimp(name), dimp("super_dimp")
    assert params.train_setting == f"dimp/dimp_{name}"
    assert params.network_files == (f"dimp_{name}.pth.tar",)
    assert (params.image_sample_size, params.search_area_scale) == (352, 6.0)
    assert (params.border_mode, params.patch_max_scale_change) == ("inside_major", 1.5)
    assert (params.box_refinement_space, params.box_refinement_iter) == ("relative", 10)
    assert params.box_refinement_step_length == 2.5e-3
    assert replace(params, network_files=parent.network_files, train_setting=None) == parent


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image_sample_size", 8),
        ("search_area_scale", 0.5),
        ("border_mode", "reflect"),
        ("patch_max_scale_change", 0.5),
        ("scale_factors", ()),
        ("score_preprocess", "sigmoid"),
        ("target_not_found_threshold", float("nan")),
        ("displacement_scale", 0.0),
        ("sample_memory_size", 0),
        ("sample_memory_size", True),
        ("learning_rate", 0.0),
        ("hard_negative_learning_rate", 1.5),
        ("init_samples_minimum_weight", -0.1),
        ("box_refinement_space", "log"),
        ("box_refinement_step_length", (1.0, -1.0)),
        ("box_refinement_step_decay", 0.0),
        ("iounet_k", 0),
        ("maximal_aspect_ratio", 1.0),
        ("net_opt_hn_iter", None),
        ("train_skipping", 0),
        ("update_classifier", "False"),
        ("low_score_opt_threshold", "low"),
    ],
)
def test_a_bad_value_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(DomainError, match=field):
        replace(dimp("dimp18"), **{field: value})


def test_a_bad_augmentation_is_refused_by_name() -> None:
    with pytest.raises(DomainError, match="expansion"):
        Augmentation(expansion=0.5)
    with pytest.raises(DomainError, match="dropout"):
        Augmentation(dropout=(2, 1.0))


def test_a_misspelt_field_is_no_field() -> None:
    with pytest.raises(TypeError, match="dispalcement"):
        DiMPParams(dispalcement_scale=0.7)  # type: ignore[call-arg]


def test_unknown_names_come_with_the_nearest_ones() -> None:
    with pytest.raises(UnknownNameError, match="'nce_plus'"):
        find_parameters("dimp", "nce_pluss")
    with pytest.raises(UnknownNameError, match="'dimp'"):
        find_parameters("dimpp", "nce_plus")
    with pytest.raises(UnknownNameError, match="super_dimp"):
        find_parameters("dimp", "zzz")
