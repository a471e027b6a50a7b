"""`ebm.fit_images`: the same object as `ebm.fit` gives, asked with paths."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ebm
from ebm import FittedEBM
from ebm.exceptions import DomainError, InputError, UnknownNameError
from tests.ebm.images.drawn import SIZE, draw

OPTIONS: dict[str, Any] = {
    "target": "place",
    "weights": "random",
    "size": SIZE,
    "layers": (("stride8", 4),),
    "progress": False,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def table(folder: Path) -> dict[str, list[Any]]:
    return draw(folder, 120)


@pytest.fixture(scope="module")
def fitted(folder: Path, table: dict[str, list[Any]]) -> FittedEBM:
    train = {name: column[:90] for name, column in table.items()}
    return ebm.fit_images(train, folder, cache=folder / "c", epochs=30, learning_rate=5e-3, **OPTIONS)


def test_it_learns_from_pictures(fitted: FittedEBM, folder: Path, table: dict[str, list[Any]]) -> None:
    x, y = table["image"][90:], np.array(table["place"][90:], dtype=float)
    error = np.abs(fitted.predict(x) - y).mean()
    assert error < 0.5 * np.abs(y - y.mean()).mean()
    low, high = fitted.predict_interval(x, level=0.9).T
    assert 0.6 <= ((low <= y) & (y <= high)).mean() <= 1
    assert fitted.density(x[:2]).log_prob(fitted.density(x[:2]).mean()).shape == (2,)
    assert fitted.evaluate(x, y)["CRPS"].skill > 0.2


def test_a_saved_fit_is_the_same(
    fitted: FittedEBM, folder: Path, table: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EBMTRACK_FEATURES", str(folder / "c"))
    fitted.save(folder / "fit.ebm")
    loaded = ebm.load_fitted(folder / "fit.ebm")
    paths = [str(folder / name) for name in table["image"][:3]]  # from the working folder, no longer the root
    np.testing.assert_array_equal(loaded.predict(paths), fitted.predict(table["image"][:3]))
    np.testing.assert_array_equal(loaded.predict(loaded.encode(paths)), loaded.predict(paths))
    with pytest.raises(InputError, match=r"x\[0\]: .*none\.png cannot be read"):
        loaded.predict([str(folder / "none.png")])


def test_other_weights_than_those_of_the_fit_are_refused(
    fitted: FittedEBM, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted.save(folder / "fit.ebm")
    loaded = ebm.load_fitted(folder / "fit.ebm")
    monkeypatch.setattr(loaded.scaling.x_table, "_digest", "0" * 64)
    with pytest.raises(InputError, match="are not those that the density was fitted with"):
        loaded.predict([str(folder / "000.png")])


def test_broken_pictures_are_named_or_left_out(
    folder: Path, table: dict[str, list[Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    some = draw(tmp_path, 20)
    (tmp_path / "007.png").write_bytes((tmp_path / "007.png").read_bytes()[:200])
    options = OPTIONS | {"cache": False, "epochs": 1, "progress": True}
    with pytest.raises(InputError, match=r"1 of 20 rows cannot be used:\n  row 8 \(007\.png\): .*truncated"):
        ebm.fit_images(some, tmp_path, **options)
    capsys.readouterr()
    ebm.fit_images(some, tmp_path, skip_broken=True, **options)
    told = capsys.readouterr().err
    assert "left out: row 8 (007.png)" in told
    assert "1 rows were left out\n19 rows are used" in told


def test_what_no_density_can_be_learnt_from_is_refused(folder: Path, table: dict[str, list[Any]]) -> None:
    some = {name: column[:6] for name, column in table.items()}
    with pytest.raises(DomainError, match="has the one value 0.5 in all"):
        ebm.fit_images(some | {"place": [0.5] * 6}, folder, cache=folder / "c", **OPTIONS)
    with pytest.raises(DomainError, match="got n_samples = 1, too few"):
        ebm.fit_images({"image": ["000.png"], "place": [1]}, folder, cache=folder / "c", **OPTIONS)
    with pytest.raises(UnknownNameError, match="did you mean 'resnet50'"):
        ebm.fit_images(some, folder, **OPTIONS | {"weights": None, "backbone": "resnet5"})
    with pytest.raises(UnknownNameError, match="layer"):
        ebm.fit_images(some, folder, **OPTIONS | {"layers": (("stride64", 1),)})


def test_weights_of_another_network_are_refused(
    folder: Path, table: dict[str, list[Any]], tmp_path: Path
) -> None:
    import torch

    torch.save({"conv1.weight": torch.zeros(3)}, tmp_path / "w.pth")
    with pytest.raises(InputError, match="no state dict of this backbone"):
        ebm.fit_images(table, folder, **OPTIONS | {"weights": tmp_path / "w.pth"})


@pytest.mark.parametrize("name", ["resnet18", "timm:mobilenetv3_small_100"])
def test_other_backbones_are_named(name: str, folder: Path, table: dict[str, list[Any]]) -> None:
    pytest.importorskip("timm")
    some = {column: values[:12] for column, values in table.items()}
    fitted = ebm.fit_images(some, folder, backbone=name, cache=False, epochs=1, **OPTIONS)
    assert fitted.predict(some["image"][:2]).shape == (2,)
