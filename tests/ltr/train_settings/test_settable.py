"""Recipes changed by ``--set`` and printed by ``--show``."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm.exceptions import DomainError, EBMError, InputError, UnknownNameError
from ltr.run_training import main
from ltr.train_settings.compare import flat_differences, flatten
from ltr.train_settings.recipe import TrainRecipe, find_recipe, recipe_names
from ltr.train_settings.settable import set_fields, show_recipe

RECIPE = find_recipe("dimp", "dimp_nce_plus")


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("batch_size=10", {"batch_size": (20, 10)}),
        ("box.beta=0.2", {"box.beta": (0.1, 0.2)}),
        ("box.beta_mode=variance", {"box.beta_mode": ("std", "variance")}),
        ("box.sigmas=((0.1,0.1),)", {"box.sigmas.0.0": (0.05, 0.1), "box.sigmas.0.1": (0.05, 0.1)}),
        ("box.sigmas.1.0=1", {"box.sigmas.1.0": (0.5, 1.0)}),
        ("geometry.max_scale_change=none", {"geometry.max_scale_change": (1.5, None)}),
        ("channels_last=False", {"channels_last": (True, False)}),
        ("optimiser.clip_norm=5", {"optimiser.clip_norm": (None, 5.0)}),
        ("optimiser.groups.3.lr=2e-4", {"optimiser.groups.3.lr": (1e-3, 2e-4)}),
        ("datasets.0.weight=0.25", {"datasets.0.weight": (1.0, 0.25)}),
        ("network.frozen=()", {"network.frozen.0": ("conv1", None)}),
    ],
)
def test_a_field_is_set_and_nothing_else(assignment: str, expected: dict[str, tuple[object, object]]) -> None:
    changed = flat_differences(RECIPE.plain(), set_fields(RECIPE, [assignment]).plain())
    assert expected.items() <= changed.items()
    key = assignment.partition("=")[0]
    assert all(name.startswith(key) for name in changed)


@pytest.mark.parametrize(
    ("assignment", "error", "words"),
    [
        ("batch_size", InputError, "key=value"),
        ("batchsize=3", UnknownNameError, "batch_size"),
        ("box.betta=3", UnknownNameError, "'beta'"),
        ("batch_size=ten", InputError, "whole number"),
        ("batch_size=1.5", InputError, "whole number"),
        ("batch_size=true", InputError, "whole number"),
        ("batch_size=1", DomainError, "at least 2"),
        ("box.beta=wide", InputError, "a number or none"),
        ("box.beta=none", DomainError, "nce_plus"),
        ("box.beta_mode=both", UnknownNameError, "variance"),
        ("box.sigmas=(0.1,0.2)", InputError, "box.sigmas"),
        ("box.sigmas=((0.1,0.2,0.3),)", InputError, "box.sigmas"),
        ("box=3", InputError, "box.beta"),
        ("batch_size.x=3", InputError, "no parts"),
        ("optimiser.groups.9.lr=1", InputError, "0 to 4"),
        ("optimiser.groups.0.lr=-1", DomainError, "positive"),
        ("name=mine", InputError, "names the setting"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(assignment: str, error: type[EBMError], words: str) -> None:
    with pytest.raises(error, match=words):
        set_fields(RECIPE, [assignment])


@pytest.mark.parametrize(("module", "name"), [(m, n) for m, names in recipe_names().items() for n in names])
def test_every_shown_line_can_be_set_back(module: str, name: str) -> None:
    recipe = find_recipe(module, name)
    lines = [line.split(" = ") for line in show_recipe(recipe).splitlines()]
    values = {key.strip(): value for key, value in lines}
    assert values.pop("fingerprint") == repr(recipe.fingerprint())
    assert set(values) == set(flatten(recipe.plain()))
    assignments = [f"{key}={value}" for key, value in values.items() if key not in ("module", "name")]
    assert set_fields(recipe, assignments) == recipe


@given(st.floats(min_value=1e-6, max_value=1e6), st.integers(min_value=2, max_value=10_000))
def test_numbers_survive_the_text(weight: float, batch: int) -> None:
    recipe: TrainRecipe = set_fields(RECIPE, [f"box.weight={weight!r}", f"batch_size={batch}"])
    assert math.isclose(recipe.box.weight, weight)
    assert recipe.batch_size == batch


def test_show_marks_what_was_changed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dimp", "dimp_nce_plus", "--set", "box.beta=0.2", "--epochs", "3", "--show"]) == 0
    marked = [line for line in capsys.readouterr().out.splitlines() if "#" in line]
    assert [line.split()[0] for line in marked] == ["box.beta", "schedule.epochs"]
    assert "0.1 in dimp/dimp_nce_plus" in marked[0]
    assert main(["dimp", "dimp_nce_plus", "--set", "box.bta=0.2", "--show"]) == 2
    assert "'beta'" in capsys.readouterr().err
