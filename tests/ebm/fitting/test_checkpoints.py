"""A fit with a checkpoint goes on where it was, to the bit, and never touches a file of another."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ebm
from ebm.exceptions import FitInterrupted, InputError
from ebm.fitting import checkpoints
from tests.ebm.fitting.long_fits import KINDS, QUICK, fit, interrupted_at, noisy_features, rows, same


@pytest.mark.parametrize("kind", KINDS)
def test_it_goes_on_to_the_bit(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, path = fit(kind), tmp_path / "fit.ckpt"
    for epoch in (0, 2, 3, 5):  # one call after the other, each with so many epochs of its own
        with interrupted_at(epoch), pytest.raises(KeyboardInterrupt, match=r"call goes on from .*fit\.ckpt"):
            fit(kind, checkpoint=path)
        monkeypatch.setattr(checkpoints, "EVERY", 0.0)
        if epoch == 3 and "corrected" not in kind:
            break
    same(fit(kind, checkpoint=path), whole)
    assert os.listdir(tmp_path) == ["fit.ckpt"]


def test_a_fit_that_is_over_is_not_trained_again(tmp_path: Path) -> None:
    first = fit("corrected", checkpoint=tmp_path / "a")
    with interrupted_at(0):
        same(fit("corrected", checkpoint=tmp_path / "a"), first)


def test_calibration_may_come_later(tmp_path: Path) -> None:
    fit("one", checkpoint=tmp_path / "a")
    with interrupted_at(0):
        fitted = fit("one", checkpoint=tmp_path / "a", calibrate=True)
    assert fitted.calibration is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 7}, "epochs is 6 there and 7 here"),
        ({"loss": "cnce"}, "loss is 'nce\\+' there and 'cnce' here"),
        ({"beta": 0.1}, r"beta is 0.025 there and 0.1 here"),
        ({"sample_weight": np.arange(40)}, "the rows are others"),
        ({"feature_net": noisy_features()}, "the first weights are others"),
    ],
)
def test_the_file_of_another_call_is_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    path = tmp_path / "fit.ckpt"
    fit("one", checkpoint=path, epochs=6)
    before = path.read_bytes()
    with pytest.raises(InputError, match=f"another call of ebm.fit: {message}"):
        fit("one", checkpoint=path, **options)
    assert path.read_bytes() == before


def test_files_of_other_kinds_are_refused_and_stay(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for write in (
        lambda: fit("one").save(path),
        lambda: path.write_bytes(b"my thesis"),
        lambda: torch.save({"format": "ebmtrack.checkpoint", "version": 1, "call": {}, "state": {}}, path),
        lambda: torch.save({"format": "ebmtrack.checkpoint", "version": 9}, path),
    ):
        write()
        before = path.read_bytes()
        with pytest.raises(InputError, match="left as it is"):
            fit("one", checkpoint=path)
        assert path.read_bytes() == before


def test_a_changed_state_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    fit("one", checkpoint=path)
    for name in ("weights", "optimiser", "best", "rate", "random"):
        fields = torch.load(path, weights_only=True)
        torch.save(fields | {"state": fields["state"] | {name: {}}}, tmp_path / "b")
        with pytest.raises(InputError, match="damaged or was changed"):
            fit("one", checkpoint=tmp_path / "b")


@pytest.mark.parametrize("place", [7, "", b"a"])
def test_what_is_no_path(place: Any) -> None:
    with pytest.raises(InputError, match="must be the path of a file"):
        fit("one", checkpoint=place)


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(InputError, match="checkpoint cannot be at xxx.*name too long"):
        fit("one", checkpoint="x" * 300)


def test_places_that_cannot_be_written_are_told_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with interrupted_at(0):
        with pytest.raises(InputError, match="cannot be written"):
            fit("one", checkpoint=tmp_path / "file" / "a")
        with pytest.raises(InputError, match=r"is a folder; name a file in it, such as .*fit\.ckpt"):
            fit("one", checkpoint=tmp_path)


def test_a_disk_that_fills_up_ends_no_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit("one")
    write, calls = checkpoints.write_atomic, []

    def full_after_the_first(path: Path, content: bytes) -> None:
        calls.append(path)
        if len(calls) > 1:
            raise InputError(f"{path} cannot be written: No space left on device.")
        write(path, content)

    monkeypatch.setattr(checkpoints, "EVERY", 0.0)
    monkeypatch.setattr(checkpoints, "write_atomic", full_after_the_first)
    with pytest.warns(UserWarning, match="No space left on device. The fit goes on") as caught:
        same(fit("one", checkpoint=tmp_path / "a"), whole)
    assert len([w for w in caught if "No space" in str(w.message)]) == 1
    assert len(calls) > 3
    with interrupted_at(1), pytest.raises(FitInterrupted, match="could not be written: .*No space") as stop:
        fit("one", checkpoint=tmp_path / "a")
    assert np.isfinite(stop.value.fitted.predict(rows()[0])).all()
    monkeypatch.undo()
    same(fit("one", checkpoint=tmp_path / "a"), whole)


KILLED = """
import os, signal
from ebm import files
from ebm.fitting import checkpoints
from tests.ebm.fitting.long_fits import fit
checkpoints.EVERY, calls, sync = 0.0, [], os.fsync
def killed(number):
    calls.append(number)
    if len(calls) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    sync(number)
files.os.fsync = killed
fit("members", checkpoint={path!r})
"""


def test_a_process_killed_while_it_writes_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "fit.ckpt"
    done = subprocess.run([sys.executable, "-c", KILLED.format(path=str(path))], capture_output=True)
    assert done.returncode == -9, done.stderr.decode()
    assert len(os.listdir(tmp_path)) == 2  # what it was writing lies beside the whole file
    assert len(torch.load(path, weights_only=True)["state"]["losses"]) == 2
    same(fit("members", checkpoint=path), fit("members"))
    assert os.listdir(tmp_path) == ["fit.ckpt"]


def test_without_a_checkpoint_ctrl_c_hands_the_density_over() -> None:
    x, _ = rows()
    for kind in ("one", "members", "own features"):
        with (
            interrupted_at(3),
            pytest.raises(FitInterrupted, match=r"in epoch 4\. The density so far") as stop,
        ):
            fit(kind)
        fitted = stop.value.fitted
        assert len(fitted.history.held_out_nll) == 3
        expected = fit(kind).history
        assert fitted.history.held_out_nll == expected.held_out_nll[:3]
        assert np.isfinite(fitted.predict(x)).all()
    with interrupted_at(0), pytest.raises(KeyboardInterrupt, match="in the first epoch") as early:
        fit("one")
    assert not isinstance(early.value, FitInterrupted)


@pytest.mark.parametrize("epoch", [2, 6, 8])
def test_ctrl_c_in_both_stages_of_a_corrected_density(epoch: int, tmp_path: Path) -> None:
    with interrupted_at(epoch), pytest.raises(FitInterrupted) as stop:
        fit("corrected", patience=6)
    stop.value.fitted.save(tmp_path / "a.ebm")
    x, y = rows()
    pilot = fit("corrected", patience=6, model="mdn-2", num_samples=None) if epoch == 6 else None
    read = ebm.load_fitted(tmp_path / "a.ebm").log_prob(x, y)
    assert np.isfinite(read).all()
    if pilot is not None:  # nothing was learned but the density in closed form
        np.testing.assert_allclose(read, pilot.log_prob(x, y), atol=1e-4)


def test_an_estimator_keeps_what_it_has_at_ctrl_c() -> None:
    pytest.importorskip("sklearn")
    from ebm.estimator import EBMRegressor

    model = EBMRegressor(hidden=(4,), epochs=6, random_state=0)
    with interrupted_at(3), pytest.raises(FitInterrupted):
        model.fit(*rows())
    assert model.n_iter_ == 3
    assert np.isfinite(model.predict(rows()[0])).all()


def test_ctrl_c_after_training_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ebm.fitting.honesty.measure_scores", stop)
    with pytest.raises(FitInterrupted, match="interrupted after training") as caught:
        fit("one", calibrate=True)
    same(caught.value.fitted, fit("one"))
    assert QUICK["epochs"] == 6
