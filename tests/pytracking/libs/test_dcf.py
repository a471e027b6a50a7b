"""Windows and labels against published vectors."""

import numpy as np

from pytracking.libs.dcf import gauss_label_1d, hann1d, hann2d, max2d


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
