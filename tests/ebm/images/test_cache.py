"""Features are computed once, found by content, and never lost or trusted where damaged."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from ebm.exceptions import InputError
from ebm.images import cache as module
from ebm.images.cache import FeatureCache
from ebm.images.features import Extractor, FeatureRecipe
from tests.ebm.images.drawn import SIZE, draw

RECIPE = FeatureRecipe(size=SIZE, layers=(("stride8", 2),), flip=True)


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor(RECIPE, "random")


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    draw(tmp_path, 5)
    return sorted(tmp_path.glob("*.png"))


def test_features_are_found_by_content(extractor: Extractor, paths: list[Path], tmp_path: Path) -> None:
    folder, said = tmp_path / "features", []
    first = FeatureCache(extractor, folder, said.append).features(paths)
    assert first.features.shape == (5, 2, 4 * 40)
    assert first.features.dtype == torch.float16
    assert first.speed.computed == 5
    assert "features of 5 pictures (0 are known): 2 x 160 numbers each" in said[0]
    moved = paths[0].rename(tmp_path / "moved.png")
    paths[2].write_bytes(paths[3].read_bytes())
    second = FeatureCache(extractor, folder).features([moved, *paths[1:]])
    assert (second.speed.computed, second.speed.known) == (0, 5)
    assert torch.equal(second.features[2], second.features[3])
    assert torch.equal(second.features[0], first.features[0])


def test_the_mirrored_view_is_mirrored_back(extractor: Extractor, paths: list[Path], tmp_path: Path) -> None:
    with Image.open(paths[0]) as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "mirrored.png")
    found = FeatureCache(extractor, None).features([paths[0], tmp_path / "mirrored.png"]).features
    straight, mirrored = (part.reshape(2, 40, 2, 2) for part in found)
    torch.testing.assert_close(straight.flip(3), mirrored.flip(0))  # views change places, cells their sides


def test_a_killed_run_goes_on(
    extractor: Extractor, paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", 2)
    monkeypatch.setattr(module, "BATCH", 2)
    cache = FeatureCache(extractor, tmp_path / "features")
    calls = iter([True, True, False])

    def stops(pixels: object) -> object:
        if not next(calls):
            raise KeyboardInterrupt
        return extractor(pixels)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(cache, "extractor", _Stopping(extractor, stops))
        with pytest.raises(KeyboardInterrupt):
            cache.features(paths)
    again = FeatureCache(extractor, tmp_path / "features").features(paths)
    assert (again.speed.computed, again.speed.known) == (1, 4)
    whole = FeatureCache(extractor, None).features(paths)
    torch.testing.assert_close(again.features, whole.features)


class _Stopping:
    def __init__(self, extractor: Extractor, call: object) -> None:
        self.recipe, self.width, self.digest, self.call = (
            extractor.recipe,
            extractor.width,
            extractor.digest,
            call,
        )

    def __call__(self, pixels: object) -> object:
        return self.call(pixels)  # type: ignore[operator]


def test_damaged_files_are_computed_again(extractor: Extractor, paths: list[Path], tmp_path: Path) -> None:
    first = FeatureCache(extractor, tmp_path / "features").features(paths)
    file = next((tmp_path / "features").rglob("*.npz"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)
    with pytest.warns(UserWarning, match="computed again"):
        second = FeatureCache(extractor, tmp_path / "features").features(paths)
    assert second.speed.computed == 5
    assert torch.equal(first.features, second.features)


def test_pictures_that_cannot_be_read_stop_no_others(
    extractor: Extractor, paths: list[Path], tmp_path: Path
) -> None:
    paths[1].write_bytes(b"no picture")
    paths[2].unlink()
    found = FeatureCache(extractor, tmp_path / "features").features(paths)
    assert sorted(found.faults) == [1, 2]
    assert "no picture that can be read" in found.faults[1]
    assert found.features[[1, 2]].abs().sum() == 0 < found.features[[0, 3, 4]].abs().sum()


def test_numbers_beyond_sixteen_bits_are_refused(extractor: Extractor, paths: list[Path]) -> None:
    huge = _Stopping(extractor, lambda pixels: torch.full((len(pixels), 2, 160), 1e6))
    with pytest.raises(InputError, match="beyond what 16 bits hold"):
        FeatureCache(huge, None).features(paths)  # type: ignore[arg-type]
