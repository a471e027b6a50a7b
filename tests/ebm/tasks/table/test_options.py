"""Options of ``ebmtrack regress TABLE`` about columns: groups, weights, dates, supports, levels."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ebm
from ebm.exceptions import DomainError, InputError
from ebm.fitting.tables import NamedArray
from ebm.tasks.table.arguments import build_parser, parse_support
from ebm.tasks.table.parts import FEWEST_GROUPS, split
from ebm.tasks.table.sheets import Sheet
from ebm.tasks.tabular.command import main

pytest.importorskip("matplotlib")
pd = pytest.importorskip("pandas")
QUICK = ("--epochs", "2", "--hidden", "8", "--members", "1")


def write_visits(path: Path, patients: int = 60) -> Path:
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(patients), 3)
    count = len(patient)
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, count), unit="D")
    dose = rng.uniform(0, 1, count)
    pd.DataFrame(
        {
            "patient": [f"P{name}" for name in patient],
            "day": day.strftime("%Y-%m-%d"),
            "dose": dose,
            "w": np.where(np.arange(count) % 10 == 0, 0.0, 1.0),
            "y": rng.poisson(2 + 4 * dose),
        }
    ).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    table = write_visits(folder / "t.csv")
    argv = [str(table), "--target", "y", "--groups", "patient", "--weights", "w", "--date", "day", *QUICK]
    argv += ["--support", "count", "--level", "0.8", "0.9", "--out", str(folder / "out")]
    assert main(argv) == 0
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_all_options_reach_the_fit_and_the_page(folder: Path) -> None:
    fitted = ebm.load_fitted(folder / "out" / "model.ebm")
    assert fitted.scaling.x_names == ("day", "dose")
    assert fitted.scaling.support is not None
    assert fitted.scaling.support.whole
    assert fitted.calibration is not None
    assert str(fitted.calibration) == "36 rows of 12 groups"
    table = rows_of(folder / "t.csv")
    found = rows_of(folder / "out" / "predictions.csv")
    assert list(found[0])[2:10] == ["mean", "median", "p5", "p10", "p25", "p75", "p90", "p95"]
    tested = {table[int(line["row"]) - 1]["patient"] for line in found}
    assert len(tested) == 12
    assert len(found) == 36  # all of theirs
    page = (folder / "out" / "report.html").read_text()
    for text in ("by whole groups of &#x27;patient&#x27;", "w, in the fit", "day, from 2020-", "count"):
        assert text in page
    summary = json.loads((folder / "out" / "summary.json").read_text())
    assert "are too small" in summary["notes"][0]
    assert "Whole numbers cannot be cut" in " ".join(summary["verdict"])
    assert summary["choice"]["levels"] == [0.8, 0.9]


def test_dates_of_another_table_are_read_as_in_the_fit(folder: Path) -> None:
    new = folder / "new.csv"
    new.write_text("dose,day\n0.5,2021-06-01\n0.5,2035-06-01\n")
    argv = ["--predict", str(new), "--model", str(folder / "out" / "model.ebm"), "--out", str(folder / "p")]
    assert main([*argv, "--level", "0.8"]) == 0
    found = rows_of(folder / "p" / "predictions.csv")
    assert [line["out_of_range_in"] for line in found] == ["", "day"]
    assert "p10" in found[0]
    assert "p5" not in found[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--groups", "nobody"), "no column 'nobody'"),
        (("--groups", "dose"), "not whole, and cannot tell groups"),
        (("--groups", "patient", "--time-order"), "parted at random"),
        (("--groups", "patient", "--level", "0.95"), "12 different 'patient' cannot guarantee 0.95"),
        (("--level", "0.99"), "36 rows cannot guarantee 0.99, that takes 99"),
        (("--date", "patient"), "'P0' in row 1 is no date"),
        (("--date", "dose"), "holds float64, and dates are read from text"),
        (("--support", "some"), "--support must be positive, integer, count"),
        (("--support", "0:1", "--support", "any"), "2 times for 1 targets"),
        (("--support", "4:"), "support"),
        (("--max-levels", "0"), "max_levels"),
        (("--model", "mdn-4"), "The kind of density is --density mdn-4"),
    ],
)
def test_refusals(
    folder: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    argv = [str(folder / "t.csv"), "--target", "y", *options, *QUICK, "--out", str(folder / "no")]
    if "patient" not in options:
        argv += ["--drop", "patient"]
    if "day" not in options:
        argv += ["--drop", "day"]
    assert main(argv) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "no").exists()


def test_supports_as_text() -> None:
    assert [parse_support(text) for text in ("count", "any", "0:1", "-2.5:", ":7")] == [
        *("count", None, (0.0, 1.0), (-2.5, None), (None, 7.0))
    ]
    for text in ("", ":", "1", "a:b"):
        with pytest.raises(DomainError, match="borders LOW:HIGH"):
            parse_support(text)
    assert [parse_support(text) for text in ("degrees", "circular:24", "circular:-180:180")] == [
        *("degrees", ("circular", 24.0), ("circular", -180.0, 180.0))
    ]
    for text in ("circular:", "circular:day", "circular:0:1:2"):
        with pytest.raises(DomainError, match="period, as circular:24"):
            parse_support(text)


def test_angles_are_fitted_and_reported_on_their_circle(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (120, 2))
    hour = (np.arctan2(x[:, 1], x[:, 0]) * 12 / np.pi + 0.5 * rng.standard_normal(120)) % 24
    pd.DataFrame({"u": x[:, 0], "v": x[:, 1], "hour": hour}).to_csv(tmp_path / "t.csv", index=False)
    argv = [str(tmp_path / "t.csv"), "--target", "hour", "--support", "circular:24", *QUICK]
    assert main([*argv, "--out", str(tmp_path / "out")]) == 0
    fitted = ebm.load_fitted(tmp_path / "out" / "model.ebm")
    circle = fitted.scaling.circle
    assert circle is not None
    assert circle.period == 24
    means = [float(row["mean"]) for row in rows_of(tmp_path / "out" / "predictions.csv")]
    assert len(means) == 24
    assert all(0 <= mean < 24 for mean in means)


@settings(max_examples=40, deadline=None)
@given(st.integers(10, 60), st.integers(1, 6), st.integers(0, 3))
def test_groups_are_parted_whole(groups: int, size: int, seed: int) -> None:
    labels = np.repeat(np.arange(groups), size * 3)
    rows = np.arange(len(labels)) * 2
    parts = split(rows, 0.3, 0.3, groups=labels, seed=seed)
    own = [{*labels[part // 2].tolist()} for part in (parts.fit, parts.calibration, parts.test)]
    assert sum(map(len, own)) == groups
    assert np.sort(np.concatenate((parts.fit, parts.calibration, parts.test))).tolist() == rows.tolist()
    assert len(own[1]) == 0 or len(own[1]) >= FEWEST_GROUPS


def frames() -> list[Any]:
    columns = {"when": ["2020-01-02", "2020-01-03 12:00", None], "id": [1, 2, 2], "part": [1.0, None, 2.0]}
    found = [pd.DataFrame(columns)]
    try:
        import polars

        found.append(polars.DataFrame(columns))
    except ImportError:
        pass
    return found


@pytest.mark.parametrize("frame", frames(), ids=lambda frame: type(frame).__module__.partition(".")[0])
def test_labels_and_dates_of_every_library(frame: Any) -> None:
    sheet, rows = Sheet(frame, ("when", "id", "part")), np.arange(3)
    assert sheet.labels("id", rows).tolist() == [1, 2, 2]
    assert sheet.labels("part", rows[[0, 2]]).tolist() == [1, 2]
    with pytest.raises(InputError, match="row 2 lacks an entry"):
        sheet.labels("part", rows)
    dated = sheet.dated(["when"])
    assert str(dated.column("when")[1])[:16] == "2020-01-03 12:00"
    assert dated.missing().tolist() == [False, True, True]
    assert dated.dated(["when"]).column("when").dtype == dated.column("when").dtype
    with pytest.raises(InputError, match="dates are read from text"):
        sheet.dated(["id"])


def test_dates_of_other_forms_follow_the_first() -> None:
    sheet = Sheet(pd.DataFrame({"when": ["31/01/2020", "01/02/2020"]}), ("when",))
    assert sheet.dated(["when"]).column("when").dt.month.tolist() == [1, 2]
    mixed = Sheet(pd.DataFrame({"when": ["01/02/2020", "31/01/2020"]}), ("when",))
    with pytest.raises(InputError, match="'31/01/2020' in row 2 is no date"):
        mixed.dated(["when"])


def test_numbers_alone() -> None:
    sheet = Sheet(NamedArray(np.array([[1.0, 2.5], [2.0, 1.0]]), ("a", "b")), ("a", "b"))
    assert sheet.labels("a", np.arange(2)).dtype == np.int64
    with pytest.raises(InputError, match="read by pandas or polars"):
        sheet.dated(["a"])


def test_the_help_has_every_option_in_a_group() -> None:
    text = build_parser().format_help()
    for word in (
        "--support WHERE",
        "--groups NAME",
        "--date NAME",
        "--max-levels N",
        "--weights NAME",
        "examples:",
    ):
        assert word in text
