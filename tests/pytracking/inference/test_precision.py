"""The choice of a precision: told, or measured, and said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pytracking
from ebm.exceptions import InputError, UnknownNameError
from ltr.models.tracking.dimpnet import dimpnet_small
from pytracking.demo import untrained
from pytracking.inference import precision
from pytracking.inference.precision import prepared

CPU = torch.device("cpu")


def test_the_faster_one_is_taken_and_both_times_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for slow, fast, taken in ((0.1, 0.05, "bf16"), (0.1, 0.09, "fp32")):
        monkeypatch.setattr(
            precision, "seconds", lambda net, *_, s=slow, f=fast: f if net.precision == "bf16" else s
        )
        network, (said,) = prepared(dimpnet_small(), CPU, "auto")
        assert network.precision == taken
        assert taken in said
        assert f"{1e3 * fast:.1f} ms in bf16, {1e3 * slow:.1f} ms in fp32" in said


def test_a_device_without_bf16_is_refused_or_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(network: Any, *_: object, **__: object) -> float:
        if network.precision == "fp32":
            return 0.1
        raise RuntimeError("not implemented")

    monkeypatch.setattr(precision, "seconds", fails)
    with pytest.raises(InputError, match="cannot compute in bf16"):
        prepared(dimpnet_small(), CPU, "bf16")
    network, (said,) = prepared(dimpnet_small(), CPU, "auto")
    assert network.precision == "fp32"
    assert "fp32" in said


def test_a_prepared_network_is_given_back() -> None:
    network, said = prepared(dimpnet_small(), CPU)
    assert said == ()
    assert prepared(network, CPU, "auto") == (network, ())


def test_load_tells_what_it_took_and_tracks(tmp_path: Path) -> None:
    checkpoint = untrained(tmp_path)
    frames = np.random.default_rng(0).integers(0, 256, (3, 120, 160, 3), dtype=np.uint8)
    boxes = {}
    for wanted in ("fp32", "bf16"):
        tracker = pytracking.load(
            "dimp", "nce_plus_small", checkpoint=checkpoint, device="cpu", precision=wanted
        )
        assert any("bf16" in note for note in tracker.notes) == (wanted == "bf16")
        tracker.initialize(frames[0], (50, 40, 30, 36))
        boxes[wanted] = np.stack([tracker.track(frame).box for frame in frames[1:]])
    assert np.abs(boxes["fp32"] - boxes["bf16"]).max() < 3
    with pytest.raises(UnknownNameError, match="bf16"):
        pytracking.load("dimp", "nce_plus_small", checkpoint=checkpoint, device="cpu", precision="bf61")
