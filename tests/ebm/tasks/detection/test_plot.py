"""The picture of gains: bars of seeds and of pictures, and what is far behind as an arrow."""

from pathlib import Path

import numpy as np
import pytest

from ebm.tasks.detection.plot import _draw, save_plot
from ebm.tasks.detection.report import means_of
from tests.ebm.tasks.detection.test_report import ROWS, record

pytest.importorskip("matplotlib")


def test_gains_have_bars_and_what_is_far_behind_an_arrow() -> None:
    from matplotlib.figure import Figure

    means = means_of([*ROWS, record("ml-mcmc-1", 0, 2.0, 30.0, 1.0)])
    drawn = {name: own["AP"][0] + np.zeros((40, 7)) for name, own in means.items()}
    drawn["nce+"] = drawn["nce+"] + np.linspace(-1, 1, 40)[:, None]
    axes = Figure().add_subplot()
    _draw(axes, ["nce+", "ml-mcmc-1"], "AP", means, drawn)
    pictures, seeds, point, arrow, detector = axes.lines
    assert list(point.get_xdata()) == [5.0]
    assert list(seeds.get_xdata()) == pytest.approx([4.0, 6.0])
    assert list(pictures.get_xdata()) == pytest.approx([4.05, 5.95])
    assert (arrow.get_marker(), list(arrow.get_xdata())) == ("<", [-6.25])
    assert axes.texts[0].get_text() == " -18.0"
    assert list(detector.get_xdata()) == [0, 0]


@pytest.mark.parametrize("rows", [ROWS, ROWS[1:], ROWS[:2]])
def test_a_picture_is_written(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    """With a detector and without, of several seeds and of one."""
    save_plot(means_of(rows), tmp_path / "table.png")
    assert (tmp_path / "table.png").stat().st_size > 5000
