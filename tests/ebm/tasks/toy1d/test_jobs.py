"""Jobs, variants and plans."""

from dataclasses import replace

import pytest

from ebm.exceptions import DomainError, EBMError, InputError, UnknownNameError
from ebm.tasks.toy1d.jobs import RECIPE, Recipe, Variant, make_job, unique
from ebm.tasks.toy1d.plan import SWEEP_SAMPLES, Counts, Request, make_plan
from ebm.tasks.toy1d.sweep import parse_samples


def test_the_default_recipe_is_the_published_one() -> None:
    job = make_job("nce+", 2, Recipe())
    assert job.training()["method"] == {
        "name": "nce+",
        "loss": "nce+",
        "num_samples": 1024,
        "sigmas": [0.1, 0.8],
        "beta": 0.025,
        "beta_mode": "std",
        "share_across_batch": False,
    }
    assert (job.epochs, job.batch_size, job.optimisation.learning_rate, job.train_size) == (
        75,
        32,
        1e-3,
        2000,
    )
    assert job.seeds == tuple(range(20))
    assert job.evaluation() == {"grid_size": 2048, "epsilon": 1e-30}


def test_names_of_files_differ_exactly_where_results_do() -> None:
    job = make_job("nce", 1, Recipe())
    different = [
        replace(job, data_set=2),
        replace(job, seeds=(0,)),
        replace(job, epochs=74),
        replace(job, data_seed=1),
        replace(job, train_size=1999),
        make_job("nce", 1, Recipe(samples=512)),
        make_job("nce", 1, Recipe(), Variant.parse("share=off")),
    ]
    names = {other.weights_name for other in [job, *different]}
    assert len(names) == 1 + len(different)
    evaluated = replace(job, epsilon=1e-12)
    assert evaluated.weights_name == job.weights_name
    assert evaluated.result_name != job.result_name == job.weights_name
    assert make_job("nce", 1, Recipe(beta_mode="variance")) == job  # beta does not concern NCE
    assert make_job("sm", 1, Recipe(samples=7)).result_name == make_job("sm", 1, Recipe()).result_name
    assert unique([job, evaluated, job]) == [job, evaluated]


def test_a_variant_changes_what_it_names_and_only_where_it_applies() -> None:
    variant = Variant.parse(
        " share=off, data-seed=3 ,epsilon=1e-12,dsm-sigma=0.2,alpha=0.1,beta-mode=variance"
    )
    nce_plus, dsm, chain = (make_job(n, 2, Recipe(), variant) for n in ("nce+", "dsm", "ml-mcmc-1"))
    assert (nce_plus.method.share_across_batch, nce_plus.method.beta_mode) == (False, "variance")
    assert (nce_plus.data_seed, nce_plus.epsilon, nce_plus.method.beta) == (3, 1e-12, 0.025)
    assert (dsm.method.dsm_sigma, chain.method.langevin_alpha) == (0.2, 0.1)
    assert Variant.parse("recipe") == RECIPE
    assert Variant.parse("share = off").name == "share=off"


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("shar=off", UnknownNameError, "did you mean 'share'"),
        ("share=maybe", InputError, "share=off"),
        ("share", InputError, "share=off"),
        ("data-seed=x", InputError, "data-seed=1"),
        ("epsilon=", InputError, "epsilon=1e-12"),
    ],
)
def test_a_variant_that_cannot_be_read_says_what_can(text: str, error: type[EBMError], words: str) -> None:
    with pytest.raises(error, match=words):
        Variant.parse(text)


@pytest.mark.parametrize(
    "text", ["epsilon=-1", "epsilon=nan", "epsilon=inf", "grid=1", "train-size=0", "data-seed=-1", "beta=-1"]
)
def test_values_outside_their_domain_are_refused(text: str) -> None:
    with pytest.raises(DomainError):
        make_job("nce+", 1, Recipe(), Variant.parse(text))


@pytest.mark.parametrize("changes", [{"runs": 0}, {"epochs": 0}, {"samples": 0}, {"data_seed": -1}])
def test_a_recipe_needs_runs_and_epochs(changes: dict[str, int]) -> None:
    with pytest.raises(DomainError, match=next(iter(changes))):
        Recipe(**changes)


def test_counts_are_read_for_all_and_for_some() -> None:
    counts = Counts.parse("20,ML-MCMC-256=4", "--runs")
    assert (counts.of("nce"), counts.of("ml-mcmc-256")) == (20, 4)
    assert (Counts.parse("nce=3", "--runs").of("sm"), Counts().of("nce")) == (None, None)
    for text, error, words in (
        ("many", InputError, "--runs takes a number"),
        ("0", DomainError, "--runs must be >= 1"),
        ("5,nec=3", UnknownNameError, "'nce'"),
        ("5,", InputError, "takes a number"),
    ):
        with pytest.raises(error, match=words):
            Counts.parse(text, "--runs")


def test_a_plan_has_a_row_for_every_method_and_variant_that_makes_a_difference() -> None:
    request = Request(methods=["nce,NCE+", "nce"], variants=["recipe", "beta-mode=variance"], quick=True)
    plan = make_plan(request)
    assert [(key.label, key.samples) for key in plan] == [
        ("NCE", 128),
        ("NCE+", 128),
        ("NCE+ [beta-mode=variance]", 128),
    ]
    assert all(sorted(jobs) == [1, 2] for jobs in plan.values())
    assert len(make_plan(Request(methods=["all"]))) == 11


def test_nce_plus_has_a_row_with_noise_per_label_and_one_with_the_released_codes() -> None:
    plan = make_plan(Request(methods=["nce+", "cnce"], samples=Counts(64)))
    assert {key.label: jobs[1].method.share_across_batch for key, jobs in plan.items()} == {
        "NCE+": False,
        "NCE+ [share=on]": True,
        "CNCE": False,
    }
    asked = make_plan(Request(methods=["nce+"], variants=["recipe"]))
    assert [key.label for key in asked] == ["NCE+"]


def test_what_is_given_beats_quick() -> None:
    request = Request(
        methods=["nce"], quick=True, runs=Counts(3), samples=Counts(64), epochs=2, data_sets=[2]
    )
    (jobs,) = make_plan(request).values()
    assert (len(jobs[2].seeds), jobs[2].method.num_samples, jobs[2].epochs) == (3, 64, 2)


def test_a_sweep_has_a_row_for_every_m_and_its_last_is_the_tables() -> None:
    plan = make_plan(Request(methods=["nce"]), sweep=SWEEP_SAMPLES)
    assert [key.samples for key in plan] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
    assert list(plan.values())[-1] == next(iter(make_plan(Request(methods=["nce"])).values()))
    assert parse_samples("16,1,16") == (1, 16)
    with pytest.raises(InputError, match="1,16,256"):
        parse_samples("a")
    with pytest.raises(DomainError, match=">= 1"):
        parse_samples("0,4")


def test_a_plan_refuses_what_is_unknown() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'nce'"):
        make_plan(Request(methods=["nec"]))
    with pytest.raises(InputError, match="No method"):
        make_plan(Request(methods=[","]))
    with pytest.raises(DomainError, match="1 or 2"):
        make_plan(Request(methods=["nce"], data_sets=[3]))
    with pytest.raises(UnknownNameError, match="beta mode"):
        make_plan(Request(methods=["nce+"], beta_mode="st"))


def test_a_job_says_what_it_is_and_how_it_differs() -> None:
    assert make_job("nce", 2, Recipe()).describe() == "NCE on data set 2"
    variant = Variant.parse("share=off,data-seed=3,epsilon=1e-12")
    assert make_job("dsm", 1, Recipe(samples=64), variant).describe() == (
        "DSM on data set 1 (num_samples 64, data_seed 3, epsilon 1e-12)"
    )
    assert "share_across_batch False" in make_job("nce", 1, Recipe(), variant).describe()
