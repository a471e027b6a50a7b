"""The numbers of the published settings, written down from the papers' and the reference's tables.

Every field that these decide stands here, as ``dotted.key -> value``; `OWN` names the fields that they do not
know. Lists of groups, data sets and numbers are leaves of their own: ``key.0``, ``key.1``.
"""

from typing import Any

__all__ = ["ACTORS", "OWN", "PUBLISHED", "numbered"]

OWN = (  # how it is computed, which the tables do not say, or that they say by another name
    "module",
    "name",
    "network.pretrained",
    "network.frozen_statistics",
    "network.still_norms",
    "optimiser.scratch_backbone_lr",
    "geometry.decode",
    "schedule.warmup",
    "schedule.final_factor",
    "validation.refine",
    "precision",
    "channels_last",
    "ema",
    "groups",
    "sync_batch_norm",
    "seed",
)


def numbered(key: str, values: Any) -> dict[str, Any]:
    """``(a, b)`` as ``{key.0: a, key.1: b}``, at any depth; anything else as ``{key: values}``."""
    if not isinstance(values, tuple):
        return {key: values}
    return {k: v for index, value in enumerate(values) for k, v in numbered(f"{key}.{index}", value).items()}


def below(prefix: str, **values: Any) -> dict[str, Any]:
    """Fields of one part of a setting."""
    return {k: v for name, value in values.items() for k, v in numbered(f"{prefix}.{name}", value).items()}


def data(
    key: str, name: str, weight: float = 1.0, split: str | None = None, sets: Any = None
) -> dict[str, Any]:
    """A data set of a setting."""
    return below(key, name=name, weight=weight, split=split, sets=sets)


def datasets(lasot: float) -> dict[str, Any]:
    """LaSOT train, GOT-10k vottrain, TrackingNet 0 to 3, COCO train; GOT-10k votval validates."""
    return (
        data("datasets.0", "lasot", lasot)
        | data("datasets.1", "got10k", split="vottrain")
        | data("datasets.2", "trackingnet", sets=(0, 1, 2, 3))
        | data("datasets.3", "coco")
        | data("validation.data", "got10k", split="votval")
    )


def groups(*rates: tuple[str, float]) -> dict[str, Any]:
    """Adam's groups in order."""
    return {
        k: v
        for i, (path, lr) in enumerate(rates)
        for k, v in below(f"optimiser.groups.{i}", path=path, lr=lr).items()
    }


COMMON = {
    **below("schedule", kind="step", epochs=50, step_epochs=15, gamma=0.2),
    **below("optimiser", clip_norm=None, weight_decay=0.0),
    **below("augmentation", grayscale=0.05, brightness=0.2),
    **below("label_noise", centre=0.0, size=0.0),  # labels as they are annotated
    "validation.every": 5,
    "geometry.feature_stride": 16,
}
NO_FLIPS = below("augmentation", flip_sample=0.0, flip_frame=0.0)
FLIPS = below("augmentation", flip_sample=0.5, flip_frame=0.5)


def perturbed(count: int) -> dict[str, Any]:
    """Overlaps of perturbed labels."""
    spread = (0.01, 0.05, 0.1, 0.2, 0.3)
    return below(
        "box", method="overlap", num_samples=count, min_iou=0.1, spread=spread, sigmas=None, weight=1.0
    )


SIGMAS = ((0.05, 0.05), (0.5, 0.5))


def energy(
    method: str, weight: float, label_sigma: Any = None, beta: float | None = None, mode: str = "std"
) -> dict[str, Any]:
    """An energy-based loss of 128 boxes drawn from the mixture."""
    return below(
        "box",
        method=method,
        num_samples=128,
        sigmas=SIGMAS,
        label_sigma=label_sigma,
        beta=beta,
        beta_mode=mode,
        weight=weight,
    )


LABEL = (0.05, 0.05)
HINGE = {
    **below("classifier", loss="hinge", threshold=0.05),
    **below("classifier.weights", final=100.0, init=100.0, iterates=400.0),
}
DENSITY = {
    "classifier.loss": "density",
    **below("classifier.weights", final=0.25, init=0.25, iterates=1.0),
}
CROPS_288 = NO_FLIPS | below("geometry", crop_size=288, search_area_scale=5.0, max_scale_change=None)
WHOLE = ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc")
ATOM = {
    **COMMON,
    **CROPS_288,
    **datasets(lasot=1.0),
    **below("geometry", crop_type="centred", filter_size=4),  # no filter, hence no size of it
    **below("jitter", train_centre=0.0, test_centre=4.5, train_scale=0.0, test_scale=0.5),
    **below("sampling", order="interval", train_frames=1, test_frames=1, max_gap=50),
    **below("network", constructor="atom_resnet18", frozen=WHOLE),
    **groups(("bb_regressor", 1e-3)),
    "classifier": None,
    "batch_size": 64,
    "samples_per_epoch": 64_000,
    "validation.samples": 32_000,
}
ATOM_200 = ATOM | {"sampling.max_gap": 200}
ATOM_PAPER_DATA = {
    **data("datasets.0", "lasot"),
    **data("datasets.1", "trackingnet", sets=tuple(range(11))),
    **data("datasets.2", "coco"),
    **data("validation.data", "trackingnet", sets=(11,)),
}

HEAD = below("network.kwargs", filter_size=4, optim_iter=5, clf_feat_norm=True, final_conv=True)
DIMP = {
    **COMMON,
    **HEAD,
    "geometry.filter_size": 4,
    **below("sampling", order="causal", train_frames=3, test_frames=3),
}
FIRST = {
    **DIMP,
    **CROPS_288,
    **datasets(lasot=0.25),
    "geometry.crop_type": "replicate",
    **below("jitter", train_centre=3.0, test_centre=4.5, train_scale=0.25, test_scale=0.5),
    "samples_per_epoch": 26_000,
    "validation.samples": 5_000,
}
STEEPEST = below(
    "network.kwargs",
    optim_init_step=0.9,
    optim_init_reg=0.1,
    num_dist_bins=100,
    bin_displacement=0.1,
    mask_init_factor=3.0,
    target_mask_act="sigmoid",
    score_act="relu",
)
NEWTON = below(
    "network.kwargs",
    optim_init_step=1.0,
    optim_init_reg=0.05,
    optim_min_reg=0.05,
    gauss_sigma=0.9,
    alpha_eps=0.05,
    normalize_label=True,
    init_initializer="zero",
)
WIDE = below("network.kwargs", clf_feat_blocks=0, out_feature_dim=512)
SPLIT = (
    ("classifier.filter_initializer", 5e-5),
    ("classifier.filter_optimizer", 5e-4),
    ("classifier.feature_extractor", 5e-5),
)
SUPER = {
    **DIMP,
    **HINGE,
    **FLIPS,
    **datasets(lasot=1.0),
    **below("geometry", crop_size=352, search_area_scale=6.0, crop_type="inside_major", max_scale_change=1.5),
    **below("jitter", train_centre=3.0, test_centre=5.5, train_scale=0.25, test_scale=0.5),
    **groups(*SPLIT, ("bb_regressor", 1e-3), ("feature_extractor.layer3", 2e-5)),
    **below("network", frozen=("conv1", "bn1", "layer1", "layer2")),
    "sampling.max_gap": 200,
    "batch_size": 20,
    "samples_per_epoch": 40_000,
    "validation.samples": 10_000,
}
SUPER_STEEPEST = SUPER | STEEPEST | {"network.kwargs.init_gauss_sigma": 0.25 / 6 * 22}
SIMPLE = SUPER | below(
    "network.kwargs", optim_init_reg=0.1, score_act="relu", hinge_threshold=0.05, activation_leak=0.1
)
FIRST_DIMP = FIRST | STEEPEST | HINGE | perturbed(8) | below("network.kwargs", init_gauss_sigma=0.9)
FIRST_PRDIMP = FIRST | NEWTON | DENSITY | energy("kld_is", 0.0025, LABEL)

# The second paper's losses at the tracker's weight; its appendix gives beta for the standard deviations.
KLD_IS, NCE = energy("kld_is", 0.01, LABEL), energy("nce", 0.01)
NCE_PLUS = energy("nce_plus", 0.01, beta=0.1)


def net(constructor: str) -> dict[str, Any]:
    """The network's name."""
    return {"network.constructor": constructor}


def with_resnet(depth: int, box: dict[str, Any]) -> dict[str, Any]:
    """SuperDiMP's setting with another box loss or depth."""
    return SUPER_STEEPEST | box | net(f"dimpnet{depth}") | (WIDE if depth == 50 else {})


PUBLISHED: dict[tuple[str, str], dict[str, Any]] = {
    ("bbreg", "atom"): ATOM | perturbed(16),
    ("bbreg", "atom_paper"): {
        k: v for k, v in ATOM.items() if not k.startswith(("datasets", "validation.data"))
    }
    | ATOM_PAPER_DATA
    | perturbed(16),
    ("bbreg", "atom_gmm_sampl"): ATOM_200
    | below("box", method="overlap", num_samples=128, spread=None, min_iou=None, sigmas=SIGMAS, weight=1.0),
    ("bbreg", "atom_prob_ml"): ATOM_200 | energy("ml_is", 1.0),
    ("bbreg", "atom_nce_plus"): ATOM_200 | energy("nce_plus", 1.0, beta=0.1),
    ("bbreg", "atom_kld_is"): ATOM_200 | energy("kld_is", 1.0, LABEL),
    ("dimp", "dimp18"): FIRST_DIMP
    | net("dimpnet18")
    | groups(*SPLIT, ("bb_regressor", 1e-3), ("feature_extractor", 2e-4))
    | {"batch_size": 26, "sampling.max_gap": 30},
    ("dimp", "dimp50"): FIRST_DIMP
    | WIDE
    | net("dimpnet50")
    | groups(*SPLIT, ("bb_regressor", 2e-4), ("feature_extractor", 2e-5))
    | {"batch_size": 10, "sampling.max_gap": 30},
    ("dimp", "prdimp18"): FIRST_PRDIMP
    | net("klcedimpnet18")
    | groups(("classifier", 1e-3), ("bb_regressor", 1e-3), ("feature_extractor", 2e-4))
    | {"batch_size": 26, "sampling.max_gap": 200},
    ("dimp", "prdimp50"): FIRST_PRDIMP
    | WIDE
    | net("klcedimpnet50")
    | groups(("classifier", 1e-3), ("bb_regressor", 1e-3), ("feature_extractor", 2e-5))
    | {"batch_size": 10, "sampling.max_gap": 200},
    ("dimp", "super_dimp"): with_resnet(50, KLD_IS),
    ("dimp", "dimp_kld_is"): with_resnet(50, KLD_IS),
    ("dimp", "dimp_nce"): with_resnet(50, NCE),
    ("dimp", "dimp_nce_plus"): with_resnet(50, NCE_PLUS),
    ("dimp", "super_dimp18"): with_resnet(18, KLD_IS),
    ("dimp", "dimp18_kld_is"): with_resnet(18, KLD_IS),
    ("dimp", "dimp18_nce"): with_resnet(18, NCE),
    ("dimp", "dimp18_nce_plus"): with_resnet(18, NCE_PLUS),
    ("dimp", "super_dimp_simple"): SIMPLE | WIDE | KLD_IS | net("dimpnet50_simple"),
    ("dimp", "super_dimp18_simple"): SIMPLE | KLD_IS | net("dimpnet18_simple"),
}
ACTORS = {  # by the setting's name; all others: KLDiMPActor
    "atom": "AtomActor",
    "atom_paper": "AtomActor",
    "atom_gmm_sampl": "AtomActor",
    "atom_prob_ml": "AtomBBKLActor",
    "atom_nce_plus": "AtomBBKLActor",
    "atom_kld_is": "AtomBBKLActor",
    "dimp18": "DiMPActor",
    "dimp50": "DiMPActor",
    "super_dimp_simple": "DiMPSimpleActor",
    "super_dimp18_simple": "DiMPSimpleActor",
}
