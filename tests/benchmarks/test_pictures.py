"""The benchmark of densities given pictures: what it prints, on as little as it takes."""

import importlib

import pytest


def test_every_line_has_a_ratio(
    beside_the_scripts: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("PIL")
    pictures = importlib.import_module("pictures")
    monkeypatch.setattr(
        "sys.argv", ["pictures.py", "--rounds", "1", "--pictures", "2", "--weights", "random"]
    )
    pictures.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert all(float(line.split()[-1]) > 0 for line in lines[1:])
