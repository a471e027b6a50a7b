"""Recipes changed by ``--set`` and printed by ``--show``."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm.exceptions import DomainError, EBMError, InputError, UnknownNameError
from ltr.run_training import main
from ltr.train_settings.compare import flat_differences
from ltr.train_settings.recipe import TrainRecipe, find_recipe, recipe_names
from ltr.train_settings.settable import set_fields
from ltr.train_settings.shown import show_recipe

ROOT = Path(__file__).parents[3]
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
        ("network.frozen=conv1,bn1", {"network.frozen.2": ("layer1", None)}),
        ("network.frozen=[conv1, layer1]", {"network.frozen.1": ("bn1", "layer1")}),
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
        ("box.sigmas=(0.1,0.2)", InputError, r"a list of \(a number, a number\), e.g. \(\(0.1, 0.1\),\)"),
        ("box.sigmas=((0.1,0.2,0.3),)", InputError, "box.sigmas"),
        ("box=3", InputError, "box.beta"),
        ("batch_size.x=3", InputError, "no parts"),
        ("optimiser.groups.9.lr=1", InputError, "0 to 4"),
        ("optimiser.groups.0.lr=-1", DomainError, "positive"),
        ("name=mine", InputError, "names the setting"),
        ("datasets.0.name=lasto", UnknownNameError, "'lasot'"),
        ("optimiser.groups=5", InputError, r"optimiser.groups.0.path or optimiser.groups.0.lr"),
        ("network.kwargs=5", InputError, "e.g. network.kwargs."),
    ],
)
def test_what_does_not_fit_is_refused_by_name(assignment: str, error: type[EBMError], words: str) -> None:
    with pytest.raises(error, match=words):
        set_fields(RECIPE, [assignment])


@pytest.mark.parametrize(("module", "name"), [(m, n) for m, names in recipe_names().items() for n in names])
def test_what_is_shown_can_be_read_back_by_every_setting_of_its_name(
    module: str, name: str, tmp_path: Path
) -> None:
    recipe = find_recipe(module, name)
    other = replace(recipe, batch_size=7, geometry=replace(recipe.geometry, max_scale_change=1.25))
    other = replace(other, network=replace(recipe.network, frozen=("conv1",)))
    (tmp_path / "shown.txt").write_text(show_recipe(other, recipe))
    assert set_fields(recipe, [f"@{tmp_path / 'shown.txt'}"]) == other


def test_a_file_of_another_setting_or_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "shown.txt"
    file.write_text(show_recipe(find_recipe("dimp", "dimp18")))
    with pytest.raises(InputError, match=r"of the name 'dimp18', .* trains dimp dimp_nce_plus"):
        set_fields(RECIPE, [f"@{file}"])
    file.write_text("batch_size = 8  # fewer\n\nseed 3\n")
    with pytest.raises(InputError, match="line 3: expected key = value, found 'seed 3'"):
        set_fields(RECIPE, [f"@{file}"])
    with pytest.raises(InputError, match="cannot be read"):
        set_fields(RECIPE, [f"@{tmp_path / 'missing.txt'}"])


def test_fields_that_belong_together_are_checked_together() -> None:
    changed = set_fields(RECIPE, ["box.method=kld_is", "box.beta=none", "box.label_sigma=(0.1,0.1)"])
    assert changed.box == replace(find_recipe("dimp", "dimp_kld_is").box, label_sigma=(0.1, 0.1))
    with pytest.raises(DomainError, match="needs one"):
        set_fields(RECIPE, ["box.method=kld_is", "box.beta=none"])


def test_arguments_of_the_network_are_typed_by_its_constructor() -> None:
    changed = set_fields(RECIPE, ["network.kwargs.detach_length=2", "network.kwargs.iou_inter_dim=[64,64]"])
    assert changed.network.kwargs["detach_length"] == 2.0
    assert changed.network.kwargs["iou_inter_dim"] == (64, 64)
    with pytest.raises(InputError, match="a whole number"):
        set_fields(RECIPE, ["network.kwargs.optim_iter=many"])
    with pytest.raises(UnknownNameError, match="'optim_iter'"):
        set_fields(RECIPE, ["network.kwargs.optim_iters=3"])


@given(st.floats(min_value=1e-6, max_value=1e6), st.integers(min_value=2, max_value=10_000))
def test_numbers_survive_the_text(weight: float, batch: int) -> None:
    recipe: TrainRecipe = set_fields(RECIPE, [f"box.weight={weight!r}", f"batch_size={batch}"])
    assert math.isclose(recipe.box.weight, weight)
    assert recipe.batch_size == batch


def test_show_marks_what_was_changed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dimp", "dimp_nce_plus", "--set", "box.beta=0.2", "--epochs", "3", "--show"]) == 0
    marked = [line for line in capsys.readouterr().out.splitlines() if "  #" in line]
    assert [line.split()[0] for line in marked] == ["box.beta", "schedule.epochs"]
    assert "0.1 in dimp/dimp_nce_plus" in marked[0]
    assert main(["dimp", "dimp_nce_plus", "--set", "box.bta=0.2", "--show"]) == 2
    assert "'beta'" in capsys.readouterr().err


def test_a_reader_that_leaves_early_is_no_crash() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, str(ROOT / "ltr" / "run_training.py"), "dimp", "dimp_nce_plus", "--show"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
