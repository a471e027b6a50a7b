"""A fitted density survives its file; a damaged, foreign or hostile file is refused and runs nothing."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ebm
from ebm.exceptions import InputError

QUICK = {"progress": False, "hidden": (8,), "epochs": 2}
X = np.random.default_rng(0).normal(size=(40, 3))
Y = X[:, 0] + 0.1 * X[:, 1]


@pytest.fixture(scope="module")
def fitted() -> ebm.FittedEBM:
    return ebm.fit(X, Y, **QUICK)


@pytest.fixture
def file(fitted: ebm.FittedEBM, tmp_path: Path) -> Path:
    fitted.save(tmp_path / "fitted.pt")
    return tmp_path / "fitted.pt"


def test_a_file_gives_the_same_density(fitted: ebm.FittedEBM, file: Path) -> None:
    read = ebm.load_fitted(file)
    np.testing.assert_array_equal(read.predict(X), fitted.predict(X))
    np.testing.assert_array_equal(read.log_prob(X, Y), fitted.log_prob(X, Y))
    assert (read.config, read.history, read.loss_options) == (
        fitted.config,
        fitted.history,
        fitted.loss_options,
    )
    assert [p.name for p in file.parent.iterdir()] == ["fitted.pt"]


def test_several_targets_and_own_features_survive(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(3, 5), nn.Tanh())
    fitted = ebm.fit(X, np.stack((Y, X[:, 2]), 1), feature_net=net, **QUICK)
    fitted.save(tmp_path / "f.pt")
    read = ebm.load_fitted(tmp_path / "f.pt", feature_net=net)
    np.testing.assert_array_equal(read.predict(X), fitted.predict(X))
    with pytest.raises(InputError, match="pass a module of that structure"):
        ebm.load_fitted(tmp_path / "f.pt")
    with pytest.raises(InputError, match=r"f\.pt is damaged or was changed"):
        ebm.load_fitted(tmp_path / "f.pt", feature_net=nn.Linear(3, 5))


def test_a_network_nobody_asked_for_is_refused(file: Path) -> None:
    with pytest.raises(InputError, match="fitted without a feature_net"):
        ebm.load_fitted(file, feature_net=nn.Linear(3, 8))


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No file"):
        ebm.load_fitted(tmp_path / "none.pt")
    with pytest.raises(InputError, match="it is a folder"):
        ebm.load_fitted(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(file: Path, share: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match="truncated"):
        ebm.load_fitted(file)


@pytest.mark.parametrize("content", [b"hello", b"\x80\x02}q\x00.", b"PK\x03\x04" + bytes(100), bytes(1000)])
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"f\.pt"):
        ebm.load_fitted(tmp_path / "f.pt")


class Hostile:
    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)

    def __init__(self, path: str) -> None:
        self.path = path


def test_code_in_a_file_does_not_run(tmp_path: Path) -> None:
    torch.save({"format": Hostile(str(tmp_path / "made"))}, tmp_path / "f.pt")
    with pytest.raises(InputError, match="nothing in it was run"):
        ebm.load_fitted(tmp_path / "f.pt")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", "other"),
        ("version", 99),
        ("config", {"hidden": [10**9]}),
        ("config", {"loss": "nce", "surprise": 1}),
        ("config", None),
        ("x_shape", [10**12]),
        ("scaling", {}),
        ("history", {}),
        ("loss_options", {"surprise": 1}),
        ("anchor", "wide"),
        ("weights", {}),
        ("own_features", True),
    ],
)
def test_a_changed_field_is_refused(file: Path, field: str, value: Any) -> None:
    fields = torch.load(file, weights_only=True)
    torch.save(fields | {field: value}, file)
    with pytest.raises(InputError, match=r"fitted\.pt"):
        ebm.load_fitted(file)


@pytest.mark.parametrize("name", ["x_scale", "y_mean", "y_scale", "z_low"])
@pytest.mark.parametrize("value", [float("nan"), torch.zeros(7, 7)])
def test_changed_scaling_is_refused(file: Path, name: str, value: Any) -> None:
    fields = torch.load(file, weights_only=True)
    old = fields["scaling"][name]
    fields["scaling"][name] = value if isinstance(value, torch.Tensor) else torch.full_like(old, value)
    torch.save(fields, file)
    with pytest.raises(InputError):
        ebm.load_fitted(file)


def test_weights_that_are_not_finite_are_refused(file: Path) -> None:
    fields = torch.load(file, weights_only=True)
    next(iter(fields["weights"].values())).fill_(float("nan"))
    torch.save(fields, file)
    with pytest.raises(InputError, match="must be finite"):
        ebm.load_fitted(file)


def test_a_place_that_cannot_be_written_is_named(fitted: ebm.FittedEBM, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        fitted.save(tmp_path / "file" / "f.pt")


def test_a_file_from_another_device_is_read_on_this_one(
    fitted: ebm.FittedEBM, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:  # every tensor in the file says that it was on a fourth GPU
        patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:3")
        fitted.save(file)
    assert b"cuda:3" in file.read_bytes()
    np.testing.assert_array_equal(ebm.load_fitted(file).predict(X), fitted.predict(X))


def test_a_device_to_predict_on_must_be_there(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for name in ("cuda:7", torch.device("cuda", 7)):
        with pytest.raises(InputError, match="Device 'cuda:7' was asked for, but torch sees no CUDA device"):
            ebm.load_fitted(file, device=name)
    with pytest.raises(InputError, match="Unknown device 'meta'"):
        ebm.load_fitted(file).to("meta")
