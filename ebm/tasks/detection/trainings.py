"""The trainings of a study: each carried out once, gone on with where it was stopped, and kept in a file."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ebm.exceptions import InputError
from ebm.tasks.cells import read_records
from ebm.tasks.detection.detectors import TorchvisionDetector
from ebm.tasks.detection.files import weights_of
from ebm.tasks.detection.loading import Saved, fresh, load_trained, save_trained
from ebm.tasks.detection.memory import FeatureMemory
from ebm.tasks.detection.methods import train_method
from ebm.tasks.detection.parts import Parts
from ebm.tasks.detection.recipes import Recipe, as_trained
from ebm.tasks.detection.training import TrainingOptions
from ebm.training.iterations import tell_in_lines

__all__ = ["Trainings"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Trainings:
    """Branches and heads trained on the features of one detector.

    Attributes:
        detector: frozen.
        parts: the pictures; those to train on are trained on.
        folder: of their files.
        results: file of the records of a study that has them.
        memory: of features; None computes them batch by batch.
        workers: processes that read pictures.
        say: takes sentences for the user.
    """

    detector: TorchvisionDetector
    parts: Parts
    folder: Path
    results: Path
    memory: FeatureMemory | None
    workers: int
    say: Callable[[str], None]

    @property
    def features(self) -> str:
        """How features are computed, on which a training depends."""
        return "batch" if self.memory is None else "alone, half precision"

    def trained(self, recipe: Recipe, seed: int) -> tuple[Saved, dict[str, float]]:
        """The branch or head of a recipe, on the detector's device, and what its training took.

        It is trained unless its file is there and of the same recipe, seed, detector and pictures; how
        detections are made of it may differ.

        Raises:
            KeyboardInterrupt: if a signal stopped it; the next call goes on.
            NumericalError: if a loss is not finite.
            InputError: if a file cannot be written, or pictures cannot be read.
        """
        file = self._file(recipe, seed, "pt")
        return self._kept(file, recipe, seed) or self._fresh(file, recipe, seed)

    def drop_checkpoint(self, recipe: Recipe, seed: int) -> None:
        """Remove the checkpoint of a training that is done, or would fail again."""
        self._file(recipe, seed, "checkpoint").unlink(missing_ok=True)

    def _file(self, recipe: Recipe, seed: int, suffix: str) -> Path:
        return self.folder / f"{recipe.name}-{as_trained(recipe).fingerprint()}-{seed}.{suffix}"

    def _fresh(self, file: Path, recipe: Recipe, seed: int) -> tuple[Saved, dict[str, float]]:
        """Train it, or go on from the checkpoint."""
        self.say(f"training {recipe.name}, seed {seed}, rate {recipe.optimisation.rate:g}")
        checkpoint = self._file(recipe, seed, "checkpoint")
        net = fresh(recipe, self.detector, seed)
        options = TrainingOptions(
            seed=seed,
            workers=self.workers,
            checkpoint=checkpoint,
            memory=self.memory,
            tell=tell_in_lines,
        )
        start = time.perf_counter()
        trained = train_method(net, recipe, self.detector, self.parts.train, options)
        if trained.exit_code:
            raise KeyboardInterrupt(f"stopped in {recipe.name}; the same command goes on.")
        seconds = max(trained.seconds, time.perf_counter() - start)
        last = trained.history[-1]["loss"] if trained.history else math.nan
        cost = {"seconds_per_iteration": seconds / trained.iterations, "loss": last}
        made = self._conditions(seed) | {"cost": cost}
        save_trained(file, net, recipe, self.detector, self.parts.train, made)
        self.drop_checkpoint(recipe, seed)
        return self._placed(load_trained(file)), cost

    def _kept(self, file: Path, recipe: Recipe, seed: int) -> tuple[Saved, dict[str, float]] | None:
        """What the file holds; None where it is missing, damaged or of another training."""
        if not file.exists():
            return None
        try:
            saved = load_trained(file)
        except InputError as error:
            self.say(f"{error} It is trained anew.")
            return None
        made = dict(saved.made)
        cost = made.pop("cost", None)
        if not made:  # of an earlier release, which kept these in the records alone
            cost, made = self._recorded(recipe, seed), self._conditions(seed)
        alike = made == self._conditions(seed) and saved.detector == self._weights
        if not alike or cost is None or as_trained(saved.recipe) != as_trained(recipe):
            return None
        self.drop_checkpoint(recipe, seed)  # of a process that was killed in between
        return self._placed(replace(saved, recipe=recipe)), cost

    def _recorded(self, recipe: Recipe, seed: int) -> dict[str, float] | None:
        """What a training took, by the records; None where these know trainings of other pictures as well."""
        own = [
            record
            for record in read_records(self.results)
            if (record["cell"].get("recipe"), record["cell"]["seed"]) == (recipe.fingerprint(), seed)
        ]
        wanted = (self.parts.digest("train"), self._weights, self.features)
        keys = ("detector", "features")
        found = {(r["cell"]["pictures"]["train"], *(r["cell"][key] for key in keys)) for r in own}
        if found != {wanted}:
            return None
        return {name: own[0][name] for name in ("seconds_per_iteration", "loss") if name in own[0]}

    @property
    def _weights(self) -> str:
        return weights_of(self.detector.model.state_dict())

    def _conditions(self, seed: int) -> dict[str, Any]:
        """What a training depends on besides its recipe and the detector's weights."""
        sides, pictures = repr(self.detector.resizing), self.parts.digest("train")
        return {"seed": seed, "pictures": pictures, "sides": sides, "features": self.features}

    def _placed(self, saved: Saved) -> Saved:
        return replace(saved, net=saved.net.to(self.detector.device))
