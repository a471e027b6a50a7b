"""The papers' table on pictures of one's own: methods trained, tuned, scored; each cell once."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ebm.tasks.cells import Record, Work, read_records, run_cells
from ebm.tasks.detection.arguments import rescaled
from ebm.tasks.detection.data.records import DetectionSet
from ebm.tasks.detection.detectors import TorchvisionDetector
from ebm.tasks.detection.files import weights_of
from ebm.tasks.detection.loading import Saved, fresh, load_trained, save_trained
from ebm.tasks.detection.memory import FeatureMemory
from ebm.tasks.detection.methods import train_method, way_of
from ebm.tasks.detection.recipes import SETTABLE, BranchRecipe, Recipe, find_recipe
from ebm.tasks.detection.running import DETECTOR, Run, run_sights
from ebm.tasks.detection.scoring import score_detections
from ebm.tasks.detection.sights import Sights
from ebm.tasks.detection.training import TrainingOptions, data_digest
from ebm.training.iterations import tell_in_lines

__all__ = ["Parts", "Study", "divided"]

# Where the search for a step length begins: of positions in relative space, and of IoU-Net's own space.
FIRST_STEP, FIRST_PLAIN_STEP = 1e-4, 0.0625
MOST_DOUBLINGS = 8
STEP_RATIO = 4.0
COLUMNS = ("AP", "AP50", "AP75", "AP90", "APs", "APm", "APl")


@dataclass(frozen=True, eq=False)
class Parts:
    """Pictures by what they are for.

    Attributes:
        train: to train on.
        tune: to choose settings on; none of the others.
        report: to report on.
    """

    train: DetectionSet
    tune: DetectionSet
    report: DetectionSet


def divided(data: DetectionSet, report: DetectionSet, tuning: int, *, of_report: bool) -> Parts:
    """Pictures to choose settings on, taken by lot from the reported ones or from those to train on.

    Args:
        data: of the training.
        report: of the report.
        tuning: how many are taken.
        of_report: take them from `report`. A detector that was trained on `data` knows these boxes: there it
            needs no refinement, and settings would be chosen for a detector better than it is.
    """
    source = report if of_report else data
    order = torch.randperm(len(source), generator=torch.Generator().manual_seed(0)).tolist()
    kept, taken = source.chosen(sorted(order[tuning:])), source.chosen(sorted(order[:tuning]))
    if of_report:
        return Parts(data.for_training(), taken, kept)
    return Parts(kept.for_training(), taken, report)


@dataclass(eq=False)
class Study:
    """What all cells of a table share.

    Attributes:
        detector: frozen.
        parts: the pictures.
        out: folder of trained branches and of the records.
        schedule: ``"light"`` or ``"paper"``.
        iterations: of a training; None for the schedule's.
        workers: processes that read pictures.
        room: bytes for what the light detector has seen, see `FeatureMemory` and `Sights`; with the papers'
            schedule nothing is kept.
        say: takes sentences for the user.
    """

    detector: TorchvisionDetector
    parts: Parts
    out: Path
    schedule: str
    iterations: int | None = None
    workers: int = 0
    room: float = 0.0
    say: Callable[[str], None] = lambda words: None

    def __post_init__(self) -> None:
        """Divide the room: half for training, and a quarter for each set of pictures to score on."""
        light, quarter = self.schedule == "light", self.room / 4
        self._memory = FeatureMemory(self.detector, 2 * quarter) if light else None
        parts = {"tune": self.parts.tune, "report": self.parts.report}
        self._sights = {
            name: Sights(self.detector, part, room=quarter if light else 0) for name, part in parts.items()
        }

    @property
    def results(self) -> Path:
        """File of the records."""
        return self.out / "results.json"

    def recipe(self, method: str, changes: Sequence[str] = ()) -> Recipe:
        """Of a method, with changes as ``--set`` takes them."""
        recipe = find_recipe(method, self.schedule)
        recipe = replace(recipe, optimisation=rescaled(recipe.optimisation, self.iterations))
        return SETTABLE.set_fields(recipe, changes)

    def cell(
        self, method: str, seed: int, changes: Sequence[str] = (), *, tune: bool = False
    ) -> dict[str, Any]:
        """What a cell's result depends on; the step length is tuned on the tuning part where asked."""
        of = {name: data_digest(getattr(self.parts, name))[:16] for name in ("train", "tune", "report")}
        found = {"method": method, "seed": seed, "changes": list(changes), "tune": tune, "pictures": of}
        found["detector"] = weights_of(self.detector.model.state_dict())
        if method != DETECTOR:
            found["recipe"] = self.recipe(method, changes).fingerprint()
            found["features"] = "batch" if self._memory is None else "alone, half precision"
        return found

    def run(self, cells: Sequence[dict[str, Any]], jobs: int = 1, work: Work | None = None) -> list[Record]:
        """The records of cells; what is there already is not computed again.

        Args:
            cells: of `cell`.
            jobs: processes; first the cells of seed 0, of which the others take their step lengths.
            work: for several jobs a function of a module that computes a cell as `work` here does.
        """

        def report(done: int, total: int, record: Record | None) -> None:
            if record is not None:
                values = record["scores"]
                name = f"{record['cell']['method']}, seed {record['cell']['seed']}"
                self.say(f"{done} of {total}: {name}: AP {values['AP']:.2f}, AP75 {values['AP75']:.2f}")

        for own in ([cell for cell in cells if cell["seed"] == 0], [cell for cell in cells if cell["seed"]]):
            # The longest first: so no process waits long at the end.
            own = sorted(own, key=self._length, reverse=True) if jobs > 1 else own
            run_cells(own, self.results, work or self.work, jobs=jobs, report=report)
        return run_cells(cells, self.results, self.work)

    def _length(self, cell: dict[str, Any]) -> int:
        """About how long a cell takes, in steps of scoring boxes."""
        recipe = None if cell["method"] == DETECTOR else self.recipe(cell["method"], cell["changes"])
        if not isinstance(recipe, BranchRecipe):
            return 0
        return 1 + recipe.method.langevin_steps + 2 * (recipe.method.loss == "dsm")

    def work(self, cell: dict[str, Any]) -> dict[str, Any]:
        """Train, tune and score a cell."""
        if cell["method"] == DETECTOR:
            return self._scored(DETECTOR, run_sights(self._sights["report"], {})[DETECTOR])
        recipe = self.recipe(cell["method"], cell["changes"])
        saved, cost = self._trained(recipe, cell)
        chosen: dict[str, Any] = {}
        if cell["tune"] and isinstance(saved.recipe, BranchRecipe):
            saved, chosen = self._tuned(saved, cell)
        name = cell["method"]
        run = run_sights(self._sights["report"], {name: way_of(saved)})[name]
        return self._scored(name, run) | cost | chosen

    def _scored(self, name: str, run: Run) -> dict[str, Any]:
        scores = score_detections(run.detections, self.parts.report)
        values = {column: 100 * scores[column] for column in COLUMNS if math.isfinite(scores[column])}
        return {"scores": values, "images_per_second": run.rate}

    def _trained(self, recipe: Recipe, cell: dict[str, Any]) -> tuple[Saved, dict[str, Any]]:
        """The branch or head of a cell, and what its training took."""
        stem = f"{recipe.name}-{recipe.fingerprint()}-{cell['seed']}"
        file, checkpoint = self.out / f"{stem}.pt", self.out / f"{stem}.checkpoint"
        self.say(f"training {recipe.name}, seed {cell['seed']}")
        net = fresh(recipe, self.detector, cell["seed"])
        options = TrainingOptions(
            seed=cell["seed"],
            workers=self.workers,
            checkpoint=checkpoint,
            memory=self._memory,
            tell=tell_in_lines,
        )
        start = time.perf_counter()
        trained = train_method(net, recipe, self.detector, self.parts.train, options)
        if trained.exit_code:
            raise KeyboardInterrupt(f"stopped in {recipe.name}; the same command goes on.")
        save_trained(file, net, recipe, self.detector, self.parts.train)
        checkpoint.unlink(missing_ok=True)
        seconds = max(trained.seconds, time.perf_counter() - start)
        last = trained.history[-1]["loss"] if trained.history else math.nan
        cost = {"seconds_per_iteration": seconds / trained.iterations, "loss": last}
        saved = load_trained(file)
        return replace(saved, net=saved.net.to(self.detector.device)), cost

    def _tuned(self, saved: Saved, cell: dict[str, Any]) -> tuple[Saved, dict[str, Any]]:
        """The branch with the step length that has the best AP on the tuning part, chosen for seed 0.

        Source: Gustafsson et al., BMVC 2020, appendix B: doubled while AP rises, position to size 1 to 4;
        halved where the first step is too long already.
        """
        recipe = saved.recipe
        assert isinstance(recipe, BranchRecipe)
        first = [record for record in read_records(self.results) if record["cell"] == cell | {"seed": 0}]
        if cell["seed"] > 0 and first:
            step = first[0]["step"]
            return replace(saved, recipe=_with_step(recipe, step)), {"step": step}
        pair = isinstance(recipe.refine.step_length, tuple)
        tried = {0.0: self._of_step(saved, SETTABLE.set_fields(recipe, ["method.refine.steps=0"]))}
        start = FIRST_STEP if pair else FIRST_PLAIN_STEP
        for factor in (2.0, 0.5):  # longer while AP rises; if not even the second did, shorter
            self._search(saved, start, factor, tried)
            if len(tried) > 3:
                break
        best = max((known for known in tried if known > 0), key=tried.__getitem__)
        told = {f"{known:g}": value for known, value in tried.items()}
        return replace(saved, recipe=_with_step(recipe, best)), {"step": best, "tuning": told}

    def _search(self, saved: Saved, step: float, factor: float, tried: dict[float, float]) -> None:
        """Try steps, each `factor` times the one before, until AP falls, or shorter ones change nothing."""
        recipe = saved.recipe
        assert isinstance(recipe, BranchRecipe)
        for _ in range(MOST_DOUBLINGS):
            if step not in tried:
                tried[step] = self._of_step(saved, _with_step(recipe, step))
                self.say(f"  step {step:g}: AP {tried[step]:.2f} (unrefined {tried[0.0]:.2f})")
            before = tried.get(step / factor, -math.inf)
            if tried[step] < before or (factor < 1 and tried[step] == before):
                break
            step *= factor

    def _of_step(self, saved: Saved, recipe: BranchRecipe) -> float:
        """AP on the tuning part, in percent."""
        run = run_sights(self._sights["tune"], {"tuned": way_of(replace(saved, recipe=recipe))})
        return 100 * score_detections(run["tuned"].detections, self.parts.tune)["AP"]


def _with_step(recipe: BranchRecipe, step: float) -> BranchRecipe:
    """The recipe with a step length: of positions and, four times it, of sizes; or one of both."""
    pair = isinstance(recipe.refine.step_length, tuple)
    refine = replace(recipe.refine, step_length=(step, STEP_RATIO * step) if pair else step)
    return replace(recipe, method=replace(recipe.method, refine=refine))
