"""What the study on real labels runs: its budget, a value for every run, its setting, its rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from box_study.plan import LOSSES
from box_study.report import TITLES, Score, paired, signed, summarise, table
from ltr.train_settings.bbreg.atom_nce_plus_lite import RECIPE as SETTING
from ltr.train_settings.recipe import BoxRecipe, TrainRecipe

__all__ = ["QUICK", "SCORES", "RealBudget", "RealRow", "RealRun", "real_recipe", "real_runs", "real_table"]


@dataclass(frozen=True, kw_only=True)
class RealBudget:
    """How much is trained and measured; the same for all losses.

    Attributes:
        samples: of a training: a reference and two frames that carry the loss.
        distinct: samples whose features are kept; boxes are drawn anew whenever one comes.
        measured: samples of held-out photos, and of held-out videos, whose two frames are measured on.
        chosen: further ones of both, on which the step length is chosen.
        starts: boxes refined in a frame.
    """

    samples: int = 4096
    distinct: int = 4096
    measured: int = 512
    chosen: int = 64
    starts: int = 4


QUICK = RealBudget(samples=32, distinct=16, measured=2, chosen=2, starts=2)


@dataclass(frozen=True, kw_only=True)
class RealRun:
    """One training and its measurement.

    Attributes:
        loss: key of `LOSSES`.
        seed: of weights, order of samples and boxes drawn.
    """

    loss: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class RealRow:
    """What came out of one run; overlaps are means over boxes.

    Attributes:
        loss: see `RealRun`.
        seed: see `RealRun`.
        samples: of the training.
        step_length: of the refinement, relative box units, as chosen on other frames.
        start_photos: overlap of the starts with the labels of held-out photos.
        photos: the same of the refined boxes.
        good_photos: share of the refined boxes with an overlap above 0.75.
        start_videos: as of photos.
        videos: as of photos.
        good_videos: as of photos.
        training_loss: mean of the box loss over the last fifth of the training.
        seconds: processor time.
    """

    loss: str
    seed: int
    samples: int
    step_length: float
    start_photos: float
    photos: float
    good_photos: float
    start_videos: float
    videos: float
    good_videos: float
    training_loss: float
    seconds: float


def real_runs(losses: Sequence[str], seeds: Sequence[int]) -> Iterator[RealRun]:
    """All losses, seed by seed, so that an unfinished study compares whole seeds."""
    for seed in seeds:
        for loss in losses:
            yield RealRun(loss=loss, seed=seed)


def real_recipe(run: RealRun) -> TrainRecipe:
    """The setting ``bbreg/atom_nce_plus_lite`` with the papers' values of a run's loss."""
    box = replace(LOSSES[run.loss], num_samples=SETTING.box.num_samples)
    if isinstance(box, BoxRecipe):
        box = replace(box, weight=SETTING.box.weight)
    return replace(SETTING, name=f"real_{run.loss}_{run.seed}", box=box, seed=run.seed)


SCORES: dict[str, Score[RealRow]] = {
    "photos": ("photos, IoU", lambda row: 100 * row.photos),
    "videos": ("videos, IoU", lambda row: 100 * row.videos),
    "good": ("above 0.75, percent", lambda row: 50 * (row.good_photos + row.good_videos)),
}


def real_table(rows: Sequence[RealRow], markdown: bool = False) -> str:
    """Losses by scores, and the difference of NCE+ to each loss within a seed.

    Plus-minus is the standard deviation over seeds behind a mean, the standard error behind a difference.
    """
    head = [""] + [text for title, _ in SCORES.values() for text in (title, "NCE+ minus it")]
    reference = [row for row in rows if row.loss == "nce+"]
    lines = []
    for name in LOSSES:
        own = [row for row in rows if row.loss == name]
        if not own:
            continue
        line = [TITLES[name]]
        for score in SCORES.values():
            gap = None if name == "nce+" else paired(reference, own, score)
            line += [str(summarise([score[1](row) for row in own])), signed(gap)]
        lines.append(line)
    return table(head, lines, markdown)
