"""The papers' table on pictures of one's own: methods trained, tuned, scored; each cell once."""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from ebm.exceptions import NumericalError
from ebm.tasks.cells import Record, Work, read_records, run_cells
from ebm.tasks.detection.arguments import rescaled
from ebm.tasks.detection.detectors import TorchvisionDetector
from ebm.tasks.detection.files import weights_of
from ebm.tasks.detection.loading import Saved
from ebm.tasks.detection.memory import FeatureMemory
from ebm.tasks.detection.methods import way_of
from ebm.tasks.detection.parts import Parts
from ebm.tasks.detection.recipes import SETTABLE, BranchRecipe, Recipe, find_recipe
from ebm.tasks.detection.results_file import write_detections
from ebm.tasks.detection.running import DETECTOR, Run, run_sights
from ebm.tasks.detection.scoring import COLUMNS, score_detections
from ebm.tasks.detection.sights import Sights
from ebm.tasks.detection.trainings import Trainings
from ebm.tasks.detection.tuning import (
    best_trial,
    over_seeds,
    rates_of,
    require_finite,
    tuned_step,
    with_rate,
    with_step,
)

__all__ = ["Study"]

FOUND = "detections"  # folder of results files, in that of a study


@dataclass(eq=False)
class Study:
    """What all cells of a table share.

    Attributes:
        detector: frozen.
        parts: the pictures.
        out: folder of trained branches, of the records, and of the detections that each reports.
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
        memory = FeatureMemory(self.detector, 2 * quarter) if light else None
        self._trainings = Trainings(
            detector=self.detector,
            parts=self.parts,
            folder=self.out,
            results=self.results,
            memory=memory,
            workers=self.workers,
            say=self.say,
        )
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
        self,
        method: str,
        seed: int,
        changes: Sequence[str] = (),
        *,
        tune: bool = False,
        rates: Sequence[float] = (),
        rate_seeds: int = 1,
    ) -> dict[str, Any]:
        """What a cell's result depends on.

        Args:
            method: its name, or that of the detector itself.
            seed: of the training.
            changes: of the recipe, as ``--set`` takes them.
            tune: choose the step length on the tuning part.
            rates: factors on the recipe's learning rate, of which one is chosen on the tuning part.
            rate_seeds: seeds that each of them is tried with.
        """
        of = {name: self.parts.digest(name) for name in ("train", "tune", "report")}
        found = {"method": method, "seed": seed, "changes": list(changes), "tune": tune, "pictures": of}
        found["detector"] = weights_of(self.detector.model.state_dict())
        if method != DETECTOR:
            found["recipe"] = self.recipe(method, changes).fingerprint()
            found["features"] = self._trainings.features
        if rates:
            found["rates"] = sorted(rates)
            if rate_seeds > 1:  # else the records of earlier releases are these
                found["rate_seeds"] = rate_seeds
        return found

    def trials(self, cell: dict[str, Any]) -> list[dict[str, Any]]:
        """Cells of the trainings that a cell's learning rate is chosen from, by factor and seed.

        Raises:
            InputError: if a factor makes of the rate one that cannot be used.
        """
        if "rates" not in cell:
            return []
        same = {key: value for key, value in cell.items() if key not in ("rates", "rate_seeds")}
        same["pictures"] = {name: cell["pictures"][name] for name in ("train", "tune")}
        own = self.recipe(cell["method"], cell["changes"])
        return [
            same | {"factor": factor, "recipe": with_rate(own, factor).fingerprint(), "seed": seed}
            for factor in cell["rates"]
            for seed in range(cell.get("rate_seeds", 1))
        ]

    def run(self, cells: Sequence[dict[str, Any]], jobs: int = 1, work: Work | None = None) -> list[Record]:
        """The records of cells; what is there already is not computed again.

        Args:
            cells: of `cell`.
            jobs: processes; first the trials of learning rates, then the cells of seed 0, of which the others
                take their step lengths.
            work: for several jobs a function of a module that computes a cell as `work` here does.

        Raises:
            NumericalError: if all learning rates of a method fail, or a training without a choice of them.
        """
        trials: list[dict[str, Any]] = []
        for cell in cells:
            trials += [trial for trial in self.trials(cell) if trial not in trials]
        self._run(trials, jobs, work)
        for cell in cells:
            if "rates" in cell:
                best_trial(self._trials_of(cell))  # better known now than after the other methods
        # Where rates are tried, no cell waits for that of seed 0: rate and step are those of the best trial.
        first = [cell for cell in cells if cell["seed"] == 0 or "rates" in cell]
        self._run(first, jobs, work)
        self._run([cell for cell in cells if cell not in first], jobs, work)
        return run_cells(cells, self.results, self.work)

    def _run(self, cells: Sequence[dict[str, Any]], jobs: int, work: Work | None) -> None:
        def report(done: int, total: int, record: Record | None) -> None:
            if record is not None:
                self.say(f"{done} of {total}: {_told(record)}")

        # The longest first: so no process waits long at the end.
        cells = sorted(cells, key=self._length, reverse=True) if jobs > 1 else cells
        run_cells(cells, self.results, work or self.work, jobs=jobs, report=report)

    def _length(self, cell: dict[str, Any]) -> int:
        """About how long a cell takes, in steps of scoring boxes."""
        recipe = None if cell["method"] == DETECTOR else self.recipe(cell["method"], cell["changes"])
        if not isinstance(recipe, BranchRecipe):
            return 0
        return 1 + recipe.method.langevin_steps + 2 * (recipe.method.loss == "dsm")

    def work(self, cell: dict[str, Any]) -> dict[str, Any]:
        """Train, tune and score a cell; a trial is scored on the tuning part alone."""
        if "factor" in cell:
            return self._tried(cell)
        if cell["method"] == DETECTOR:
            return self._scored(cell, run_sights(self._sights["report"], {})[DETECTOR])
        chosen = self._chosen(cell)
        recipe = with_rate(self.recipe(cell["method"], cell["changes"]), chosen.pop("factor", 1.0))
        saved, cost = self._trainings.trained(recipe, cell["seed"])
        chosen = chosen or self._tuned(saved, cell)
        if "step" in chosen and isinstance(saved.recipe, BranchRecipe):
            saved = replace(saved, recipe=with_step(saved.recipe, chosen["step"]))
        name = cell["method"]
        run = run_sights(self._sights["report"], {name: way_of(saved)})[name]
        return self._scored(cell, run) | cost | {"rate": recipe.optimisation.rate} | chosen

    def _scored(self, cell: dict[str, Any], run: Run) -> dict[str, Any]:
        """Scores of what was found on the reported part, and the file that it is kept in."""
        scores = score_detections(run.detections, self.parts.report)
        values = {column: 100 * scores[column] for column in COLUMNS if math.isfinite(scores[column])}
        digest = sha256(json.dumps(cell, sort_keys=True).encode()).hexdigest()[:8]
        file = f"{FOUND}/{cell['method']}-{cell['seed']}-{digest}.json"
        write_detections(self.out / file, run.detections, self.parts.report)
        return {"scores": values, "images_per_second": run.rate, "detections": file}

    def _tried(self, cell: dict[str, Any]) -> dict[str, Any]:
        """Rate, step length and AP on the tuning part of a trial, or why it has none."""
        recipe = with_rate(self.recipe(cell["method"], cell["changes"]), cell["factor"])
        found: dict[str, Any] = {"rate": recipe.optimisation.rate}
        start = time.perf_counter()
        try:
            saved, cost = self._trainings.trained(recipe, cell["seed"])
            found |= cost
            require_finite(saved)
            found |= self._tuned(saved, cell)
            ap = found["tuning"][f"{found['step']:g}"] if "step" in found else self._tuning_ap(saved)
            if not math.isfinite(ap):
                raise NumericalError("the tuning pictures give no AP.")
            found["AP"] = ap
        except NumericalError as error:
            self._trainings.drop_checkpoint(recipe, cell["seed"])
            found |= {"AP": None, "failed": str(error)}
        return found | {"seconds": time.perf_counter() - start}

    def _trials_of(self, cell: dict[str, Any]) -> list[Record]:
        """The records of a cell's trials, means over their seeds, computed where there are none."""
        known = read_records(self.results)
        found = []
        for trial in self.trials(cell):
            own = next((record for record in known if record["cell"] == trial), None)
            found.append(own or {"cell": trial, **self.work(trial)})
        return over_seeds(found)

    def _chosen(self, cell: dict[str, Any]) -> dict[str, Any]:
        """Factor on the rate and step length that were chosen for a cell before its own training, if any."""
        if "rates" in cell:
            trials = self._trials_of(cell)
            best = best_trial(trials)
            told = {"rates": rates_of(trials)} if cell["seed"] == 0 else {}
            kept = ("step", "tuning") if cell["seed"] == 0 else ("step",)
            return {"factor": best["cell"]["factor"]} | told | {key: best[key] for key in kept if key in best}
        if cell["seed"] > 0:
            for record in read_records(self.results):
                if record["cell"] == cell | {"seed": 0} and "step" in record:
                    return {"step": record["step"]}
        return {}

    def _tuned(self, saved: Saved, cell: dict[str, Any]) -> dict[str, Any]:
        """The step length of a branch that is to be tuned, and AP by step length."""
        if not (cell["tune"] and isinstance(saved.recipe, BranchRecipe)):
            return {}
        step, tried = tuned_step(saved, saved.recipe, self._tuning_ap, self.say)
        return {"step": step, "tuning": {f"{known:g}": value for known, value in tried.items()}}

    def _tuning_ap(self, saved: Saved) -> float:
        """AP on the tuning part, in percent."""
        run = run_sights(self._sights["tune"], {"tuned": way_of(saved)})["tuned"]
        return 100 * score_detections(run.detections, self.parts.tune)["AP"]


def _told(record: Record) -> str:
    """A record in a line."""
    cell = record["cell"]
    if "factor" in cell:
        ap = record["AP"]
        found = f"failed: {record['failed']}" if ap is None else f"AP {ap:.2f} on the tuning pictures"
        seed = f", seed {cell['seed']}" if cell["seed"] else ""
        return f"{cell['method']}, rate {record['rate']:g}{seed}: {found}"
    values = record["scores"]
    return f"{cell['method']}, seed {cell['seed']}: AP {values['AP']:.2f}, AP75 {values['AP75']:.2f}"
