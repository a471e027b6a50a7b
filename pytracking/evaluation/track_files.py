"""Further files of a tracked video: COCO-style JSON with a track id, and the crops of the targets."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ebm.exceptions import InputError
from ebm.files import write_atomic
from pytracking.evaluation.video_frames import Frame
from pytracking.evaluation.video_tables import UNREADABLE, Rows
from pytracking.tracker.common.several import TargetId

__all__ = ["CocoFile", "CropFolder"]


class CocoFile:
    """Boxes as COCO annotations with ``track_id``, as annotation tools read them; a `Table`.

    Images are the frames, named ``NAME_000012.jpg``; ``frame`` and ``time`` say which one it is. Boxes are x,
    y, w, h in pixels, from 0. A frame that cannot be read has no annotation, a lost target neither. Track ids
    are the targets' where all of these are whole numbers, else they count from 1 and ``name`` is the id. The
    file is written when the run ends, also if Ctrl-C or an error ends it; what a kill leaves is in the csv.

    Args:
        path: of the file.
        video: name of the video.
        stack: writes the file when it is closed.
    """

    def __init__(self, path: Path, video: str, stack: ExitStack) -> None:
        self._path, self._video = path, video
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._targets: list[TargetId] = []  # of the annotations
        self._size = (0, 0)
        stack.callback(self._write)

    def add(self, frame: Frame, rows: Rows) -> None:
        """Take in a frame and its rows."""
        if frame.image is not None:
            self._size = (frame.image.shape[1], frame.image.shape[0])
        number = frame.number + 1
        self._images.append(
            {
                "id": number,
                "video_id": 1,
                "file_name": f"{Path(self._video).stem}_{frame.number:06d}.jpg",
                "width": self._size[0],
                "height": self._size[1],
                "frame": frame.number,
                "time": round(frame.time, 6),
            }
        )
        for target, row in rows.items():
            if row.state in (UNREADABLE, "lost"):
                continue
            box = [round(float(value), 3) for value in row.box]
            self._targets.append(target)
            self._annotations.append(
                {
                    "id": len(self._annotations) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "bbox": box,
                    "area": round(box[2] * box[3], 3),
                    "iscrowd": 0,
                    "score": round(row.score, 4),
                    "state": row.state,
                }
            )

    def _write(self) -> None:
        if not self._images:
            return
        targets = list(dict.fromkeys(self._targets))
        whole = all(isinstance(target, int) for target in targets)
        numbers = {} if whole else {target: place for place, target in enumerate(targets, start=1)}
        content = {
            "info": {"description": f"tracked by EBMTrack in {self._video}"},
            "videos": [{"id": 1, "name": self._video, "width": self._size[0], "height": self._size[1]}],
            "categories": [{"id": 1, "name": "target"}],
            "images": self._images,
            "annotations": [
                annotation | _identity(target, numbers)
                for annotation, target in zip(self._annotations, self._targets)
            ],
        }
        write_atomic(self._path, json.dumps(content, allow_nan=False, indent=1))


def _identity(target: TargetId, numbers: Mapping[TargetId, int]) -> dict[str, Any]:
    """The track id of a target and, where that is not the id that it has, its name."""
    named = {} if target is None else {"name": str(target)}
    return {"track_id": numbers[target], **named} if numbers else {"track_id": target}


class CropFolder:
    """The picture of every target in every frame, as JPEG, cut to its box; a `Table`.

    Files are ``ID/NAME_000012.jpg``, of one target without id ``NAME_000012.jpg``; frames count from 0. Lost
    targets and frames that cannot be read have none, nor has a box without a pixel inside the frame.

    Args:
        folder: where they are written; made with the first one.
        video: name of the video.
        margin: added on each side, as a share of the box's width and height.
    """

    def __init__(self, folder: Path, video: str, margin: float = 0.0) -> None:
        self._folder, self._stem, self._margin = folder, Path(video).stem, margin
        self._folders: dict[TargetId, Path] = {None: folder}
        self.written = 0

    def add(self, frame: Frame, rows: Rows) -> None:
        """Cut a frame.

        Raises:
            InputError: if a file cannot be written.
        """
        for target, row in rows.items():
            if frame.image is None or row.state in (UNREADABLE, "lost"):
                continue
            part = _cut(frame.image, row.box, self._margin)
            if part.size:
                self._save(self._folder_of(target) / f"{self._stem}_{frame.number:06d}.jpg", part)

    def _folder_of(self, target: TargetId) -> Path:
        """One of its own, also for an id that cannot be the name of a folder."""
        if target not in self._folders:
            name = _as_name(target)
            while self._folder / name in self._folders.values():
                name += "_"
            self._folders[target] = self._folder / name
        return self._folders[target]

    def _save(self, path: Path, part: NDArray[np.uint8]) -> None:
        _, data = cv2.imencode(".jpg", cv2.cvtColor(part, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.tobytes())
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror or error}.") from error
        self.written += 1


def _cut(image: NDArray[np.uint8], box: NDArray[np.float64], margin: float) -> NDArray[np.uint8]:
    """The pixels of a box x, y, w, h with its margin, as far as they are inside."""
    grown = np.array([*(box[:2] - margin * box[2:]), *(box[:2] + (1 + margin) * box[2:])])
    limits = np.array([image.shape[1], image.shape[0]] * 2)
    left, top, right, bottom = np.clip(np.rint(grown), 0, limits).astype(int)
    return np.ascontiguousarray(image[top:bottom, left:right])


def _as_name(target: TargetId) -> str:
    """An id as the name of a folder: what may mislead a file system is replaced."""
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in str(target))
    return kept if kept.strip(".") else "_" * max(1, len(kept))
