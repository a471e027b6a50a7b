"""Summaries, skill and tables."""

import math
import subprocess
import sys

import pytest
import torch

import ebm.scores
from ebm.exceptions import DomainError, InputError, ShapeError, UnknownNameError
from ebm.scores import Marginal, Table, compare, crps, evaluate, summarise
from ebm.scores.tables import number_with_error
from tests.ebm.scores.densities import gaussian, labels_and_means, round_gaussian

Y, MEAN = labels_and_means(2000)


def test_a_summary_by_hand() -> None:
    score = summarise([1.0, 2.0, 3.0], [2.0, 4.0, 6.0], name="CRPS")
    assert (score.mean, score.standard_error) == (2.0, pytest.approx(1 / math.sqrt(3)))
    assert (score.skill, score.skill_standard_error) == (0.5, pytest.approx(0, abs=1e-12))
    nats = summarise([1.0, 2.0], [2.0, 5.0], kind="nats")
    assert (nats.skill, nats.skill_standard_error) == (2.0, pytest.approx(1.0))
    assert math.isnan(summarise([1.0]).skill)
    assert math.isnan(summarise([1.0]).standard_error)
    assert str(score) == "CRPS 2.00 ± 0.58"
    with pytest.raises(ShapeError, match=r"\(2,\) and \(3,\)"):
        summarise([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(UnknownNameError, match="nats"):
        summarise([1.0], kind="nat")


def test_the_errors_of_skills_are_those_of_repetitions() -> None:
    skills, errors = [], []
    for part_y, part_mean in zip(Y.split(40), MEAN.split(40)):
        found = evaluate(gaussian(part_mean), part_y, marginal=Y)["CRPS"]
        skills.append(found.skill)
        errors.append(found.skill_standard_error)
    spread = torch.tensor(skills).std().item()
    assert spread == pytest.approx(sum(errors) / len(errors), rel=0.35)
    # The marginal is N(0, 5): skill 1 - 1 / sqrt(5).
    assert sum(skills) / len(skills) == pytest.approx(1 - 1 / math.sqrt(5), abs=0.03)


def test_every_score_of_one_target() -> None:
    found = evaluate(gaussian(MEAN), Y[:, 0], marginal=Y, between=(2.0, math.inf))
    names = [score.name for score in found.scores]
    assert names == [
        "log score", "CRPS", "CRPS in [2, inf]", "pinball 0.1", "pinball 0.5", "pinball 0.9",
        "Winkler 90 %", "width 90 %", "sharpness", "coverage 90 %",
    ]  # fmt: skip
    torch.testing.assert_close(found["CRPS"].values, crps(gaussian(MEAN), Y))
    assert found["log score"].skill == pytest.approx(math.log(5) / 2, abs=0.06)
    assert found["width 90 %"].mean == pytest.approx(2 * 1.6449, abs=1e-3)
    assert found["coverage 90 %"].mean == pytest.approx(0.9, abs=0.03)
    assert 0.3 < found["CRPS in [2, inf]"].skill < 1 - 1 / math.sqrt(5)  # beyond 2 less is known
    for name in ("CRPS", "pinball 0.9", "Winkler 90 %"):
        assert found[name].skill == pytest.approx(1 - 1 / math.sqrt(5), abs=0.06)
    with pytest.raises(UnknownNameError, match="did you mean 'CRPS'"):
        found["CRP"]


def test_the_marginal_has_no_skill() -> None:
    found = evaluate(Marginal(Y, 2000), Y)
    for score in found.scores:
        if score.kind != "share":
            assert score.skill == pytest.approx(0, abs=1e-12)


def test_several_targets_have_an_energy_score_and_names() -> None:
    y, mean = labels_and_means(30, 2)
    found = evaluate(round_gaussian(mean), y, marginal=labels_and_means(500, 2, seed=5)[0], names=("a", "b"))
    assert found["energy score"].skill == pytest.approx(1 - 1 / math.sqrt(5), abs=0.12)
    assert {"CRPS a", "CRPS b", "coverage 90 % b"} <= {score.name for score in found.scores}
    with pytest.raises(ShapeError, match="names"):
        evaluate(round_gaussian(mean), y, names=("a",))
    with pytest.raises(ShapeError, match="marginal of D=2"):
        evaluate(round_gaussian(mean), y, marginal=y[:, 0])


def test_float32_densities_take_labels_of_any_kind() -> None:
    density = ebm.GridDensity(lambda y: -0.5 * y[..., 0].square(), torch.linspace(-6, 6, 101), batch_size=5)
    found = evaluate(density, [0.1, -0.3, 0.2, 1.0, 2.0], level=0.5, quantiles=0.5)
    assert [score.name for score in found.scores][2:4] == ["pinball 0.5", "Winkler 50 %"]
    with pytest.raises(TypeError, match="expected a density, got float"):
        evaluate(0.5, [1.0])
    with pytest.raises(TypeError, match="expected a density, got str"):
        ebm.scores.width(["density"])
    with pytest.raises(InputError, match="y"):
        evaluate(density, ["a"] * 5)
    assert found["log score"].mean > 0.9


def test_methods_side_by_side() -> None:
    evaluations = {
        name: evaluate(gaussian(MEAN, s), Y, marginal=Y) for name, s in (("right", 1.0), ("wide", 3.0))
    }
    table = compare(evaluations, ["log score", "CRPS", "coverage 90 %"])
    assert table.head == ("method", "log score", "CRPS", "coverage 90 %")
    assert table.best == {(0, 1), (0, 2)}
    assert "| right | **1.4" in table.markdown()
    assert r"right & \textbf{1.4" in table.latex()
    assert "coverage 90 \\%" in table.latex()
    skill = compare(evaluations, ["CRPS"], show="skill")
    assert skill.rows[0][1].startswith("55.") or skill.rows[0][1].startswith("54.")
    assert "Skill against the given marginal" in skill.caption
    assert set(compare(evaluations).head[1:]) == {score.name for score in evaluations["wide"].scores}
    with pytest.raises(DomainError, match="at least one method"):
        compare({})
    with pytest.raises(ShapeError, match="different numbers"):
        compare({**evaluations, "few": evaluate(gaussian(MEAN[:9]), Y[:9])}, ["CRPS"])
    with pytest.raises(UnknownNameError):
        compare(evaluations, ["CRPS"], show="skil")
    with pytest.raises(TypeError, match="not so of 'a'"):
        compare({"a": 3})


def test_a_table_as_text_markdown_and_latex() -> None:
    table = Table(("a_b", "x|y"), (("50 % & more", "1 ± 2"), ("c", "3")), "Of {2} rows.", frozenset({(0, 1)}))
    assert str(table).splitlines() == [
        "a_b            x|y",
        "50 % & more  1 ± 2",
        "c                3",
        "Of {2} rows.",
    ]
    assert table.markdown() == (
        "| a_b | x\\|y |\n|---|---:|\n| 50 % & more | **1 ± 2** |\n| c | 3 |\n\nOf {2} rows.\n"
    )
    latex = table.latex()
    assert "a\\_b & x|y \\\\" in latex
    assert r"50 \% \& more & \textbf{1 $\pm$ 2} \\" in latex
    assert r"\caption{Of \{2\} rows.}" in latex
    assert latex.count("{tabular}") == 2
    assert not Table(("a",), ()).latex().startswith(r"\begin{table}")


def test_a_number_ends_with_the_second_digit_of_its_error() -> None:
    assert number_with_error(0.20631, 0.01234) == "0.206 ± 0.012"
    assert number_with_error(1234.5, 56.7) == "1234 ± 57"
    assert number_with_error(math.inf, math.nan) == "inf"
    assert number_with_error(2.0, math.nan) == "2"


def test_public_names_are_there_and_cost_nothing_until_used() -> None:
    assert sorted(ebm.scores.__all__) == sorted(name for names in ebm.scores._HOME.values() for name in names)
    assert all(getattr(ebm.scores, name) is not None for name in ebm.scores.__all__)
    with pytest.raises(AttributeError, match="no attribute 'crp'"):
        ebm.scores.crp  # noqa: B018
    code = "import sys, ebm.scores; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "False"
