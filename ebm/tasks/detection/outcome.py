"""What a training leaves in its folder: the trained file, how it was made, and until then its checkpoint."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ebm.exceptions import InputError
from ebm.files import require_writable_folder, write_json
from ebm.outputs import Output, require_outputs
from ebm.tasks.detection.data.records import DetectionSet
from ebm.tasks.detection.detector_training import DetectorRecipe
from ebm.tasks.detection.recipes import Recipe
from ebm.training.iterations import Trained

__all__ = ["Outcome"]


@dataclass(frozen=True)
class Outcome:
    """The files of a training: ``<stem>.pt``, ``<stem>.json`` and ``<stem>.checkpoint`` in a folder."""

    folder: Path
    stem: str

    def _file(self, suffix: str) -> Path:
        return self.folder / f"{self.stem}{suffix}"

    @property
    def trained(self) -> Path:
        """The trained file."""
        return self._file(".pt")

    @property
    def checkpoint(self) -> Path:
        """What a stopped training goes on from."""
        return self._file(".checkpoint")

    def require(self, inputs: Mapping[str, Path | Iterable[Path] | None]) -> None:
        """Refuse to begin where something would be lost; make the folder.

        Args:
            inputs: name as the user knows it -> what is read.

        Raises:
            InputError: if a file would be an input, cannot be written, or a training has been finished here.
        """
        files = [self.trained, self._file(".json"), self.checkpoint]
        require_outputs([Output(name="--out", path=file) for file in files], inputs)
        if self.trained.exists() and not self.checkpoint.exists():
            raise InputError(
                f"{self.trained} is there already, and its training is finished. Name another --out to train "
                "anew, or move it away."
            )
        require_writable_folder(self.folder)

    def tell_stopped(self, trained: Trained) -> int:
        """Say how a stopped training goes on; returns the exit code."""
        print(f"stopped after {trained.iterations} steps; the same command goes on", file=sys.stderr)
        return trained.exit_code

    def record(
        self, command: str, recipe: Recipe | DetectorRecipe, data: DetectionSet, trained: Trained
    ) -> None:
        """Write how the trained file was made; the checkpoint has done its part.

        Raises:
            InputError: if it cannot be written.
        """
        made = {"command": command, "recipe": recipe.plain(), "pictures": len(data)}
        write_json(self._file(".json"), made | {"training": asdict(trained)})
        self.checkpoint.unlink(missing_ok=True)
        print(f"{self.trained.name} is in {self.folder}", file=sys.stderr)
