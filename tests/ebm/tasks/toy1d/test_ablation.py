"""One thing of the recipe changed at a time: it changes what it names, and the table says by how much."""

from pathlib import Path

import pytest
import torch

from ebm.exceptions import DomainError, UnknownNameError
from ebm.tasks.toy1d.ablation import ABLATION_FORMATS, ABLATION_METHODS, ABLATION_SAMPLES, ABLATION_VARIANTS
from ebm.tasks.toy1d.command import main
from ebm.tasks.toy1d.engine import train_ensemble
from ebm.tasks.toy1d.jobs import Recipe, Variant, make_job
from ebm.tasks.toy1d.methods import method
from ebm.tasks.toy1d.optimisation import PUBLISHED, Optimisation
from ebm.tasks.toy1d.plan import Request, make_plan
from ebm.tasks.toy1d.rows import make_rows

from .conftest import made_up

SHORT = method("nce", num_samples=8)


def _pairs() -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.linspace(-3, 3, 64)
    return x, x.sin()


def _weights(epochs: int = 2, **changes: object) -> torch.Tensor:
    optimisation = Optimisation(**changes)  # type: ignore[arg-type]
    return train_ensemble(SHORT, *_pairs(), seeds=[3], epochs=epochs, optimisation=optimisation).weights


@pytest.mark.parametrize(
    "changes",
    [
        {"init": "xavier"},
        {"init": "orthogonal"},
        {"optimiser": "amsgrad", "learning_rate": 1e-2},
        {"optimiser": "rmsprop"},
        {"schedule": "cosine"},
        {"learning_rate": 2e-3},
    ],
)
def test_every_change_moves_the_weights(changes: dict[str, object]) -> None:
    usual = _weights(learning_rate=changes.get("learning_rate", 1e-3) if "optimiser" in changes else 1e-3)
    found = _weights(epochs=4 if "optimiser" in changes else 2, **changes)
    assert found.isfinite().all()
    assert not torch.allclose(found, usual)


def test_a_cosine_begins_as_published_and_ends_at_nothing() -> None:
    cosine = Optimisation(schedule="cosine")
    assert cosine.rate(0) == PUBLISHED.rate(0) == PUBLISHED.rate(1) == 1e-3
    assert cosine.rate(0.5) == pytest.approx(5e-4)
    assert cosine.rate(1) == pytest.approx(0)
    torch.testing.assert_close(_weights(1, schedule="cosine"), _weights(1))  # the first epoch is the same


def test_first_weights_have_the_scale_that_their_name_says() -> None:
    plain, xavier = (Optimisation(init=name).first_weights(0) for name in ("torch", "xavier"))
    assert torch.equal(plain, PUBLISHED.first_weights(0))
    assert (xavier == 0).sum() == 10 + 10 + 10 + 10 + 10 + 10 + 1  # biases
    matrix = Optimisation(init="orthogonal").first_weights(0)[20:120].view(10, 10)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(10), atol=1e-5, rtol=0)


def test_unknown_names_and_rates_are_refused() -> None:
    for changes in ({"init": "he"}, {"optimiser": "adamw"}, {"schedule": "step"}):
        with pytest.raises(UnknownNameError, match="Unknown"):
            Optimisation(**changes)
    for rate in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(DomainError, match="learning_rate"):
            Optimisation(learning_rate=rate)
    with pytest.raises(UnknownNameError, match="did you mean 'cosine'"):
        make_job("nce", 1, Recipe(), Variant.parse("schedule=cosin"))


def test_what_is_as_published_keeps_the_names_of_its_files() -> None:
    job = make_job("nce", 1, Recipe())
    assert job.weights_name == "ds1-nce-m1024-1ea3e48725"
    assert not {"init", "optimiser", "schedule"} & set(job.training())
    changed = [make_job("nce", 1, Recipe(), Variant.parse(text)) for text in ABLATION_VARIANTS[4:11]]
    assert len({other.weights_name for other in [job, *changed]}) == 8
    assert changed[0].training()["init"] == "xavier"
    assert changed[0].describe() == "NCE on data set 1 (init xavier)"
    assert changed[4].training()["learning_rate"] == 5e-4


def test_the_table_says_how_far_a_change_leads_and_what_fewer_runs_would_say() -> None:
    plan = make_plan(
        Request(methods=ABLATION_METHODS, samples=ABLATION_SAMPLES, variants=["recipe", "lr=0.002"])
    )
    twenty = [0.01 * (i + 1) for i in range(20)]
    results = {}
    for key, jobs in plan.items():
        for data_set, job in jobs.items():
            kl = tuple(value + 0.1 * bool(key.variant) + 0.2 * (data_set == 2) for value in twenty)
            results[job] = made_up(job, kl)
    rows = make_rows(plan, results)
    lines = [line.strip("| ").split(" | ") for line in ABLATION_FORMATS["markdown"](rows).splitlines()]
    head, recipe, changed = lines[0], dict(zip(lines[0], lines[2])), dict(zip(lines[0], lines[3]))
    assert len(head) == len(set(head)) == len(lines[2])
    assert [recipe[name] for name in ("method", "changed", "M", "published", "ours", "recipe")] == [
        *("KLD-IS", "nothing", "256", "0.088", "0.130", "-")
    ]
    assert [changed[name] for name in ("changed", "set 1", "set 2", "recipe")] == [
        *("lr=0.002", "0.130", "0.330", "+0.100")
    ]
    assert recipe["best of 5"] == recipe["mean"] == "0.205"
    assert float(recipe["ours"]) < float(recipe["best of 10"]) < float(recipe["best of 5"])
    assert 0 < float(recipe["+-"]) < 0.01
    assert [line[:3] for line in lines[4:6]] == [
        ["ML-MCMC-256", "nothing", "16"],
        ["ML-MCMC-256", "lr=0.002", "16"],
    ]


def test_the_command_runs_prints_and_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["ablation", "--methods", "kld-is", "--data-sets", "1", "2", "--runs", "2", "--samples", "4"]
    small = "train-size=64,grid=64"
    for variant in (small, f"{small},init=xavier", f"{small},optimiser=rmsprop,schedule=cosine"):
        arguments += ["--variant", variant]
    out = tmp_path / "out"
    assert main([*arguments, "--epochs", "1", "--threads", "1", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert printed.split()[:4] == ["method", "changed", "M", "published"]
    assert "optimiser=rmsprop" in printed
    assert {f"ablation.{suffix}" for suffix in ("txt", "md", "csv", "json")} <= {
        p.name for p in out.iterdir()
    }
    assert (out / "ablation.txt").read_text().rstrip() == printed.rstrip()
    assert "init,optimiser,schedule" in (out / "ablation.csv").read_text()


def test_the_plan_of_the_command_repeats_nothing() -> None:
    plan = make_plan(Request(methods=ABLATION_METHODS, samples=ABLATION_SAMPLES, variants=ABLATION_VARIANTS))
    assert len([key for key in plan if key.name == "kld-is"]) == len(ABLATION_VARIANTS)
    assert len([key for key in plan if key.name == "ml-mcmc-256"]) == len(ABLATION_VARIANTS) - 1  # no sharing
