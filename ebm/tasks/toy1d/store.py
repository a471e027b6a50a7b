"""A study's folder: one file of weights a training, one JSON file a result, each whole or absent."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ebm.exceptions import InputError
from ebm.integrity.array_archives import read_array_archive, write_array_archive
from ebm.integrity.json_files import read_sealed_json, write_sealed_json
from ebm.tasks.toy1d.evaluation import RunSummary, summarise
from ebm.tasks.toy1d.jobs import ToyJob

__all__ = ["JobResult", "Store", "Trained", "to_plain"]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What training leaves.

    Attributes:
        weights: ``(S, P)`` float32, flat parameters of the network of each seed.
        losses: mean loss of every epoch and seed, ``(epochs, S)``.
        record: device, threads, versions, wall and CPU seconds; plain values.
    """

    weights: np.ndarray
    losses: np.ndarray
    record: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """How a job came out.

    Attributes:
        training: the configuration of the training.
        evaluation: that of the evaluation.
        kl: divergence of every seed, nats, in log-space arithmetic.
        kl_released: the same in the authors' arithmetic.
        final_loss: mean loss of the last epoch of every seed.
        floor: see `ebm.tasks.toy1d.floors.population_floor`.
        record: device, threads, versions, wall and CPU seconds; plain values.
    """

    training: dict[str, Any]
    evaluation: dict[str, Any]
    kl: tuple[float, ...]
    kl_released: tuple[float, ...]
    final_loss: tuple[float, ...]
    floor: float | None
    record: dict[str, Any]

    def summary(self) -> RunSummary:
        """Best, mean, median and failures of the runs."""
        return summarise(self.kl)

    def released_failures(self) -> int:
        """Runs whose divergence is NaN or infinite in the authors' arithmetic."""
        return sum(not math.isfinite(value) for value in self.kl_released)

    def cost(self) -> float:
        """Seconds an epoch and model: of one core where it was trained on a CPU, else of the device."""
        seconds = self.record["train_cpu_s" if self.record["device"] == "cpu" else "train_wall_s"]
        return float(seconds) / (self.training["epochs"] * len(self.kl))


@dataclass(frozen=True)
class Store:
    """Reads and writes what jobs leave in a folder."""

    folder: Path

    def result_path(self, job: ToyJob) -> Path:
        """The result of a job."""
        return self.folder / "results" / f"{job.result_name}.json"

    def weights_path(self, job: ToyJob) -> Path:
        """The weights of a job."""
        return self.folder / "weights" / f"{job.weights_name}.npz"

    def save_result(self, job: ToyJob, result: JobResult) -> None:
        """Write a result; NaN and infinity become words, which JSON can hold."""
        write_sealed_json(self.result_path(job), to_plain(asdict(result)))

    def result(self, job: ToyJob) -> JobResult | None:
        """The result of a job, None where there is none.

        Raises:
            InputError: if its file is damaged or belongs to another job.
        """
        path = self.result_path(job)
        if not path.is_file():
            return None
        try:
            value = read_sealed_json(path, said_of=self.folder)
            floats: dict[str, Any] = {
                key: tuple(float(v) for v in value[key]) for key in ("kl", "kl_released", "final_loss")
            }
            plain: dict[str, Any] = {key: dict(value[key]) for key in ("training", "evaluation", "record")}
            result = JobResult(floor=value["floor"], **floats, **plain)
            result.cost()
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise self._damaged("Result file", path, error) from error
        fits = (result.training, result.evaluation) == (job.training(), job.evaluation())
        if not fits or {len(values) for values in floats.values()} != {len(job.seeds)}:
            raise self._damaged("Result file", path, "it holds another configuration than its name says")
        return result

    def save_trained(self, job: ToyJob, trained: Trained) -> None:
        """Write weights, losses and record."""
        record = np.frombuffer(json.dumps(trained.record | {"training": job.training()}).encode(), np.uint8)
        arrays = {"weights": trained.weights, "losses": trained.losses, "record": record}
        write_array_archive(self.weights_path(job), arrays)

    def trained(self, job: ToyJob) -> Trained | None:
        """What the training of a job left, None where there is nothing.

        Raises:
            InputError: if its file is damaged or belongs to another job.
        """
        path = self.weights_path(job)
        if not path.is_file():
            return None
        try:
            arrays = read_array_archive(path, said_of=self.folder)
            weights, losses = arrays["weights"], arrays["losses"]
            record = json.loads(arrays["record"].tobytes().decode())
            training = record.pop("training")
        except (OSError, ValueError, KeyError, RecursionError, AttributeError, TypeError) as error:
            raise self._damaged("Weights file", path, error) from error
        if training != job.training() or len(weights) != len(job.seeds):
            raise self._damaged("Weights file", path, "it holds another configuration than its name says")
        return Trained(weights=weights, losses=losses, record=record)

    @staticmethod
    def _damaged(kind: str, path: Path, reason: object) -> InputError:
        text = f"no entry {reason}" if isinstance(reason, KeyError) else str(reason)
        return InputError(
            f"{kind} {path} cannot be used ({text}). Delete it and repeat the command: "
            "only this job is computed again."
        )


def to_plain(value: Any) -> Any:
    """Plain values with NaN and infinity as words that ``float`` reads back."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    return value
