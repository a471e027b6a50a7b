"""Parameter sets: published values, checks that name the field, and look-up by name."""

import re
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from ebm.exceptions import DomainError, UnknownNameError
from ltr.train_settings.recipe import find_recipe
from pytracking.parameter import find_parameters, parameter_names
from pytracking.parameter.atom_params import ATOMParams
from pytracking.parameter.base import Augmentation
from pytracking.parameter.dimp_params import DiMPParams

GUIDE = Path(__file__).resolve().parents[3] / "docs/guide"
PAGES = "".join((GUIDE / name).read_text("utf-8") for name in ("trackers.md", "parameter-sets.md"))
EVERY_SET = [
    (tracker, name) for tracker in ("atom", "dimp", "first_box") for name in parameter_names(tracker)
]


@pytest.mark.parametrize(("tracker", "name"), EVERY_SET)
def test_every_set_is_in_the_guide_with_its_files(tracker: str, name: str) -> None:
    params = find_parameters(tracker, name)
    words = re.findall(r"`([^`\n]+)`", PAGES)
    known = [name if tracker != "first_box" else tracker, *params.network_files]
    assert set(known + [params.train_setting] * (params.train_setting is not None)) <= set(words)


def dimp(name: str) -> DiMPParams:
    params = find_parameters("dimp", name)
    assert isinstance(params, DiMPParams)
    return params


@pytest.mark.parametrize(("tracker", "name"), EVERY_SET)
def test_every_set_is_found_and_frozen(tracker: str, name: str) -> None:
    params = find_parameters(tracker, name)
    with pytest.raises(FrozenInstanceError):
        params.network_files = ()  # type: ignore[misc]
    assert params.needs_network == (tracker != "first_box")


def atom(name: str) -> ATOMParams:
    params = find_parameters("atom", name)
    assert isinstance(params, ATOMParams)
    return params


def test_published_atom_values() -> None:
    params = atom("default")
    assert params.crop_size == (288, 288)
    assert (params.search_area_scale, params.border_mode, params.scale_factors) == (5.0, "replicate", (1.0,))
    assert (params.sample_memory_size, params.init_samples_minimum_weight) == (250, 0.25)
    assert (params.learning_rate, params.hard_negative_learning_rate) == (0.01, 0.02)
    assert (params.init_gn_iter, params.init_cg_iter, params.cg_iter) == (6, 60, 5)
    assert (params.hard_negative_cg_iter, params.train_skipping) == (5, 10)
    assert (params.filter_size, params.compressed_dim) == ((4, 4), 64)
    assert (params.filter_reg, params.projection_reg) == (0.1, 1e-4)
    assert (params.output_sigma_factor, params.response_floor) == (0.25, 0.05)
    assert (params.box_refinement_space, params.box_refinement_iter) == ("default", 5)
    assert (params.box_refinement_step_length, params.box_refinement_step_decay) == (1.0, 1.0)
    assert (params.target_not_found_threshold, params.displacement_scale) == (0.25, 0.8)
    assert (params.hard_negative_threshold, params.distractor_threshold) == (0.5, 0.8)


def changed_from_atom(name: str) -> dict[str, object]:
    values, parents = atom(name).as_dict(), atom("default").as_dict()
    return {key: value for key, value in values.items() if value != parents[key]}


def test_atom_variants_differ_in_what_the_spec_says() -> None:
    relative = {"box_refinement_space": "relative", "box_refinement_iter": 10}
    names = {"network_files": ("atom_gmm_sampl",), "train_setting": "bbreg/atom_gmm_sampl"}
    expected = names | relative | {"box_refinement_step_length": (1e-2, 5e-2)}
    assert changed_from_atom("atom_gmm_sampl") == expected
    for name in ("atom_prob_ml", "atom_kld_is", "atom_nce_plus"):
        file = name if name == "atom_prob_ml" else f"{name}.pth.tar"
        names = {"network_files": (file,), "train_setting": f"bbreg/{name}"}
        assert changed_from_atom(name) == names | relative | {
            "box_refinement_step_length": (2e-4, 1e-3),
            "box_scores": "density",
        }
    scales = changed_from_atom("multiscale_no_iounet")
    assert scales.pop("scale_factors") == pytest.approx((0.96117, 0.98039, 1.0, 1.02, 1.0404), abs=1e-5)
    assert scales == {"use_iou_net": False}
    assert changed_from_atom("default_vot") == {
        "image_sample_size": 224,
        "search_area_scale": 4.0,
        "learning_rate": 0.0075,
        "init_samples_minimum_weight": 0.0,
        "window_output": True,
        "target_not_found_threshold": -1.0,
        "distractor_threshold": 100.0,
        "hard_negative_threshold": 0.3,
        "displacement_scale": 0.7,
    }


@pytest.mark.parametrize("name", parameter_names("atom"))
def test_every_atom_set_names_a_train_setting_that_there_is(name: str) -> None:
    module, setting = str(atom(name).train_setting).split("/")
    assert find_recipe(module, setting).network.constructor.startswith(("atom_resnet", "atomnet_lite"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("score_preprocess", "softmax"),
        ("filter_size", 4),
        ("filter_size", (4, 0)),
        ("compressed_dim", 0),
        ("filter_reg", 0.0),
        ("projection_reg", -1.0),
        ("response_floor", 0.0),
        ("cg_iter", 2.5),
        ("init_gn_iter", 0),
        ("box_refinement_on_decrease", "stop"),
    ],
)
def test_a_bad_value_of_atom_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(DomainError, match=field):
        replace(atom("default"), **{field: value})


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
        ("box_scores", "iou"),
        ("compat", "zero_mask"),
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
