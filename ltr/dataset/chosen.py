"""Some sequences of a dataset, whatever its reader."""

from collections.abc import Collection
from pathlib import Path

from ltr.data.usable import broken_annotations
from ltr.data.video import Annotation, Slice, VideoDataset

__all__ = ["WithoutSequences"]


class WithoutSequences:
    """A dataset without some of its sequences; images that such a one shares with others go as well.

    Args:
        dataset: any reader.
        names: of the sequences to leave out; those that it does not have do not matter.
    """

    def __init__(self, dataset: VideoDataset, names: Collection[str]) -> None:
        self.dataset, self.name, self.is_video = dataset, dataset.name, dataset.is_video
        unwanted = {index for index in range(len(dataset)) if dataset.sequence_name(index) in set(names)}
        if not dataset.is_video:
            pictures = {dataset.frame_path(index, 0) for index in unwanted}
            unwanted = {i for i in range(len(dataset)) if pictures and dataset.frame_path(i, 0) in pictures}
        self._kept = [index for index in range(len(dataset)) if index not in unwanted]

    def __len__(self) -> int:
        return len(self._kept)

    def sequence_name(self, index: int) -> str:
        """Name of a sequence as its makers write it."""
        return self.dataset.sequence_name(self._kept[index])

    def class_name(self, index: int) -> str | None:
        """Class of a sequence's target; None if nothing says so."""
        kind = getattr(self.dataset, "class_name", None)
        return None if kind is None else kind(self._kept[index])

    def annotation(self, index: int) -> Annotation:
        """Boxes and flags of a sequence."""
        return self.dataset.annotation(self._kept[index])

    def prepare(self) -> dict[int, str]:
        """Bring the annotations into memory; what is wrong, by sequence, for those that are broken."""
        place = {original: index for index, original in enumerate(self._kept)}
        broken = broken_annotations(self.dataset)
        return {place[index]: problem for index, problem in broken.items() if index in place}

    def frame_path(self, index: int, frame: int) -> Path | Slice:
        """Where the image of a frame lies, counted from 0."""
        return self.dataset.frame_path(self._kept[index], frame)
