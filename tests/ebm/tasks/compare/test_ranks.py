"""Ranks and tests against published and hand-made figures; the sentence says what the figures say."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import wilcoxon

from ebm.tasks.compare.answers import Scores
from ebm.tasks.compare.picture import draw_critical_differences, save_critical_differences
from ebm.tasks.compare.ranks import Ranking, critical_difference, group_means, rank_methods, wilcoxon_holm
from ebm.tasks.compare.report import MEASURES, csv_of_means, csv_of_ranks, csv_of_results, markdown, rankings
from ebm.tasks.compare.study import Result
from ebm.tasks.compare.verdict import kinds_of, verdict

# Demsar, JMLR 2006, table 2: mean ranks over 14 data sets.
PUBLISHED = {"c4.5": 3.143, "c4.5+m": 2.000, "c4.5+cf": 2.893, "c4.5+m+cf": 1.964}


def a_result(table: str, method: str, crps: float | None, nll: float | None = None, split: int = 0) -> Result:
    scores = Scores(
        nll=nll,
        crps=0.0 if crps is None else crps,
        energy=None,
        coverage_90=0.9,
        width_90=1.0,
        winkler_90=1.0,
        fit_seconds=1.0,
        predict_seconds=0.5,
    )
    return Result(
        table=table,
        method=method,
        split=split,
        scores=None if crps is None else scores,
        true_nll=0.25,
        messages=("it broke",) if crps is None else (),
    )


def results() -> list[Result]:
    """`ebm` is best on tables of several modes, the forest elsewhere, NGBoost never and once fails."""
    found = []
    for i, table in enumerate(("branches", "ring", "tree-noise", "one-hot", "friedman1")):
        modes = i < 2
        found += [
            a_result(table, "ebm", 1.0 if modes else 2.0, nll=0.5),
            a_result(table, "quantile-forest", 2.0 if modes else 1.0),
            a_result(table, "ngboost", None if table == "ring" else 3.0, nll=0.7),
        ]
    return found


def test_the_critical_difference_is_the_published_one() -> None:
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    assert critical_difference(5, 30) == pytest.approx(2.728 * math.sqrt(5 * 6 / 180), rel=1e-3)


def test_ranks_are_means_and_ties_share_theirs() -> None:
    ranking = rank_methods({"a": {"p": 1.0, "q": 1.0, "r": 2.0}, "b": {"p": 1.0, "q": 3.0, "r": 2.0}})
    assert ranking is not None
    assert ranking.methods == ("p", "q", "r")
    assert ranking.ranks == (1.25, 2.25, 2.5)
    assert ranking.tables == 2
    assert 0 < ranking.friedman <= 1


def test_tables_that_a_method_lacks_are_not_ranked_and_one_method_is_none() -> None:
    ranking = rank_methods({"a": {"p": 1.0, "q": 2.0}, "b": {"p": 1.0}})
    assert ranking is not None
    assert ranking.tables == 1
    assert rank_methods({"a": {"p": 1.0}}) is None
    assert rank_methods({}) is None


def test_pairs_are_tested_by_wilcoxon_and_corrected_by_holm() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((12, 3)) + [0.0, 0.2, 3.0]
    raw = {(i, j): wilcoxon(values[:, i], values[:, j]).pvalue for i, j in ((0, 1), (0, 2), (1, 2))}
    found = wilcoxon_holm(("a", "b", "c"), values)
    low, middle, high = sorted(raw.values())
    assert sorted(found.values()) == pytest.approx(
        [3 * low, max(3 * low, 2 * middle), max(3 * low, 2 * middle, high)]
    )
    assert found["a", "c"] < 0.05 < found["a", "b"]
    assert set(wilcoxon_holm(("a", "b"), np.ones((5, 2))).values()) == {1.0}


def test_a_failure_has_the_last_rank() -> None:
    means = group_means(results(), lambda scores: scores.crps)
    assert means["ring"]["ngboost"] == math.inf
    ranking = rank_methods(means)
    assert ranking is not None
    assert ranking.rank("ngboost") == 3.0
    assert "ngboost" not in group_means([a_result("ring", "ngboost", 1.0)], lambda s: s.nll).get("ring", {})


def test_methods_closer_than_the_critical_difference_share_a_bar() -> None:
    ranking = rank_methods({str(i): {"p": i, "q": i + 1.0, "r": i + 2.0} for i in range(12)})
    assert ranking is not None
    assert ranking.alike() == [] or ranking.critical_difference > 1
    near = replace(ranking, ranks=(1.0, 1.5, 2.9), critical_difference=1.45)
    assert near.alike() == [(0, 1), (1, 2)]
    assert replace(near, critical_difference=2.0).alike() == [(0, 2)]
    assert replace(near, critical_difference=0.1).alike() == []


def test_the_sentence_picks_the_best_of_every_kind() -> None:
    text = verdict(results())
    pick = text.split("\n\n")[0]
    assert "`ebm` for tables with several modes" in pick
    assert "`quantile-forest` for tables with steps and categories or smooth dependence" in pick
    assert "several modes (branches, ring): `ebm`; above it are `quantile-forest` 100 %." in text
    assert "`ngboost` 3.00" in text
    assert kinds_of(results())["several modes"] == ["branches", "ring"]
    assert "no peers" in verdict([a_result("ring", "ebm", 1.0)])


def test_the_report_has_a_table_per_measure_and_names_what_failed_or_was_left_out() -> None:
    report = markdown(results(), {"mapie": "mapie is not installed"})
    assert "| ring | **1.0000** | 2.0000 | failed |" in report
    assert "- ring, ngboost, split 0: it broke" in report
    assert "- mapie: mapie is not installed" in report
    assert "| branches | **0.500** | 0.700 | 0.250 |" in report  # the truth is the last column
    for column in MEASURES.values():
        assert (f"## {column.title}\n" in report) == (column.name != "energy")


def test_csv_files_hold_every_cell_mean_and_rank() -> None:
    rows = csv_of_results(results()).splitlines()
    assert len(rows) == 16
    assert rows[0].startswith("table,method,split,nll,crps")
    assert csv_of_means(results(), MEASURES["crps"]).splitlines()[:2] == [
        "table,ebm,quantile-forest,ngboost",
        "branches,1.0,2.0,3.0",
    ]
    ranks = csv_of_ranks(rankings(results())).splitlines()
    assert any(row.startswith("crps,ngboost,3.0,5,") for row in ranks)


def test_the_diagram_has_a_line_per_method_and_a_bar_per_group(tmp_path: Path) -> None:
    published = sorted(PUBLISHED.items(), key=lambda item: item[1])
    ranking = Ranking(
        methods=tuple(name for name, _ in published),
        ranks=tuple(rank for _, rank in published),
        tables=14,
        friedman=0.03,
        critical_difference=critical_difference(4, 14),
        pairs={},
    )
    figure = draw_critical_differences(ranking, "AUC")
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert {"c4.5+m+cf  1.96", "c4.5+m  2.00", "2.89  c4.5+cf", "3.14  c4.5"} <= texts
    thick = [line for line in figure.axes[0].lines if line.get_linewidth() == 3.5]
    assert len(thick) == 1  # as in Demsar's figure: none differs from all others
    save_critical_differences(ranking, "AUC", tmp_path / "ranks.png")
    assert (tmp_path / "ranks.png").read_bytes().startswith(b"\x89PNG")
