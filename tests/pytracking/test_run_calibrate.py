"""The command that measures and fits densities over boxes."""

from pathlib import Path

import pytest

from ltr.admin.loading import load_network
from pytracking.cli import main
from pytracking.demo import untrained
from tests.pytracking.evaluation.tiny import write_otb


def test_fit_store_and_measure_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights, root = untrained(tmp_path / "w"), write_otb(tmp_path / "otb", {"Walk": 5})
    before = weights.read_bytes()
    data = ["--dataset", "otb", "--root", str(root), "--allow-missing", "--stride", "2"]
    stored, out = tmp_path / "calibrated.pth.tar", tmp_path / "out"
    command = ["calibrate", "dimp", "nce_plus_small", "--checkpoint", str(weights), *data]
    assert main([*command, "--store", str(stored), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "frames               2 of 1 sequences" in said
    assert "90 % regions hold" in said
    assert sorted(path.name for path in out.iterdir()) == ["calibration.csv", "calibration.png"]
    assert weights.read_bytes() == before
    network, _ = load_network(stored)
    plain, _ = load_network(weights)
    stated = {key: network.info[key] for key in ("density_temperature", "presence_power")}
    assert f"density_temperature {stated['density_temperature']:.3g}" in said
    assert network.info == plain.info | stated
    again = [*command[:4], str(stored), *data, "--store", str(tmp_path / "twice.pth.tar")]
    assert main(again) == 0
    twice, _ = load_network(tmp_path / "twice.pth.tar")
    assert twice.info["density_temperature"] >= 0.25 * stated["density_temperature"]


@pytest.mark.parametrize(
    ("more", "words"),
    [(["--store", "w.pth.tar"], "is the weights"), (["--out", "otb/Walk"], "lies in the data set")],
)
def test_inputs_are_never_written(
    more: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    untrained(tmp_path).rename(tmp_path / "w.pth.tar")
    write_otb(tmp_path / "otb", {"Walk": 3})
    command = ["calibrate", "dimp", "nce_plus_small", "--checkpoint", "w.pth.tar", "--dataset", "otb"]
    assert main([*command, "--root", "otb", "--allow-missing", *more]) == 2
    assert words in capsys.readouterr().err
