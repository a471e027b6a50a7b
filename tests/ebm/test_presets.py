"""Presets against the published tables, and against the collected results where those exist."""

from pathlib import Path
from typing import Any

import pytest

from ebm.exceptions import UnknownNameError
from ebm.presets import (
    MethodConfig,
    preset,
    presets,
    refinement,
    refinements,
)
from ebm.tasks.toy1d.methods import DATA_SETS, METHODS
from ebm.tasks.toy1d.methods import method as toy_method

# name: loss, M, sigmas, and whatever else the method has (tables 2.1 and 5.2 of the papers' settings).
TRAINING: dict[str, tuple[str, int, tuple[float, ...], dict[str, Any]]] = {
    "toy1d/ml-is": ("ml-is", 1024, (0.2, 1.6), {}),
    "toy1d/ml-is-p1": ("ml-is", 1024, (0.1, 0.8), {}),
    "toy1d/kld-is": ("kld-is", 1024, (0.2, 1.6), {"label_sigma": 0.025}),
    "toy1d/nce": ("nce", 1024, (0.1, 0.8), {}),
    "toy1d/nce+": ("nce+", 1024, (0.1, 0.8), {"beta": 0.025}),
    "toy1d/sm": ("sm", 0, (), {}),
    "toy1d/dsm": ("dsm", 1024, (), {"dsm_sigma": 0.2}),
    "toy1d/dsm-2": ("dsm", 1024, (), {"dsm_sigma": 0.075}),
    "toy1d/ml-mcmc-1": ("ml-mcmc", 1024, (), {"langevin_steps": 1, "langevin_alpha": 0.05}),
    "toy1d/ml-mcmc-1-2": ("ml-mcmc", 1024, (), {"langevin_steps": 1, "langevin_alpha": 0.0125}),
    "toy1d/ml-mcmc-16": ("ml-mcmc", 1024, (), {"langevin_steps": 16, "langevin_alpha": 0.05}),
    "toy1d/ml-mcmc-16-2": ("ml-mcmc", 1024, (), {"langevin_steps": 16, "langevin_alpha": 0.0125}),
    "toy1d/ml-mcmc-256": ("ml-mcmc", 1024, (), {"langevin_steps": 256, "langevin_alpha": 0.05}),
    "toy1d/ml-mcmc-256-2": ("ml-mcmc", 1024, (), {"langevin_steps": 256, "langevin_alpha": 0.0125}),
    "detection/iou-net": ("iou-pool", 128, (), {"iou_criterion": "huber"}),
    "detection/iou-net*": ("iou", 127, (0.0375, 0.075, 0.15), {"iou_criterion": "huber", "iou_label": True}),
    "detection/ml-is": ("ml-is", 127, (0.0375, 0.075, 0.15), {}),
    "detection/ml-is-p1": ("ml-is", 127, (0.0375, 0.075, 0.15), {}),
    "detection/kld-is": ("kld-is", 128, (0.0375, 0.075, 0.15), {"label_sigma": 0.0225}),
    "detection/nce": ("nce", 127, (0.075, 0.15, 0.3), {}),
    "detection/nce+": ("nce+", 127, (0.075, 0.15, 0.3), {"beta": 0.1}),
    "detection/dsm": ("dsm", 128, (), {"dsm_sigma": 0.075}),
    "detection/ml-mcmc-1": ("ml-mcmc", 128, (), {"langevin_steps": 1, "langevin_alpha": 1e-5}),
    "detection/ml-mcmc-4": ("ml-mcmc", 128, (), {"langevin_steps": 4, "langevin_alpha": 1e-5}),
    "detection/ml-mcmc-8": ("ml-mcmc", 128, (), {"langevin_steps": 8, "langevin_alpha": 1e-5}),
    "tracking/atom*": ("iou", 128, (0.05, 0.5), {"iou_criterion": "mse"}),
    "tracking/atom-ml-is": ("ml-is", 128, (0.05, 0.5), {}),
    "tracking/prdimp": ("kld-is", 128, (0.05, 0.5), {"label_sigma": 0.05}),
    "tracking/dimp-kld-is": ("kld-is", 128, (0.05, 0.5), {"label_sigma": 0.05}),
    "tracking/dimp-nce": ("nce", 128, (0.05, 0.5), {}),
    "tracking/dimp-nce+": ("nce+", 128, (0.05, 0.5), {"beta": 0.1}),
    "age": ("ml-is", 1024, (0.1, 20), {}),
    "headpose": ("ml-is", 1024, (1, 20), {}),
}

# name: algorithm, space, T, step length, decay (table 3.5).
PREDICTION = {
    "detection/iou-net": ("s1", "default", 10, 0.5, 0.1),
    "detection/iou-net*": ("s1", "relative", 10, (2e-3, 8e-3), 0.2),
    "detection/ml-is-p1": ("s1", "relative", 10, (1e-4, 4e-4), 0.5),
    "detection/ml-is": ("s1", "relative", 10, (4e-4, 1.6e-3), 0.5),
    "detection/kld-is": ("s1", "relative", 10, (4e-4, 1.6e-3), 0.5),
    "detection/nce": ("s1", "relative", 10, (4e-4, 1.6e-3), 0.5),
    "detection/nce+": ("s1", "relative", 10, (8e-4, 3.2e-3), 0.5),
    "detection/dsm": ("s1", "relative", 10, (2.5e-5, 1e-4), 0.5),
    "detection/ml-mcmc-1": ("s1", "relative", 10, (2.5e-5, 1e-4), 0.5),
    "detection/ml-mcmc-4": ("s1", "relative", 10, (2.5e-5, 1e-4), 0.5),
    "detection/ml-mcmc-8": ("s1", "relative", 10, (2.5e-5, 1e-4), 0.5),
    "tracking/atom": ("vanilla", "default", 5, 1.0, 1.0),
    "tracking/atom*": ("vanilla", "relative", 10, (1e-2, 5e-2), 1.0),
    "tracking/atom-ml-is": ("vanilla", "relative", 10, (2e-4, 1e-3), 1.0),
    "tracking/prdimp": ("vanilla", "relative", 10, 2.5e-3, 1.0),
    "tracking/dimp-kld-is": ("vanilla", "relative", 10, 2.5e-3, 1.0),
    "tracking/dimp-nce": ("vanilla", "relative", 10, 2.5e-3, 1.0),
    "tracking/dimp-nce+": ("vanilla", "relative", 10, 2.5e-3, 1.0),
    "age": ("s2", "target", 5, 3.0, None),
    "headpose": ("s2", "target", 5, 0.1, None),
}
OPTIONAL = (
    "label_sigma",
    "beta",
    "langevin_steps",
    "langevin_alpha",
    "dsm_sigma",
    "iou_criterion",
    "iou_label",
)
DIMENSIONS = {"toy1d": 1, "detection": 4, "tracking": 4, "age": 1, "headpose": 3}


def described(method: MethodConfig) -> tuple[str, int, tuple[float, ...], dict[str, Any]]:
    """A method as a row of `TRAINING`."""
    boxes = method.layout == "box"
    for row in method.sigmas:
        assert len(row) == (2 if boxes else 1)
        assert len(set(row)) == 1
    rest = {name: getattr(method, name) for name in OPTIONAL if getattr(method, name)}
    if "label_sigma" in rest:
        (rest["label_sigma"],) = set(rest["label_sigma"])
    return method.loss, method.num_samples, tuple(row[0] for row in method.sigmas), rest


def test_training_is_as_published() -> None:
    assert {name: described(method) for name, method in presets.items()} == TRAINING
    for name, method in presets.items():
        task = name.partition("/")[0]
        assert method.target_dim == DIMENSIONS[task], name
        assert (method.layout == "box") == (method.target_dim == 4), name
        assert method.beta_mode == "std"
        shared = task == "toy1d" and method.loss in ("ml-is", "kld-is", "nce")
        assert method.share_across_batch == shared, name


def test_prediction_is_as_published() -> None:
    found = {name: (r.algorithm, r.space, r.steps, r.step_length, r.decay) for name, r in refinements.items()}
    assert found == PREDICTION
    for name, method in presets.items():
        assert method.refine == refinements.get(name), name
    for name in ("age", "headpose"):
        assert (refinement(name).tol_improve, refinement(name).tol_degenerate) == (1e-3, -1e-2)


@pytest.mark.parametrize("data_set", DATA_SETS)
@pytest.mark.parametrize("name", [name for name in METHODS if name != "cnce"])  # not the papers'
def test_the_study_of_one_dimension_trains_with_these_settings(name: str, data_set: int) -> None:
    own = f"toy1d/{name}-{data_set}"
    config, studied = preset(own if own in presets else f"toy1d/{name}"), toy_method(name, data_set)
    assert tuple(s for (s,) in config.sigmas) == (studied.sigmas or ())
    assert config.label_sigma == (None if studied.label_sigma is None else (studied.label_sigma,))
    assert config.langevin_steps == (studied.langevin_steps or 0)
    for setting in ("loss", "beta", "beta_mode", "langevin_alpha", "dsm_sigma"):
        assert getattr(config, setting) == getattr(studied, setting)
    if config.sigmas:
        assert config.share_across_batch == studied.share_across_batch
    if config.loss != "sm":
        assert config.num_samples == studied.num_samples


@pytest.fixture(scope="module")
def published(test_data: Path) -> dict[str, Any]:
    """The collected results that lie beside the real data."""
    path = test_data.parent / "spec" / "paper_results.yaml"
    if not path.is_file():
        pytest.skip(f"no collected results at {path}")
    return pytest.importorskip("yaml").safe_load(path.read_text(encoding="utf-8"))


def selected(table: dict[str, Any], key: str) -> Any:
    """What an ablation chose."""
    (row,) = [row for row in table["rows"] if row.get("selected")]
    return row[key]


def test_one_dimension_agrees_with_the_collected_results(published: dict[str, Any]) -> None:
    settings = published["regression_1d"]["hyperparameters"]
    paper, code = settings["paper"], settings["code"]
    for name, used in (("ml-is", "ML-IS"), ("kld-is", "KLD-IS"), ("nce", "NCE"), ("nce+", "NCE+")):
        method = preset(f"toy1d/{name}")
        assert [s for (s,) in method.sigmas] == paper[used]["sigmas"]
        assert method.num_samples == paper["M"]
    assert preset("toy1d/kld-is").label_sigma == (paper["KLD-IS"]["label_sigma"],)
    assert preset("toy1d/nce+").beta == paper["NCE+"]["beta"]
    assert preset("toy1d/dsm").dsm_sigma == paper["DSM"]["sigma"] == code["DSM"]["sigma_dataset1"]
    assert preset("toy1d/dsm-2").dsm_sigma == code["DSM"]["sigma_dataset2"]
    for steps in (1, 16, 256):
        assert f"ML-MCMC-{steps}" in published["regression_1d"]["results"]
        first, second = preset(f"toy1d/ml-mcmc-{steps}"), preset(f"toy1d/ml-mcmc-{steps}-2")
        assert first.langevin_alpha == paper["ML-MCMC"]["alpha"] == code["ML-MCMC"]["alpha_dataset1"]
        assert second.langevin_alpha == code["ML-MCMC"]["alpha_dataset2"]
    illustration = published["regression_1d"]["figure2_of_P1"]
    assert [s for (s,) in preset("toy1d/ml-is-p1").sigmas] == illustration["sigmas"]


def test_detection_agrees_with_the_collected_results(published: dict[str, Any]) -> None:
    tables, steps = (
        published["detection_coco"]["ablations_val_AP"],
        published["detection_coco"]["step_lengths"],
    )
    sigmas = lambda name: [p for p, _ in preset(f"detection/{name}").sigmas]  # noqa: E731
    assert sigmas("ml-is") == sigmas("kld-is") == selected(tables["ML-IS_sigmas"], "sigmas")
    assert sigmas("nce") == sigmas("nce+") == selected(tables["NCE_sigmas"], "sigmas")
    assert preset("detection/kld-is").label_sigma == (selected(tables["KLD-IS_label_sigma"], "sigma"),) * 2
    assert preset("detection/nce+").beta == selected(tables["NCE+_beta"], "beta")
    assert preset("detection/dsm").dsm_sigma == selected(tables["DSM_sigma"], "sigma")
    assert preset("detection/ml-mcmc-1").langevin_alpha == selected(tables["ML-MCMC-1_alpha"], "alpha")
    chains = {f"ML-MCMC-{k}" for k in (1, 4, 8)}
    assert set(steps) == {"src", "ML-IS", "KLD-IS", "NCE", "NCE+", "DSM"} | chains
    for method in set(steps) - {"src"}:
        step = steps[method]
        assert refinement(f"detection/{method.lower()}").step_length == (step["pos"], step["size"])
    first = published["detection_coco"]["step_lengths_P1"]
    for method, name in (("Ours-ML-IS", "ml-is-p1"), ("IoU-Net*", "iou-net*")):
        config = refinement(f"detection/{name}")
        assert config.step_length == (first[method]["pos"], first[method]["size"])
        assert config.decay == first[method]["eta"]
    plain = refinement("detection/iou-net")
    assert (plain.step_length, plain.decay, plain.space) == tuple(
        first["IoU-Net"][k] for k in ("all", "eta", "space")
    )


def test_the_other_tasks_agree_with_the_collected_results(published: dict[str, Any]) -> None:
    tracking = selected(published["tracking"]["P1s_tableS2"], "sigmas")
    for name, method in presets.items():
        if name.startswith("tracking/"):
            assert [p for p, _ in method.sigmas] == tracking
    for name, table in (("age", "age_utkface"), ("headpose", "headpose_biwi")):
        assert [s for (s,) in preset(name).sigmas] == selected(
            published[table]["sigma_ablation_val"], "sigmas"
        )


def test_near_names_are_suggested() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'tracking/dimp-nce"):
        preset("dimp-nce+")
    with pytest.raises(UnknownNameError, match="did you mean 'detection/iou-net"):
        refinement("iou-net")
