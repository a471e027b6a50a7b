"""Which frames of a video are drawn for a sample."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ltr.data.frame_choice import choose_frames

visibility = st.lists(st.booleans(), min_size=1, max_size=60)


counts = st.tuples(st.integers(1, 4), st.integers(1, 4))


@given(
    visible=visibility,
    counts=counts,
    gap=st.integers(1, 100),
    mode=st.sampled_from(["causal", "interval"]),
    seed=st.integers(0, 9),
)
def test_drawn_frames_are_visible_and_in_order(visible, counts, gap, mode, seed) -> None:
    flags = np.array(visible)
    chosen = choose_frames(flags, counts, gap, mode, np.random.default_rng(seed))
    if chosen is None:
        return
    train, test = chosen
    assert (len(train), len(test)) == counts
    assert flags[train].all()
    assert flags[test].all()
    if mode == "causal":
        assert (train[1:] < train[0]).all()
        assert (test > train[0]).all()


@given(visible=visibility, counts=counts, mode=st.sampled_from(["causal", "interval"]))
def test_enough_visible_frames_always_give_a_draw(visible, counts, mode) -> None:
    flags = np.array(visible)
    if flags.sum() > 2 * sum(counts):
        draws = [choose_frames(flags, counts, 1, mode, np.random.default_rng(seed)) for seed in range(5)]
        assert all(draw is not None for draw in draws)


def test_the_gap_is_kept_where_frames_are_plenty() -> None:
    flags = np.ones(500, dtype=bool)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        chosen = choose_frames(flags, (3, 3), 20, "causal", rng)
        assert chosen is not None
        train, test = chosen
        if train[0] >= 20:
            assert (train[1:] >= train[0] - 20).all()
        assert (test < train[0] + 20).all() or train[0] + 20 > 500


def test_causal_base_frames_cover_the_whole_video() -> None:
    flags = np.ones(30, dtype=bool)
    draws = [choose_frames(flags, (2, 2), 30, "causal", np.random.default_rng(s)) for s in range(1500)]
    bases = {int(draw[0][0]) for draw in draws if draw is not None}
    assert bases == set(range(1, 28))  # [num_train - 1, N - num_test)


def test_no_visible_frame_gives_none() -> None:
    assert choose_frames(np.zeros(40, dtype=bool), (1, 1), 5, "causal", np.random.default_rng(0)) is None
    only_last = np.zeros(40, dtype=bool)
    only_last[39] = True
    assert choose_frames(only_last, (1, 1), 5, "causal", np.random.default_rng(0)) is None
