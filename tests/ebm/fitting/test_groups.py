"""Rows of one group are never both trained on and held out, and a calibration counts groups."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import ebm
from ebm.exceptions import CoverageWarning, DomainError, InputError, ShapeError
from ebm.fitting.conformal import LEVELS, Calibration, Scores
from ebm.fitting.groups import group_folds, split_groups
from ebm.fitting.rows import Rows, prepare_rows
from ebm.fitting.warm import warm_rows
from ebm.integrity.torch_files import read_torch_file

QUICK: dict[str, Any] = {"hidden": (8,), "epochs": 2, "seed": 0}
SIZES = (1, 2, 3, 5, 8, 13, 4, 4)
GROUPS = np.repeat(np.arange(len(SIZES)), SIZES)
DRAW = np.random.default_rng(0)
X = np.stack((GROUPS, DRAW.normal(size=len(GROUPS))), 1)  # the first column tells the group
Y = X[:, 1] + 0.1 * DRAW.normal(size=len(GROUPS))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=4, max_size=40), st.floats(0.05, 0.95), st.integers(0, 5))
def test_whole_groups_are_held_out(labels: list[int], share: float, seed: int) -> None:
    codes = torch.tensor(labels)
    if len(set(labels)) < 2:
        with pytest.raises(DomainError, match="all rows are of one group"):
            split_groups(codes, share, seed)
        return
    train, held = split_groups(codes, share, seed)
    assert len(train)
    assert len(held)
    assert sorted([*train.tolist(), *held.tolist()]) == list(range(len(labels)))
    assert not {*codes[train].tolist()} & {*codes[held].tolist()}


def test_the_share_held_out_is_as_close_as_groups_allow() -> None:
    codes = torch.arange(100).repeat_interleave(5)
    _, held = split_groups(codes, 0.15, 0)
    assert len(held) == 75
    assert not torch.equal(held, split_groups(codes, 0.15, 1)[1])
    giant = torch.tensor([0] * 90 + [1] * 6 + [2] * 4)
    assert all(0 not in giant[split_groups(giant, 0.15, seed)[1]] for seed in range(5))


def test_every_member_holds_out_groups_of_its_own() -> None:
    train, held, _ = prepare_rows(X, Y, None, None, share=0.2, seed=0, members=3, groups=GROUPS)
    pairs = list(zip(train.x.chunk(3), train.weights.chunk(3), held.x.chunk(3), held.weights.chunk(3)))
    chosen = []
    for x, weights, held_x, held_weights in pairs:
        trained, kept = ({*rows[w > 0, 0].tolist()} for rows, w in ((x, weights), (held_x, held_weights)))
        assert not trained & kept
        assert trained | kept == {*range(len(SIZES))}
        assert int((weights > 0).sum() + (held_weights > 0).sum()) == len(X)  # each row once
        chosen.append(kept)
    assert len({frozenset(kept) for kept in chosen}) > 1


def test_rows_of_no_weight_have_no_group() -> None:
    weights = (GROUPS != 3).astype(float)
    train, held, _ = prepare_rows(X, Y, weights, None, share=0.2, seed=0, groups=GROUPS)
    assert 3 not in {*train.x[:, 0].tolist(), *held.x[:, 0].tolist()}


class Recorder:
    """A base that knows which groups it saw; it predicts 0."""

    seen: list[tuple[set[float], set[float]]] = []

    def fit(self, X: Any, y: Any) -> None:
        self.own = {*X[:, 0].tolist()}

    def predict(self, X: Any) -> Any:
        Recorder.seen.append((self.own, {*X[:, 0].tolist()}))
        return np.zeros(len(X))


def test_folds_of_a_base_have_whole_groups() -> None:
    Recorder.seen = []
    fitted = ebm.fit(X, Y, base=Recorder(), groups=GROUPS, **QUICK)
    assert len(Recorder.seen) == 5
    assert all(not trained & asked for trained, asked in Recorder.seen)
    assert np.isfinite(fitted.log_prob(X, Y)).all()
    folds = list(group_folds(torch.tensor([0, 0, 1, 1]), 5, 0))
    assert sorted(map(len, folds)) == [2, 2]
    with pytest.raises(DomainError, match="needs two or more"):
        next(group_folds(torch.zeros(4), 5, 0))


def scores_of(rank: Tensor) -> Scores:
    column = rank.double()
    outside = column[:, None, None].expand(-1, 1, len(LEVELS))
    return Scores(rank=column, log_prob=-column, pit=column[:, None], outside=outside)


def test_every_group_counts_the_same() -> None:
    # Three groups have a mass of a quarter each: 0.1; 0.2 and 0.3; 0.7, 0.8 and 0.9.
    rank, clusters = torch.tensor([0.9, 0.1, 0.2, 0.8, 0.3, 0.7]), torch.tensor([2, 0, 1, 2, 1, 2])
    own = Calibration(scores=scores_of(rank), clusters=clusters)
    for level, least in ((0.25, 0.1), (0.26, 0.2), (0.5, 0.3), (0.51, 0.7), (0.6, 0.8), (0.75, 0.9)):
        assert own.threshold(own.scores.rank, level).item() == pytest.approx(least)
    assert own.threshold(own.scores.outside, 0.5).shape == (1, 1, len(LEVELS))
    assert str(own) == "6 rows of 3 groups"
    with pytest.raises(DomainError, match=r"3 groups of calibration cannot guarantee 0.9 .* takes 9"):
        own.threshold(own.scores.rank, 0.9)


def test_single_rows_as_groups_are_the_plain_calibration() -> None:
    rank = torch.rand(40, generator=torch.Generator().manual_seed(0))
    plain, single = (Calibration(scores=scores_of(rank), clusters=c) for c in (None, torch.arange(40)))
    for level in (0.3, 0.5, 0.9, 0.95):
        assert plain.threshold(plain.scores.rank, level) == single.threshold(single.scores.rank, level)


def test_coverage_of_rows_of_new_groups() -> None:
    """Scores are a group's own level and a little noise: rows say no more than groups do."""
    generator = torch.Generator().manual_seed(0)
    held = {True: 0.0, False: 0.0}
    for _ in range(300):
        level = torch.randn(40, generator=generator)
        clusters = torch.arange(20).repeat_interleave(torch.arange(1, 21))
        rank = level[clusters] + 0.1 * torch.randn(len(clusters), generator=generator)
        new = level[20:] + 0.1 * torch.randn(20, generator=generator)
        for whole in held:
            own = Calibration(scores=scores_of(rank), clusters=clusters if whole else None)
            held[whole] += (new <= own.threshold(own.scores.rank, 0.9)).double().mean().item() / 300
    error = math.sqrt(0.9 * 0.1 / 6000)
    assert 0.9 - 3 * error < held[True] < 0.97
    assert held[False] < 0.89  # by rows, a few large groups decide


def test_a_fit_calibrates_by_the_groups_held_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    names = np.array([f"house {i}" for i in range(60)]).repeat(4)
    x = rng.normal(size=(240, 1))
    y = x[:, 0] + rng.normal(size=60).repeat(4)
    fitted = ebm.fit(x, y, groups=names, validation=0.25, calibrate=True, members=2, **QUICK)
    own = fitted.calibration
    assert own is not None
    assert own.count > 15
    assert len(own.scores.rank) == 120
    fitted.save(tmp_path / "f.ebm")
    again = ebm.load_fitted(tmp_path / "f.ebm")
    np.testing.assert_array_equal(again.predict_interval(x[:5]), fitted.predict_interval(x[:5]))
    assert str(again.calibration) == str(own)
    fitted.calibrate(x, y, clusters=names)
    assert str(fitted.calibration) == "240 rows of 60 groups"
    with pytest.raises(ShapeError, match="one group per row"):
        fitted.calibrate(x, y, clusters=names[:3])


def test_too_few_groups_are_told() -> None:
    with pytest.warns(CoverageWarning, match=r"stands on 1 group held out, .* above 50%"):
        fitted = ebm.fit(X, Y, groups=GROUPS, calibrate=True, **QUICK)
    with pytest.raises(DomainError, match="takes 9"):
        fitted.predict_interval(X)
    assert fitted.predict_interval(X, 0.5).shape == (len(X), 2)


def parted(train: Rows, held: Rows, members: int) -> None:
    """Assert that no group is both trained on and held out by a member; the first column tells it."""
    for own in range(members):
        seen = []
        for rows in (train, held):
            part = slice(own * len(rows.x) // members, (own + 1) * len(rows.x) // members)
            assert rows.groups is not None
            used = rows.weights[part] > 0
            seen.append({*rows.groups[part][used].tolist()})
            assert seen[-1] == {*rows.x[part][used, 0].tolist()}
        assert not seen[0] & seen[1]
        assert seen[0] | seen[1] == {*range(len(SIZES))}


@pytest.mark.parametrize("members", [1, 3])
def test_censored_targets_are_held_out_by_whole_groups(members: int) -> None:
    y = ebm.Censored.right(Y, Y < 0.5)
    train, held, _ = prepare_rows(X, y, None, None, share=0.2, seed=0, members=members, groups=GROUPS)
    parted(train, held, members)
    for rows in (train, held):  # bounds and groups stay with their rows
        assert rows.bounds is not None
        place = [int(np.flatnonzero((row == X).all(1))[0]) for row in rows.x.numpy()]
        np.testing.assert_array_equal(rows.bounds[:, 1], y.upper[place])
    fitted = ebm.fit(X, y, groups=GROUPS, members=members, **QUICK)
    assert np.isfinite(fitted.log_prob(X, Y)).all()
    with pytest.raises(InputError, match="calibrate=True counts how many targets lie inside"):
        ebm.fit(X, y, groups=GROUPS, calibrate=True, **QUICK)


def test_angles_are_held_out_and_calibrated_by_whole_groups(tmp_path: Path) -> None:
    names = np.arange(60).repeat(3)
    x = np.random.default_rng(2).normal(size=(180, 1))
    y = (40 * x[:, 0] + 350) % 360
    fitted = ebm.fit(x, y, support="degrees", groups=names, validation=0.25, calibrate=True, **QUICK)
    assert str(fitted.calibration) == "45 rows of 15 groups"
    fitted.save(tmp_path / "f.ebm")
    again = ebm.load_fitted(tmp_path / "f.ebm")
    np.testing.assert_array_equal(again.predict_interval(x[:5]), fitted.predict_interval(x[:5]))


@pytest.mark.parametrize("members", [1, 3])
def test_a_warm_start_holds_out_whole_groups(members: int) -> None:
    first = ebm.fit(X, Y, members=members, **QUICK)
    config = first.config
    train, held, _ = warm_rows(first, X, Y, None, None, None, config, GROUPS)
    parted(train, held, members)
    again = ebm.fit(X, Y, warm_start=first, groups=GROUPS, epochs=2, seed=0)
    fresh = ebm.fit(X, Y, warm_start=first, epochs=2, seed=0)
    assert again.history.held_out_nll != fresh.history.held_out_nll
    with pytest.raises(InputError, match="leave out one of them"):
        ebm.fit(X, Y, warm_start=first, groups=GROUPS, validation_data=(X, Y), epochs=1)


def test_a_checkpoint_knows_its_groups(tmp_path: Path) -> None:
    path = tmp_path / "fit.ckpt"
    first = ebm.fit(X, Y, groups=GROUPS, checkpoint=path, **QUICK)
    again = ebm.fit(X, Y, groups=GROUPS, checkpoint=path, **QUICK)
    np.testing.assert_array_equal(again.predict(X), first.predict(X))
    with pytest.raises(InputError, match=r"the rows are others \(.* groups, .*\)"):
        ebm.fit(X, Y, checkpoint=path, **QUICK)


@pytest.mark.parametrize(
    ("options", "clustered", "version"),
    [({}, False, 2), ({"support": (-9, 9)}, False, 3), ({"support": "radians"}, False, 4), ({}, True, 5)],
)
def test_files_have_the_least_version_that_knows_all_of_it(
    options: dict[str, Any], clustered: bool, version: int, tmp_path: Path
) -> None:
    fitted = ebm.fit(X, Y, **options, **QUICK)
    fitted.calibrate(X, Y, clusters=GROUPS if clustered else None)
    fitted.save(tmp_path / "f.ebm")
    assert read_torch_file(tmp_path / "f.ebm")["version"] == version


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"groups": GROUPS[:5]}, ShapeError, "one group per row, 40; got 5"),
        ({"groups": GROUPS * 0.5}, InputError, "a text or a whole number"),
        ({"groups": np.zeros(40, int)}, DomainError, "all rows are of one group"),
        ({"groups": GROUPS, "validation_data": (X, Y)}, InputError, "leave out one of them"),
    ],
)
def test_misuse(options: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        ebm.fit(X, Y, **options, **QUICK)
