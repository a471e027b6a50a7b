"""Plots as TeX: names with characters that TeX takes for its own, compiled where there is a pdflatex."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pytracking.analysis.extract import evaluate
from pytracking.analysis.plots import draw_plot, save_plots
from pytracking.analysis.sources import FirstBoxSource
from pytracking.analysis.tikz import tex_of
from tests.pytracking.analysis.image_free import without_images
from tests.pytracking.evaluation.tiny import boxes_of

NAMES = ["first_box", "50 % & more #1", r"a\b {c} ~d^e $x$", "IoU ± 1"]


def test_every_name_is_in_the_tex_and_the_figure_stays_as_it_was(tmp_path: Path) -> None:
    pytest.importorskip(
        "matplot2tikz", reason="matplot2tikz is not installed: pip install 'ebmtrack[tikz]'; .ci/report"
    )
    evaluation = evaluate(
        [without_images("a", "otb", boxes_of(9))], [FirstBoxSource(name, name) for name in NAMES]
    )
    figure = draw_plot(evaluation)
    before = [line.get_label() for line in figure.axes[0].lines]
    tex = tex_of(figure)
    assert tex is not None
    assert [line.get_label() for line in figure.axes[0].lines] == before
    assert r"first\_box [" in tex
    assert "legend pos=outer north east" in tex
    assert r"50 \% \& more \#1" in tex
    files = save_plots(evaluation, tmp_path)
    assert [path.name for path in files[:3]] == ["success_plot.png", "success_plot.pdf", "success_plot.tex"]
    if shutil.which("pdflatex") is None:
        pytest.skip("there is no pdflatex (texlive-latex-base, texlive-pictures); .ci/report")
    (tmp_path / "out").mkdir()
    options = ["-interaction=nonstopmode", "-halt-on-error", f"-output-directory={tmp_path / 'out'}"]
    for file in tmp_path.glob("*.tex"):
        done = subprocess.run(
            ["pdflatex", *options, file], capture_output=True, timeout=300, cwd=tmp_path, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:]
        assert re.search(rb"Output written on .*\(1 page", done.stdout.replace(b"\n", b""))
