"""Tables: right numbers in every format, gaps and failures shown as what they are."""

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from ebm.exceptions import UnknownNameError
from ebm.tasks.toy1d.jobs import Recipe, make_job
from ebm.tasks.toy1d.plan import Counts, Request, make_plan
from ebm.tasks.toy1d.published import PUBLISHED
from ebm.tasks.toy1d.report import format_table, records, save_report
from ebm.tasks.toy1d.rows import Row, make_rows
from ebm.tasks.toy1d.sweep import sweep_table
from ebm.tasks.toy1d.tables import bands, notes

from .conftest import made_up

# 20 runs: the best five are 0.01 to 0.05, hence 0.03; mean 0.105; median 0.105.
TWENTY = tuple(0.01 * (i + 1) for i in range(20))
Methods = tuple[str, ...]


def table(kl: dict[int, tuple[float, ...]], methods: Methods = ("nce",), **request: object) -> list[Row]:
    plan = make_plan(Request(methods=methods, **request))
    jobs = [(data_set, job) for row in plan.values() for data_set, job in row.items()]
    return make_rows(plan, {job: made_up(job, kl[d]) for d, job in jobs if d in kl})


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_the_published_row_stands_beside_ours() -> None:
    rows = table({1: TWENTY, 2: tuple(3 * value for value in TWENTY)})
    text = [" ".join(line) for line in lines(format_table(rows))]
    assert text[2] == "NCE 1024 5 of 20 0.068 0.060 0.030 0.090 0.210 0.210 0 0.250 0.45 1"
    assert text[6] == "NCE 1024 1 0.030 0.105 0.105 0 0 0.2500"
    assert text[7] == "NCE 1024 2 0.090 0.315 0.315 0 0 0.2500"


def test_the_bands_are_checked_for_the_published_recipe_alone() -> None:
    rows = table({1: TWENTY, 2: TWENTY}, ("nce", "sm"))
    assert bands(rows) == [
        "NCE: 0.030, -56% against the published 0.068; inside the expected 0 to 0.085",
        "SM: 0.030, -96% against the published 0.781; OUTSIDE the expected 0.5 to 1",
    ]
    assert not bands(table({1: TWENTY}))
    both = table({1: TWENTY, 2: TWENTY}, ("nce+",))
    assert [line.partition(":")[0] for line in bands(both)] == ["NCE+", "NCE+ [share=on]"]
    assert [line.split("|")[4].strip() for line in format_table(both, "markdown").splitlines()[2:4]] == [
        "0.066"
    ] * 2
    assert any("one nu for a mini-batch" in line for line in notes(both))
    assert not bands(table({1: TWENTY, 2: TWENTY}, epochs=74))
    assert not bands(table({1: TWENTY, 2: TWENTY}, ("nce+",), beta_mode="variance"))
    assert not bands(table({1: TWENTY, 2: TWENTY}, variants=["share=off"]))


def test_a_missing_data_set_gives_a_dash_and_no_average() -> None:
    rows = table({1: TWENTY})
    assert lines(format_table(rows))[2][5:9] == ["0.068", "-", "0.030", "-"]
    assert rows[0].best() is None
    empty = table({})
    assert lines(format_table(empty))[2][1:4] == ["1024", "-", "0.068"]
    assert notes(empty) == ["No result yet."]


def test_failures_are_counted_and_not_hidden() -> None:
    diverged = (math.nan, math.inf, 0.2)
    rows = table({1: diverged, 2: (0.1, 0.2, 0.3)}, runs=Counts(3))
    text = lines(format_table(rows))
    assert text[2][5:] == ["0.068", "nan", "nan", "0.200", "0.200", "inf", "2", "0.250", "0.45", "1"]
    assert "With 3 runs all of them are averaged, not the best 5." in format_table(rows)


def test_markdown_has_a_row_a_method() -> None:
    text = format_table(table({1: TWENTY, 2: TWENTY}), "markdown").splitlines()
    assert text[1].startswith("| --- | ---: |")
    assert text[2].startswith("| NCE | 1024 | 5 of 20 | 0.068 | 0.030 |")
    assert sum(line.startswith("- ") for line in text) == 6


def test_csv_holds_numbers_configuration_and_versions() -> None:
    rows = table({1: TWENTY, 2: tuple(2 * value for value in TWENTY)})
    records_read = list(csv.DictReader(io.StringIO(format_table(rows, "csv"))))
    assert [record["data_set"] for record in records_read] == ["1", "2", "average"]
    assert [float(record["best"]) for record in records_read] == pytest.approx([0.03, 0.06, 0.045])
    first, average = records_read[0], records_read[2]
    assert (first["method"], first["seeds"], first["data_seed"], first["epochs"]) == (
        "NCE",
        "0-19",
        "0",
        "75",
    )
    assert (first["torch"], first["device"], first["failures"], first["grid_size"]) == (
        "2",
        "cpu",
        "0",
        "2048",
    )
    assert (average["published_kl"], average["published_cost"], average["seeds"]) == ("0.068", "0.45", "")
    assert len(records(rows)) == 3


def test_json_is_plain_and_complete() -> None:
    rows = table({1: (math.nan, 0.1), 2: (0.1, 0.2)})
    value = json.loads(format_table(rows, "json"), parse_constant=pytest.fail)
    assert value[0]["name"] == "nce"
    assert value[0]["results"]["1"]["kl"] == ["nan", 0.1]
    assert value[0]["results"]["2"]["training"]["epochs"] == 75


def test_every_format_is_written_with_every_single_run(tmp_path: Path) -> None:
    rows = table({1: TWENTY, 2: TWENTY}, ("nce", "sm"))
    files = save_report(rows, tmp_path, "t")
    assert [file.name for file in files] == ["t.txt", "t.md", "t.csv", "t.json", "t_runs.csv"]
    runs = list(csv.DictReader(files[-1].open()))
    assert len(runs) == 2 * 2 * 20
    assert (runs[21]["data_set"], runs[21]["seed"], runs[21]["kl"]) == ("2", "1", "0.02")
    with pytest.raises(UnknownNameError, match="did you mean 'markdown'"):
        format_table(rows, "markdwn")


def test_the_sweeps_table_has_methods_down_and_m_across() -> None:
    plan = make_plan(Request(methods=["nce", "ml-is"]), sweep=(1, 16))
    results = {}
    for key, jobs in plan.items():
        for job in jobs.values():
            kl = TWENTY if key.samples == 16 or key.name == "nce" else (math.inf,) * 20
            results[job] = made_up(job, kl)
    text = lines(sweep_table(make_rows(plan, results)))
    assert text[0] == ["M", "1", "16"]
    assert text[2] == ["NCE", "0.030", "0.030"]
    assert text[3] == ["ML-IS", "inf", "(40)", "0.030"]


def test_in_a_sweep_the_paper_stands_beside_its_own_m_alone() -> None:
    plan = make_plan(Request(methods=["nce"]), sweep=(16, 1024))
    rows = make_rows(plan, {job: made_up(job, TWENTY) for jobs in plan.values() for job in jobs.values()})
    assert [line[5] for line in lines(format_table(rows))[2:4]] == ["-", "0.068"]
    averages = [record for record in records(rows) if record["data_set"] == "average"]
    assert [record["published_kl"] for record in averages] == [None, 0.068]
    single = make_rows(plan := make_plan(Request(methods=["nce"], quick=True)), {})
    assert len(plan) == 1
    assert lines(format_table(single))[2][3] == "0.068"


def test_the_published_numbers_are_the_papers() -> None:
    assert {name: (row.kl, row.cost) for name, row in PUBLISHED.items()} == {
        "ml-is": (0.062, 0.44),
        "ml-mcmc-1": (0.865, 0.54),
        "ml-mcmc-16": (0.449, 2.41),
        "ml-mcmc-256": (0.106, 30.8),
        "kld-is": (0.088, 0.44),
        "nce": (0.068, 0.45),
        "sm": (0.781, 0.60),
        "dsm": (0.395, 0.47),
        "nce+": (0.066, 0.46),
    }


def test_a_gpus_cost_is_that_of_the_device() -> None:
    result = made_up(make_job("nce", 1, Recipe(runs=2)), (0.1, 0.2))
    assert result.cost() == 1.0
    assert replace(result, record=result.record | {"device": "cuda"}).cost() == 2.0
