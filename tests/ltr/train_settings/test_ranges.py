"""Numbers that a setting cannot have are refused by the key that `--set` knows."""

import pytest

from ebm.exceptions import DomainError
from ltr.train_settings.build import build_network
from ltr.train_settings.ranges import require_range
from ltr.train_settings.recipe import find_recipe
from ltr.train_settings.settable import set_fields

SMALL = find_recipe("dimp", "dimp_nce_plus_small")
OVERLAP = find_recipe("bbreg", "atom")


@pytest.mark.parametrize(
    "assignment",
    [
        "box.num_samples=0",
        "box.weight=-1",
        "box.sigmas=()",
        "box.sigmas=((0.1,0),)",
        "box.beta=-0.1",
        "geometry.crop_size=-8",
        "geometry.crop_size=100",
        "geometry.feature_stride=0",
        "geometry.filter_size=0",
        "geometry.search_area_scale=0",
        "geometry.max_scale_change=0.5",
        "jitter.train_centre=-1",
        "augmentation.grayscale=2",
        "augmentation.brightness=-0.1",
        "sampling.train_frames=0",
        "sampling.max_gap=0",
        "schedule.gamma=-1",
        "optimiser.clip_norm=0",
        "optimiser.weight_decay=-1",
        "optimiser.scratch_backbone_lr=0",
        "validation.every=0",
        "validation.samples=-1",
        "seed=-1",
    ],
)
def test_the_key_is_named(assignment: str) -> None:
    with pytest.raises(DomainError) as caught:
        set_fields(SMALL, [assignment])
    assert assignment.partition("=")[0] in str(caught.value)


@pytest.mark.parametrize(
    "assignment", ["box.min_iou=1.5", "box.spread=()", "box.spread=(0.1,0)", "datasets.0.weight=-1"]
)
def test_so_are_those_of_overlaps_and_data_sets(assignment: str) -> None:
    with pytest.raises(DomainError, match=r"box\.|weight of a data set"):
        set_fields(OVERLAP, [assignment])


@pytest.mark.parametrize(
    ("bounds", "value", "words"),
    [
        ({"least": 1}, 0, "x must be at least 1, got 0."),
        ({"above": 0}, 0, "x must be above 0, got 0."),
        ({"least": 0, "most": 1}, 2, r"x must be in \[0, 1\], got 2."),
        ({"above": 0, "most": 1}, 2, "x must be above 0 and at most 1, got 2."),
        ({"least": 0}, float("nan"), "x must be at least 0, got nan."),
    ],
)
def test_the_range_is_said(bounds: dict[str, float], value: float, words: str) -> None:
    with pytest.raises(DomainError, match=words):
        require_range("x", value, **bounds)


def test_the_bounds_themselves_and_none_pass() -> None:
    require_range("x", 1, least=1)
    require_range("x", 1, least=0, most=1)
    require_range("x", None, least=1)


@pytest.mark.parametrize(
    ("key", "words"),
    [("filter_size=5", "network.kwargs.filter_size"), ("feature_stride=16", "network's is 8")],
)
def test_maps_of_another_size_than_the_networks_are_refused(key: str, words: str) -> None:
    with pytest.raises(DomainError, match=words):
        build_network(set_fields(SMALL, [f"geometry.{key}"]))
