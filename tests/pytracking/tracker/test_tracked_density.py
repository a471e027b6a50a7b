"""`Tracked.density`: computed when first read, the same for all who read, or refused in words."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch

from ebm.exceptions import InputError
from pytracking.parameter import find_parameters
from pytracking.tracker import make_tracker
from pytracking.tracker.base import Flag, Tracked
from tests.pytracking.tracker.test_contract import BOX, assert_same, build, dimp_params, frame, network, run


def few(**changes: object):
    return dimp_params(density_samples=200, **changes)


def test_it_is_computed_when_first_read_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = build("dimp", params=few())
    calls: list[float] = []
    made = tracker.refiner.density
    monkeypatch.setattr(tracker.refiner, "density", lambda *a: calls.append(a[3]) or made(*a))
    tracker.initialize(frame(0), BOX)
    results = [tracker.track(frame(t)) for t in (1, 2)]
    assert calls == []
    density = results[1].density
    assert results[1].density is density
    assert len(calls) == 1
    np.testing.assert_allclose(density.box, results[1].box)
    assert 0 <= density.confidence <= results[1].score
    tracker.track(frame(3))
    assert results[1].density is density  # also when the frame is over
    assert np.isfinite(density.box_log_prob(density.mode_box))


def test_reading_changes_no_track_and_every_reader_sees_the_same() -> None:
    plain, tracker = run(build("dimp", params=few())), build("dimp", params=few())
    tracker.initialize(frame(0), BOX)
    read = []
    for t in range(1, 5):
        read.append(tracker.track(frame(t)))
        assert read[-1].density.samples.shape == (1, 200, 4)
    assert_same(plain, read)
    late = build("dimp", params=few())
    last = run(late)[-1].density  # the only one that is read
    torch.testing.assert_close(last.samples, read[-1].density.samples, rtol=0, atol=0)


def test_a_frame_that_is_over_lets_go_of_its_features() -> None:
    tracker = build("dimp", params=few())
    tracker.initialize(frame(0), BOX)
    first = tracker.track(frame(1))
    held = weakref.ref(first.lazy_density._make)
    tracker.track(frame(2))
    gc.collect()
    assert held() is None
    with pytest.raises(InputError, match="until the next frame"):
        first.density  # noqa: B018
    second = tracker.track(frame(3))
    tracker.initialize(frame(0), BOX)
    with pytest.raises(InputError, match="until the next frame"):
        second.density  # noqa: B018


def test_a_lost_target_has_a_density_without_confidence() -> None:
    tracker = build("dimp", params=few(target_not_found_threshold=1e6))
    result = run(tracker, 1)[0]
    assert result.state == "lost"
    np.testing.assert_allclose(result.density.box, BOX)
    assert result.density.confidence <= result.score


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"box_scores": "overlap"}, "trained to give overlaps"), ({"use_iou_net": False}, "use_iou_net=False")],
)
def test_without_an_energy_it_is_refused_in_words(changes: dict[str, object], words: str) -> None:
    result = run(build("dimp", params=few(**changes)), 1)[0]
    with pytest.raises(InputError, match=words):
        result.density  # noqa: B018
    with pytest.raises(InputError, match=words):
        build("dimp", params=few(**changes), with_covariance=True)


def test_other_trackers_refuse_as_well() -> None:
    with pytest.raises(InputError, match="no energy over boxes"):
        run(build("first_box"), 1)[0].density  # noqa: B018
    with pytest.raises(InputError, match="no energy"):
        Tracked(box=np.ones(4), score=1.0, flag=Flag.NORMAL).density  # noqa: B018


def test_the_network_knows_what_its_scores_are() -> None:
    net = network()
    net.info["box_scores"] = "overlap"
    result = run(make_tracker("dimp", few(), network=net, device="cpu"), 1)[0]
    with pytest.raises(InputError, match="overlap"):
        result.density  # noqa: B018
    net.info["box_scores"] = "density"
    params = find_parameters("dimp", "dimp18")
    assert run(make_tracker("dimp", params, network=net, device="cpu"), 1)[0].density.target_dim == 4
    net.info["box_scores"] = "ious"
    with pytest.raises(InputError, match="box_scores"):
        make_tracker("dimp", few(), network=net, device="cpu")
    fixed = replace(few(), geometry_from_network=False)
    net.info["box_scores"] = "overlap"
    assert make_tracker("dimp", fixed, network=net, device="cpu").params.box_scores == "overlap"


def test_probabilities_of_a_softmax_are_added_up_around_the_peak() -> None:
    params = few(score_preprocess="softmax", target_not_found_threshold=0.0)
    result = run(build("dimp", params=params), 1)[0]
    assert result.score < result.density.presence <= 1


def test_the_covariance_is_that_at_the_box() -> None:
    """Cheap: the Gaussian at the box itself; the density's stands at the mode near it."""
    tracker = build("dimp", params=few(), with_covariance=True)
    result = run(tracker, 2)[-1]
    covariance = result.covariance
    assert covariance is not None
    assert np.linalg.eigvalsh(covariance).min() > 0
    ratio = np.sqrt(np.diag(covariance) / np.diag(result.density.box_covariance()))
    assert (ratio > 0.2).all()
    assert (ratio < 5).all()


@pytest.mark.filterwarnings("ignore::ebm.exceptions.EffectiveSampleSizeWarning")
def test_atom_trained_by_an_energys_loss_has_one_too() -> None:
    params = replace(find_parameters("atom", "atom_nce_plus_small"), density_samples=64)
    density = run(build("atom", params=params), 1)[0].density
    assert (density.target_dim, density.samples.shape[1]) == (4, 64)
    plain = replace(find_parameters("atom", "default"), image_sample_size=128)
    with pytest.raises(InputError, match="overlaps"):
        run(build("atom", params=plain), 1)[0].density  # noqa: B018
