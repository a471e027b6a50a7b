"""What the study runs: losses, budgets, one value for every run, and the train settings they stand for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ltr.train_settings.bbreg.atom_small import RECIPE as ATOM_SETTING
from ltr.train_settings.dimp.dimp_nce_plus_small import RECIPE as SETTING
from ltr.train_settings.recipe import BoxRecipe, LabelNoise, OverlapRecipe, Sampling, TrainRecipe
from ltr.train_settings.settable import set_fields
from ltr.trainers.schedule import Schedule

__all__ = [
    "BUDGET",
    "LOSSES",
    "QUICK",
    "SWEEP",
    "SWEEP_BUDGET",
    "Budget",
    "Run",
    "branch_recipe",
    "comparison",
    "start_recipe",
    "sweep",
    "whole_recipe",
]

# Whole batches, in which the published figures were taken; a study runs in one process anyway.
SMALL = replace(SETTING, groups=None)
ATOM_SMALL = replace(ATOM_SETTING, groups=None)

LOSSES: Mapping[str, BoxRecipe | OverlapRecipe] = {
    "iou": OverlapRecipe.from_preset("tracking/atom*"),
    "ml-is": BoxRecipe.from_preset("tracking/atom-ml-is"),
    "kld-is": BoxRecipe.from_preset("tracking/dimp-kld-is"),
    "nce": BoxRecipe.from_preset("tracking/dimp-nce"),
    "nce+": BoxRecipe.from_preset("tracking/dimp-nce+"),
    "cnce": replace(BoxRecipe.from_preset("tracking/dimp-nce"), method="cnce"),
}
"""The papers' values of each loss, NCE's for CNCE; the number of samples is the small network's for all."""

PARTS = 5  # of a training

RATE = "optimiser.groups.1.lr"
SWEEP: Mapping[str, tuple[str, str, str]] = {
    "box.sigmas": ("((0.025,0.025),(0.25,0.25))", "", "((0.1,0.1),(1.0,1.0))"),
    "box.beta": ("0.03", "", "0.3"),
    "box.num_samples": ("16", "", "256"),
    "box.weight": ("0.01", "", "1.0"),
    RATE: ("1e-3", "", "1.6e-2"),
}
"""Field of the setting -> its values; empty for the setting's own, which all fields share."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much is trained and measured; the same for all losses.

    Attributes:
        scale: of the generated training set and test videos.
        start_samples: of the start that the runs of a seed share.
        samples: of a run.
        heldout: videos of each layout from which the pairs of the mean overlap come.
        pairs: frames that are refined to measure the mean overlap, and, others, to choose the step length.
        starts: perturbed boxes that are refined in each of these frames.
        sequences: test videos that are tracked.
    """

    scale: Literal["tiny", "demo"] = "demo"
    start_samples: int = 10_240
    samples: int = 5_120
    heldout: int = 30
    pairs: tuple[int, int] = (512, 64)
    starts: int = 8
    sequences: int = 20


BUDGET = Budget()
SWEEP_BUDGET = replace(BUDGET, samples=2_560)  # the whole network costs twice as much a sample
QUICK = Budget(scale="tiny", start_samples=32, samples=32, heldout=1, pairs=(16, 16), starts=2, sequences=1)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training and its measurement.

    Attributes:
        loss: key of `LOSSES`.
        noise: deviation of the annotation noise in the training labels, relative to the box; 0 for none.
        seed: of start, order of samples, annotator, and everything else.
        trained: ``"branch"``: the box branch on the start's fixed features; ``"whole"``: the whole network.
        change: ``field=value`` in which the setting differs from the recipe; empty for none.
    """

    loss: str
    noise: float
    seed: int
    trained: Literal["branch", "whole"] = "branch"
    change: str = ""

    @property
    def name(self) -> str:
        """A file name that no other run has."""
        change = "".join(c if c.isalnum() or c in ".-" else "_" for c in self.change)
        loss = self.loss.replace("+", "-plus")
        return f"{self.trained}_{loss}_noise{self.noise:g}_seed{self.seed}" + (f"_{change}" if change else "")


def comparison(
    losses: Sequence[str], noises: Sequence[float], seeds: Sequence[int], change: str = ""
) -> Iterator[Run]:
    """All losses on all labels; seed by seed, so that an unfinished study compares whole seeds."""
    for seed in seeds:
        for noise in noises:
            for loss in losses:
                yield Run(loss=loss, noise=noise, seed=seed, change=change)


def sweep(noise: float, seeds: Sequence[int]) -> Iterator[Run]:
    """NCE+ with the setting's own values, then each field of `SWEEP` changed alone."""
    for seed in seeds:
        changes = [""] + [f"{field}={value}" for field, values in SWEEP.items() for value in values if value]
        for change in changes:
            yield Run(loss="nce+", noise=noise, seed=seed, trained="whole", change=change)


def _with_length(recipe: TrainRecipe, samples: int) -> TrainRecipe:
    """A warm-up and one cosine, in parts, of which the last one's mean loss is recorded."""
    epochs = PARTS if samples >= PARTS * recipe.batch_size else 1
    schedule = Schedule(kind="cosine", epochs=epochs, warmup=0.05 * epochs)
    return replace(recipe, samples_per_epoch=samples // epochs, schedule=schedule)


def _box(loss: str) -> BoxRecipe | OverlapRecipe:
    box = replace(LOSSES[loss], num_samples=SMALL.box.num_samples)
    return replace(box, weight=SMALL.box.weight) if isinstance(box, BoxRecipe) else box


def start_recipe(seed: int, budget: Budget) -> TrainRecipe:
    """DiMP without its box branch: the backbone learns from the target classifier alone.

    So it favours no box loss. The boxes that are still drawn cost little, and get no gradient.
    """
    box = replace(SMALL.box, num_samples=1, weight=0.0)
    return _with_length(replace(SMALL, name="start", box=box, seed=seed), budget.start_samples)


def _with_run(base: TrainRecipe, run: Run, budget: Budget) -> TrainRecipe:
    recipe = replace(
        base,
        name=run.name,
        box=_box(run.loss),
        label_noise=LabelNoise(centre=run.noise, size=run.noise),
        seed=1000 + run.seed,  # other samples than the start's
    )
    recipe = _with_length(recipe, budget.samples)
    return set_fields(recipe, [run.change]) if run.change else recipe


def branch_recipe(run: Run, budget: Budget) -> TrainRecipe:
    """The box branch alone, trained as ATOM's on a backbone that stays as it is; crops are DiMP's."""
    base = replace(
        ATOM_SMALL,
        geometry=SMALL.geometry,
        jitter=SMALL.jitter,
        augmentation=SMALL.augmentation,
        sampling=Sampling(train_frames=1, test_frames=2, max_gap=SMALL.sampling.max_gap),
    )
    return _with_run(base, run, budget)


def whole_recipe(run: Run, budget: Budget) -> TrainRecipe:
    """The setting ``dimp_nce_plus_small`` as it is, but for the run's loss, noise and change."""
    return _with_run(SMALL, run, budget)
