"""Windows and labels against published vectors."""

import numpy as np
import pytest

from pytracking.libs.dcf import fourier_upsampling, gauss_label_1d, hann1d, hann2d, max2d


def test_hann_windows() -> None:
    np.testing.assert_allclose(hann1d(5), [0.25, 0.75, 1, 0.75, 0.25], atol=1e-12)
    np.testing.assert_allclose(hann1d(5, centered=False), [1, 0.81174, 0.38874, 0.38874, 0.81174], atol=1e-5)
    np.testing.assert_allclose(hann1d(4, centered=False), [1, 0.75, 0.25, 0.75], atol=1e-12)
    np.testing.assert_allclose(hann2d((5, 3))[2], hann1d(3))


def test_gaussian_label_row() -> None:
    row = gauss_label_1d(18, 0.9, 0.5)
    assert int(row.argmax()) == 9
    np.testing.assert_allclose(row[9:13], [1, 0.5394, 0.0847, 0.0039], atol=5e-5)
    np.testing.assert_allclose(row[8:5:-1], [0.5394, 0.0847, 0.0039], atol=5e-5)
    assert gauss_label_1d(18, 0.9, 0.5, end_pad=1).shape == (19,)


def test_max2d_takes_the_first_of_equals() -> None:
    assert max2d(np.array([[0.0, 2.0], [2.0, 1.0]])) == (2.0, (0, 1))


@pytest.mark.parametrize(
    ("size", "odd", "cell", "displacement"),
    [
        (18, False, (9, 9), (0, 0)),
        (18, False, (10, 9), (16, 0)),
        (18, False, (8, 3), (-16, -96)),
        (17, True, (8, 8), (0, 0)),
        (17, True, (9, 9), (16, 16)),
    ],
)
def test_published_displacements_of_an_upsampled_peak(
    size: int, odd: bool, cell: tuple[int, int], displacement: tuple[int, int]
) -> None:
    places = np.arange(size)
    rows, columns = (np.exp(-((places - c) ** 2) / (2 * 0.9**2)) for c in cell)
    matrix = fourier_upsampling(size, 16 * size, odd=odd)
    value, index = max2d(matrix @ np.outer(rows, columns) @ matrix.T)
    assert tuple(i - 16 * size // 2 for i in index) == displacement
    assert value == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("size", [5, 6])
def test_waves_are_continued_between_the_cells(size: int) -> None:
    cells = np.arange(size)
    places = (np.arange(4 * size) - 2 * size) / 4 + (size - size % 2) / 2
    for frequency in range(size // 2 + 1):
        wave = 2 * np.pi * frequency / size
        upsampled = fourier_upsampling(size, 4 * size, odd=size % 2 == 1) @ np.cos(wave * cells)
        np.testing.assert_allclose(upsampled, np.cos(wave * places), atol=1e-12)
