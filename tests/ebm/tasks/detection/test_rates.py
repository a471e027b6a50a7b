"""Learning rates that `ebmtrack detect table` chooses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ebm.integrity.json_files import write_sealed_json
from ebm.tasks.cells import read_records
from ebm.tasks.detection.command import main
from tests.ebm.tasks.detection.small import FEW

Table = Callable[..., int]


@pytest.fixture
def table(place: Path, tmp_path: Path) -> Table:
    """The command over the shared pictures, its folder that of the test."""
    pytest.importorskip("faster_coco_eval")
    given = [str(place / "data"), "--detector", str(place / "detector.pt"), "--tuning", "2", *FEW]
    return lambda *more: main(["table", *given, "--out", str(tmp_path), *more])


def records(folder: Path, **wanted: Any) -> list[dict[str, Any]]:
    """Those whose cells have these values."""
    found = read_records(folder / "results.json")
    return [r for r in found if all(r["cell"].get(key) == value for key, value in wanted.items())]


def test_the_best_rate_is_taken_and_no_training_is_repeated(
    table: Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = ("--methods", "gaussian", "laplace", "--seeds", "1")
    assert table(*plain) == 0
    assert all("rates" not in own["cell"] for own in records(tmp_path))
    capsys.readouterr()
    assert table(*plain, "--rates", "2", "1", "1e30", "--rates-of", "laplace=1") == 0
    told = capsys.readouterr().err
    assert "training gaussian, seed 0, rate 0.005" not in told  # it is there
    assert "training gaussian, seed 0, rate 0.01" in told
    assert "laplace, seed 0, rate" not in told
    trials = [own for own in records(tmp_path) if "factor" in own["cell"]]
    tried = [(own["cell"]["method"], own["cell"]["factor"]) for own in trials]
    assert sorted(tried) == [("gaussian", 1.0), ("gaussian", 2.0), ("gaussian", 1e30), ("laplace", 1.0)]
    (failed,) = (own for own in trials if own["AP"] is None)
    assert failed["rate"] == pytest.approx(5e27)
    assert "too large" in failed["failed"]
    assert not list(tmp_path.glob("*.checkpoint"))
    (chosen,) = records(tmp_path, method="gaussian", seed=0, rates=[1.0, 2.0, 1e30])
    assert set(chosen["rates"]) == {"0.005", "0.01", "5e+27"}
    assert chosen["rates"]["5e+27"] is None
    assert chosen["rate"] == 0.005
    assert table(*plain) == 0  # its records stay valid
    assert "training" not in capsys.readouterr().err


def test_the_trial_of_the_best_ap_gives_all_seeds_their_rate(
    table: Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--methods", "gaussian", "--rates", "1", "2")
    assert table(*given, "--seeds", "1") == 0
    trials = [own for own in records(tmp_path) if "factor" in own["cell"]]
    for own in trials:  # on these pictures both have an AP of 0
        own["AP"] = 40.0 + own["cell"]["factor"]
    write_sealed_json(tmp_path / "results.json", {"format": 1, "results": trials})
    capsys.readouterr()
    assert table(*given, "--seeds", "2") == 0
    trained = [line for line in capsys.readouterr().err.splitlines() if line.startswith("training")]
    assert trained == ["training gaussian, seed 1, rate 0.01"]
    first, second = records(tmp_path, method="gaussian", rates=[1.0, 2.0])
    assert first["rates"] == {"0.005": 41.0, "0.01": 42.0}
    assert "rates" not in second
    assert first["rate"] == second["rate"] == 0.01
    (trial,) = records(tmp_path, factor=2.0)
    assert first["loss"] == trial["loss"] != second["loss"]
    head, *rows = (line.split(",") for line in (tmp_path / "runs.csv").read_text().splitlines())
    assert [row[head.index("rate")] for row in rows] == ["", "0.01", "0.01"]


def test_a_rate_may_be_tried_with_several_seeds(
    table: Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With seed 0 the faster is better, and by far the worse with seed 1."""
    given = ("--methods", "gaussian", "--rates", "1", "2")
    assert table(*given, "--seeds", "1", "--rate-seeds", "2") == 0
    assert "gaussian, rate 0.01, seed 1: AP" in capsys.readouterr().err
    trials = [own for own in records(tmp_path) if "factor" in own["cell"]]
    assert sorted((own["cell"]["factor"], own["cell"]["seed"]) for own in trials) == [
        *((1.0, 0), (1.0, 1)),
        *((2.0, 0), (2.0, 1)),
    ]
    for own in trials:
        own["AP"] = 40.0 + (2 if own["cell"]["seed"] == 0 else -8) * (own["cell"]["factor"] - 1)
    write_sealed_json(tmp_path / "results.json", {"format": 1, "results": trials})
    assert table(*given, "--seeds", "2", "--rate-seeds", "2") == 0
    assert "training" not in capsys.readouterr().err  # the trials are the trainings of both seeds
    first, second = records(tmp_path, method="gaussian", rates=[1.0, 2.0])
    assert first["rates"] == {"0.005": 40.0, "0.01": 37.0}
    assert first["rate"] == second["rate"] == 0.005
    assert table(*given, "--seeds", "1") == 0  # by seed 0 alone
    assert records(tmp_path, method="gaussian", rates=[1.0, 2.0])[-1]["rate"] == 0.01


def test_without_tuning_rates_are_compared_at_the_recipes_own_step(table: Table, tmp_path: Path) -> None:
    sizes = [word for size in ("hidden=16", "method.num_samples=8") for word in ("--set", f"nce+:{size}")]
    assert table("--methods", "nce+", *sizes, "--seeds", "1", "--no-tuning", "--rates", "0.5", "1") == 0
    trials = [own for own in records(tmp_path) if "factor" in own["cell"]]
    assert [own["rate"] for own in trials] == [0.0015, 0.003]
    assert all(own["AP"] is not None and "step" not in own for own in trials)


def test_a_method_that_fails_at_every_rate_is_named(
    table: Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--methods", "gaussian", "laplace", "--seeds", "1", "--rates", "1e29", "1e30")
    assert table(*given, "--rates-of", "laplace=1") == 2
    assert "gaussian failed at every learning rate" in capsys.readouterr().err
    assert len(records(tmp_path, method="laplace")) == 1
    assert table(*given, "--rates-of", "laplace=1", "--rates-of", "gaussian=0.5") == 0
    assert "training laplace" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["--rates", "1", "1.0"], "--rates: the factor 1 is given twice"),
        (["--rates-of", "gaussian=3,3"], "--rates-of gaussian=3,3: the factor 3 is given twice"),
        (["--rates-of", "gaussian"], "--rates-of takes METHOD=FACTOR"),
        (["--rates-of", "gaussian=1,,3"], "--rates-of takes METHOD=FACTOR"),
        (["--rates-of", "gaussian=-1"], "--rates-of takes METHOD=FACTOR"),
        (["--rates-of", "nce=1"], "--rates-of takes METHOD=FACTOR"),
        (["--rates", "1", "1e-323"], "choose a factor nearer to 1"),
    ],
)
def test_factors_that_cannot_be_are_refused(
    table: Table, tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: list[str], words: str
) -> None:
    assert table("--methods", "gaussian", *wrong) == 2
    assert words in capsys.readouterr().err
    assert not records(tmp_path)


@pytest.mark.parametrize("factor", ["0", "-1", "inf", "nan", "1e999", "x"])
def test_a_factor_is_positive_and_finite(
    table: Table, capsys: pytest.CaptureFixture[str], factor: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        table("--rates", factor)
    assert ended.value.code == 2
    assert "expected a positive finite number" in capsys.readouterr().err
