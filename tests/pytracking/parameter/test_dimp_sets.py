"""DiMP's parameter sets: published values, and what differs from one to the next."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ltr.train_settings.recipe import DensityRecipe, find_recipe, recipe_names
from ltr.train_settings.terms import OverlapRecipe
from pytracking.parameter import find_parameters, parameter_names
from pytracking.parameter.dimp_params import DiMPParams


def dimp(name: str) -> DiMPParams:
    params = find_parameters("dimp", name)
    assert isinstance(params, DiMPParams)
    return params


PUBLISHED = json.loads((Path(__file__).parent / "published.json").read_text(encoding="utf-8"))
"""Values of the published parameter files; those of all but the first are what differs from the first."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_values(name: str) -> None:
    params = dimp(name)
    published = PUBLISHED["dimp18"] | PUBLISHED[name]
    for field, value in published.items():
        owner, _, part = field.rpartition(".")
        holder = getattr(params, owner) if owner else params
        assert (
            _plain(getattr(holder, part)) == pytest.approx(value)
            if _is_number(value)
            else (_plain(getattr(holder, part)) == value)
        ), field
    files = {"dimp": ".pth", "prdimp": ".pth.tar", "super": ".pth.tar"}
    network = name.partition("_vot")[0]
    suffix = next(suffix for start, suffix in files.items() if name.startswith(start))
    assert params.network_files == (network + suffix,)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(value: object) -> object:
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def test_sets_that_differ_in_their_network_alone() -> None:
    """Who tracks with whose settings; the second paper changes nothing but the loss."""
    own = {"network_files": (), "train_setting": None}
    for name, parent in (
        ("dimp50", "dimp18"),
        ("dimp50_vot18", "dimp18_vot18"),
        *((name, "super_dimp") for name in ("kld_is", "nce", "nce_plus", "super_dimp_simple")),
        *((name, "super_dimp") for name in ("kld_is18", "nce18", "nce_plus18")),
        *((name, "super_dimp") for name in ("super_dimp18", "super_dimp18_simple")),
        *((name, "nce_plus_small") for name in ("kld_is_small", "super_dimp_simple_small")),
        ("kld_is_lite", "nce_plus_lite"),
    ):
        assert replace(dimp(name), **own) == replace(dimp(parent), **own), name


@pytest.mark.parametrize("name", parameter_names("dimp"))
def test_every_set_fits_a_train_setting(name: str) -> None:
    """Training leaves weights that the set finds."""
    params = dimp(name)
    assert params.train_setting is not None
    recipe = find_recipe(*params.train_setting.split("/"))
    softmax = isinstance(recipe.classifier, DensityRecipe) and "vot" not in name
    assert (params.score_preprocess == "softmax") == softmax
    if params.geometry_from_network and not name.endswith("small"):
        assert params.image_sample_size == recipe.geometry.crop_size
        assert params.search_area_scale == recipe.geometry.search_area_scale


@pytest.mark.parametrize(("tracker", "name"), [(t, n) for t in ("atom", "dimp") for n in parameter_names(t)])
def test_training_and_set_agree_on_what_the_box_branch_gives(tracker: str, name: str) -> None:
    params = find_parameters(tracker, name)
    recipe = find_recipe(*str(params.train_setting).split("/"))
    overlaps = isinstance(recipe.box, OverlapRecipe)
    assert params.as_dict()["box_scores"] == ("overlap" if overlaps else "density")


def test_every_train_setting_has_a_set() -> None:
    known = {dimp(name).train_setting for name in parameter_names("dimp")}
    assert known == {f"dimp/{name}" for name in recipe_names()["dimp"]}
