"""`TrackerSpec`: everything that decides what a tracker gives, and the folder its results belong in."""

import hashlib
import platform
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.integrity.checksums import sha256_of
from pytracking.evaluation.results import config_hash, plain_value
from pytracking.exported.folder import ExportedFolder
from pytracking.exported.tracker import chosen_weights, require_cpu
from pytracking.inference.options import Precision
from pytracking.parameter import find_parameters
from pytracking.parameter.base import Params
from pytracking.utils.loading import WeightsChoice

if TYPE_CHECKING:
    from ltr.admin.exported import Weights

__all__ = ["TrackerSpec", "make_spec"]

_PACKAGES = ("ebmtrack", "torch", "torchvision", "numpy", "opencv-python-headless")


@dataclass(frozen=True, kw_only=True)
class TrackerSpec:
    """One configuration of one tracker.

    Args:
        tracker: name of the tracker, e.g. ``"dimp"``.
        parameter: name of its parameter set.
        params: the set itself.
        weights: the weights file and why it was chosen; or an exported tracker, which ONNX Runtime runs.
        run_id: number of the repetition, or None for a single run.
        seed: base of the seeds of all sequences.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        precision: of the network's features, ``fp32`` or ``bf16``.
        notes: sentences a command should print.
    """

    tracker: str
    parameter: str
    params: Params
    weights: WeightsChoice | ExportedFolder
    run_id: int | None = None
    seed: int = 0
    device: str = "auto"
    precision: Precision = "fp32"
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Name in tables: tracker and parameter set; the repetitions of one tracker share it."""
        return f"{self.tracker}/{self.parameter}"

    @cached_property
    def checkpoint_digest(self) -> str | None:
        """SHA-256 of the weights file, or of an exported tracker's description; None without either."""
        return sha256_of(self.weights.files[0]) if self.weights.files else None

    @cached_property
    def hash(self) -> str:
        """Changes with tracker, parameters, weights, seed and precision."""
        which: dict[str, str] = {}
        if self.weights.weights != "auto":
            which["weights"] = self.weights.weights
        if self.precision != "fp32":
            which["precision"] = self.precision
        return config_hash(
            tracker=self.tracker,
            params=self.params,
            checkpoint=self.checkpoint_digest,
            seed=self.seed,
            **which,
        )

    def resolved_device(self) -> str:
        """Where it runs, ``cpu``, ``cuda:0``...

        Raises:
            InputError: if there is no such device, or it does not run there.
        """
        if isinstance(self.weights, ExportedFolder):
            require_cpu(self.device)
            return "cpu"
        if self.weights.path is None and self.device in ("auto", "cpu"):
            return "cpu"  # no network: torch need not be imported to find out
        from ebm.devices import resolve_device

        device = str(resolve_device(self.device))
        return "cpu" if self.weights.path is None else device

    def folder(self, results_root: Path) -> Path:
        """``<root>/<tracker>/<param>[_NNN]-<hash>``."""
        run = "" if self.run_id is None else f"_{self.run_id:03d}"
        return results_root / self.tracker / f"{self.parameter}{run}-{self.hash}"

    def sequence_seed(self, sequence: str) -> int:
        """A seed of 63 bits from base seed, run and sequence: neither order nor workers change it."""
        text = f"{self.seed}/{self.run_id or 0}/{sequence}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1

    def manifest(self, device: str) -> dict[str, Any]:
        """What a reader needs to know to get the same results again."""
        path = self.weights.path
        return {
            "tracker": self.tracker,
            "parameter": self.parameter,
            "config_hash": self.hash,
            "params": plain_value(self.params),
            "checkpoint": None
            if path is None
            else {
                "path": str(path),
                "sha256": self.checkpoint_digest,
                "chosen": self.weights.how,
                "weights": self.weights.weights,
            },
            "run_id": self.run_id,
            "seed": self.seed,
            "device": device,
            "precision": self.precision,
            "decoder": f"opencv {_version('opencv-python-headless')}, cv2.imdecode",
            "versions": {"python": platform.python_version(), "platform": platform.platform()}
            | {name: _version(name) for name in _PACKAGES},
            "git_commit": _git_commit(),
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    """Commit of the source tree, with ``+changes`` where files differ; None outside a git checkout."""
    here = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty=+changes", "--exclude=*"],
            cwd=here,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def make_spec(
    tracker: str,
    parameter: str,
    *,
    checkpoint: Path | None = None,
    weights: "Weights" = "auto",
    run_id: int | None = None,
    seed: int = 0,
    device: str = "auto",
    compat: bool = False,
    precision: Precision = "fp32",
    engine: str = "torch",
) -> TrackerSpec:
    """Look up parameters and weights; `compat` is with the published trackers' arithmetic.

    A precision of ``"auto"`` is measured here, once for all sequences. With the engine ``"onnx"`` the
    checkpoint is the folder of an exported tracker, whose parameters take the place of the set's.

    Raises:
        UnknownNameError: if there is no such tracker or parameter set.
        InputError: if no weights are found.
    """
    params = find_parameters(tracker, parameter, compat=compat)
    found = chosen_weights(
        tracker, parameter, params, checkpoint, weights=weights, precision=precision, engine=engine
    )
    notes: tuple[str, ...] = ()
    if isinstance(found, ExportedFolder):
        params = replace(found.params, compat=compat) if compat else found.params
    else:
        precision, notes = _precision(tracker, params, found, device, precision)
    return TrackerSpec(
        tracker=tracker,
        parameter=parameter,
        params=params,
        weights=found,
        run_id=run_id,
        seed=seed,
        device=device,
        precision=precision,
        notes=notes,
    )


def _precision(
    tracker: str, params: Params, weights: WeightsChoice, device: str, wanted: Precision
) -> tuple[Precision, tuple[str, ...]]:
    """The precision that is meant, and what is to be said of it."""
    if weights.path is None or wanted == "fp32":
        return "fp32", ()
    if wanted == "bf16":
        return wanted, ("Precision: bf16, as told.",)
    from ebm.devices import resolve_device
    from pytracking.inference.precision import CROP, choose
    from pytracking.utils.loading import load_tracking_network

    there = resolve_device(device)
    network = load_tracking_network(weights, tracker).to(there)
    precision, said = choose(network, there, getattr(params, "crop_size", CROP))
    return precision, (said,)
