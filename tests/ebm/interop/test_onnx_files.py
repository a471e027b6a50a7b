"""A fit as an ONNX file: onnxruntime gives the density and the energy of the fit."""

import copy
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ebm
from ebm.exceptions import InputError, MissingPackageError, ShapeError
from ebm.fitting import FittedEBM
from ebm.interop import export_onnx
from ebm.interop.carried import thresholds
from ebm.interop.onnx_files import MODULES

needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in MODULES),
    reason="not installed: pip install -e '.[onnx]' brings it",
)


class Fold(nn.Module):
    """A feature network for inputs that are no rows of a table."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.flatten(1)).tanh()


class Choosy(Fold):
    """One that no graph can hold: what it does depends on the values."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if bool(x.sum() > 1e9) else super().forward(-x)


@pytest.fixture(scope="module")
def line() -> FittedEBM:
    """A line that goes on beyond the range of its targets, in a unit of its own."""
    rng = np.random.default_rng(0)
    x = np.linspace(0, 1, 200)[:, None]
    return ebm.fit(x, 1000 + 50 * x[:, 0] + rng.standard_normal(200), epochs=30, seed=0)


def run(path: Path, **inputs: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


@needs_onnx
def test_the_density_in_the_file_is_that_of_the_fit(line: FittedEBM, tmp_path: Path) -> None:
    path = tmp_path / "line.onnx"
    export_onnx(line, path)
    x = np.array([[0.1], [0.5], [1.8], [3.0], [-4.0]])  # the last three leave the range
    grid, log_density = run(path, x=x)
    density = line.density(x)
    np.testing.assert_allclose(grid, density.axes[0].points, rtol=1e-6)
    expected = density.log_masses - density.axes[0].widths.log()
    np.testing.assert_allclose(log_density, expected, atol=2e-3)
    np.testing.assert_allclose(np.trapezoid(np.exp(log_density), grid), 1, atol=1e-9)
    assert run(path, x=np.zeros((1, 1)))[0].shape == (1, 1024)


@needs_onnx
def test_the_calibration_goes_into_the_file(line: FittedEBM, tmp_path: Path) -> None:
    import onnxruntime

    rng = np.random.default_rng(5)
    fitted, path, groups = copy.copy(line), tmp_path / "line.onnx", np.arange(60) % 2
    x = rng.uniform(0, 1, (60, 1))
    fitted.calibrate(x, 1000 + 50 * x[:, 0] + 3 * rng.standard_normal(60), within=groups)
    export_onnx(fitted, path, widenings=1)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    carried = json.loads(session.get_modelmeta().custom_metadata_map["ebmtrack.calibration"])
    assert carried["rows"] == 60
    assert carried["groups"] == [0, 1]
    assert carried["interval"][0][carried["levels"].index(0.99)] is None  # that takes 99 rows
    place = carried["levels"].index(0.9)
    grid, log_density = session.run(None, {"x": x[:4]})
    edges = np.concatenate((grid[:, :1], (grid[:, 1:] + grid[:, :-1]) / 2, grid[:, -1:]), 1)
    below = np.concatenate((np.zeros((4, 1)), (np.exp(log_density) * np.diff(edges)).cumsum(1)), 1)
    masses = [carried["interval"][groups[row]][place] for row in range(4)]
    found = [
        np.interp([(1 - mass) / 2, (1 + mass) / 2], below[row], edges[row]) for row, mass in enumerate(masses)
    ]
    np.testing.assert_allclose(found, fitted.predict_interval(x[:4], 0.9, within=groups[:4]), atol=0.01)
    assert abs(found - fitted.predict_interval(x[:4], 0.9, calibrated=False)).max() > 0.5
    with pytest.warns(UserWarning, match="does not go into a file of the energy alone"):
        export_onnx(fitted, path, output="energy")


def test_thresholds_are_those_of_the_calibration(line: FittedEBM) -> None:
    rng, fitted = np.random.default_rng(5), copy.copy(line)
    x = rng.uniform(0, 1, (60, 1))
    fitted.calibrate(x, 1000 + 50 * x[:, 0] + 3 * rng.standard_normal(60), clusters=np.arange(60) // 3)
    assert fitted.calibration is not None
    carried = json.loads(thresholds(fitted.calibration))
    scores, place = fitted.calibration.scores, carried["levels"].index(0.8)
    assert carried["groups"] is None
    assert (carried["rows"], carried["clusters"]) == (60, 20)
    for name, column in (("interval", scores.tail[:, 0]), ("set", scores.rank)):
        assert carried[name][0][place] == fitted.calibration.threshold(column, 0.8)[0]
    assert carried["log_density"][0][place] == -fitted.calibration.threshold(-scores.log_prob, 0.8)[0]
    assert [values is None for values in carried["set"][0]] == [False] * 6 + [True]


@needs_onnx
def test_members_are_averaged_in_the_file_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = np.linspace(0, 1, 80)[:, None]
    fitted = ebm.fit(x, 30 * x[:, 0] + rng.standard_normal(80), epochs=5, hidden=(8,), members=2, seed=0)
    path = tmp_path / "members.onnx"
    export_onnx(fitted, path)
    grid, log_density = run(path, x=x[::20])
    density = fitted.density(x[::20])
    np.testing.assert_allclose(grid, density.axes[0].points, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(
        log_density, density.log_prob(torch.from_numpy(grid)[..., None]).numpy(), atol=2e-3
    )
    plane = ebm.fit(x, np.stack((x[:, 0], rng.standard_normal(80)), 1), epochs=1, members=2, seed=0)
    with pytest.raises(ShapeError, match="members are averaged by their log Z, .* D=2: fit with members=1"):
        export_onnx(plane, path, output="energy")


@needs_onnx
@pytest.mark.parametrize("kind", ["several targets", "several targets, by a loss", "own features"])
def test_the_energy_in_the_file_is_that_of_the_fit(kind: str, tmp_path: Path) -> None:
    own, dim = kind == "own features", 1 if kind == "own features" else 3
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((40, 2, 3) if own else (40, 3)), 5 * rng.standard_normal((40, dim))
    loss = "nce" if "loss" in kind else None
    fitted = ebm.fit(x, y, loss=loss, feature_net=Fold() if own else None, epochs=2, hidden=(8,), seed=0)
    path = tmp_path / "energy.onnx"
    export_onnx(fitted, path, output="energy")
    places = 5 * rng.standard_normal((5, 7, dim))
    (f,) = run(path, x=x[:5], y=places)
    away = f - fitted.density(x[:5]).log_prob(torch.from_numpy(places)).numpy()
    np.testing.assert_allclose(away, np.broadcast_to(away[:, :1], f.shape), atol=1e-4)


@needs_onnx
def test_what_no_graph_can_hold_is_refused_and_nothing_is_overwritten(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    fitted = ebm.fit(
        rng.standard_normal((40, 6)), rng.standard_normal(40), feature_net=Choosy(), epochs=1, seed=0
    )
    path = tmp_path / "kept.onnx"
    path.write_text("kept")
    with pytest.raises(InputError, match="cannot be written as ONNX"):
        export_onnx(fitted, path, output="energy")
    assert path.read_text() == "kept"


@needs_onnx
def test_a_file_that_says_something_else_is_not_written(
    line: FittedEBM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    class Wrong(onnxruntime.InferenceSession):
        def run(self, *args: Any) -> list[Any]:
            return [value * 1.01 for value in super().run(*args)]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Wrong)
    with pytest.raises(InputError, match=r"differs from the fit by .* it was not written"):
        export_onnx(line, tmp_path / "wrong.onnx", output="energy")
    assert not list(tmp_path.iterdir())


def test_what_is_asked_wrongly_is_said(
    line: FittedEBM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="did you mean 'density'"):
        export_onnx(line, tmp_path / "a.onnx", output="densty")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in MODULES else find(name))
    with pytest.raises(MissingPackageError, match=r"onnx, onnxscript, onnxruntime are needed .*\[onnx\]"):
        export_onnx(line, tmp_path / "a.onnx")
    rng = np.random.default_rng(1)
    plane = ebm.fit(rng.standard_normal((40, 1)), rng.standard_normal((40, 2)), epochs=1, seed=0)
    with pytest.raises(ShapeError, match="the fit D=2: output='energy' gives"):
        export_onnx(plane, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())
