"""Writers of the on-disk layouts of OTB, LaSOT, GOT-10k and TrackingNet."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ebm.integrity.json_files import write_sealed_json
from ltr.dataset.generated.truth import ClipTruth

__all__ = ["LAYOUTS", "Clip", "write_frames", "write_index", "write_text"]

GENERATOR = "ebmtrack-generated"
_MOTION = {
    "person": "walk",
    "animal": "run",
    "vehicle": "drive",
    "bird": "fly",
    "ball": "roll",
    "face": "turn",
}
_MAJOR = {"person": "person", "face": "person", "animal": "animal", "bird": "animal", "vehicle": "vehicle"}


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One finished video.

    Attributes:
        name: of the sequence.
        category: kind of the target.
        frames: RGB, uint8 ``(T, H, W, 3)``.
        quality: of the JPEG files.
        truth: about the target.
        record: attributes and whatever else goes to ``generated.json`` and ``truth.json``.
    """

    name: str
    category: str
    frames: NDArray[np.uint8]
    quality: int
    truth: ClipTruth
    record: dict[str, Any]

    @property
    def size(self) -> tuple[int, int]:
        """Frame (width, height), px."""
        return self.frames.shape[2], self.frames.shape[1]


def write_text(file: Path, text: str) -> None:
    """Write a text file, its folder made if need be."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def write_frames(folder: Path, frames: NDArray[np.uint8], quality: int, pattern: str, first: int) -> None:
    """Write RGB frames ``(T, H, W, 3)`` as JPEG files named `pattern` % number, counting from `first`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames, start=first):
        bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        (folder / (pattern % number)).write_bytes(data.tobytes())


def write_index(root: Path, layout: str, sequences: list[dict[str, Any]], **more: Any) -> None:
    """Write ``generated.json``, by which a reader knows a generated root; the last file of a root."""
    content = {"generator": GENERATOR, "layout": layout, **more, "sequences": sequences}
    write_sealed_json(root / "generated.json", content)


def _rows(boxes: NDArray[np.float64], separator: str = ",") -> str:
    return "".join(separator.join(f"{value:.2f}" for value in row) + "\n" for row in boxes)


def _flags(flags: NDArray[np.bool_]) -> str:
    return ",".join(str(int(flag)) for flag in flags)


def _present(clip: Clip) -> NDArray[np.float64]:
    """Amodal boxes cut to the frame; 0 0 0 0 in frames without the target."""
    return clip.truth.clipped(clip.size) * ~clip.truth.absent[:, None]


def _write_truth(file: Path, clip: Clip) -> None:
    """Everything known frame by frame."""
    truth = clip.truth
    frames = {
        "amodal": np.round(truth.amodal, 2).tolist(),
        "visible": truth.visible.astype(int).tolist(),
        "inside_ratio": np.round(truth.inside_ratio, 4).tolist(),
        "visible_ratio": np.round(truth.visible_ratio, 4).tolist(),
        "out_of_view": truth.out_of_view.astype(int).tolist(),
        "full_occlusion": truth.full_occlusion.astype(int).tolist(),
    }
    write_text(file, json.dumps({**clip.record, "frames": frames}) + "\n")


def write_lasot(root: Path, clip: Clip) -> None:
    """``class/class-k/img/00000001.jpg``, groundtruth.txt and two flag files of one line."""
    folder = root / clip.category / clip.name
    write_frames(folder / "img", clip.frames, clip.quality, "%08d.jpg", 1)
    write_text(folder / "groundtruth.txt", _rows(_present(clip)))
    write_text(folder / "full_occlusion.txt", _flags(clip.truth.full_occlusion))
    write_text(folder / "out_of_view.txt", _flags(clip.truth.out_of_view))
    _write_truth(folder / "truth.json", clip)


def write_otb(root: Path, clip: Clip) -> None:
    """``Name/img/0001.jpg`` and groundtruth_rect.txt; boxes amodal and cut to the frame also while hidden."""
    folder = root / clip.name
    write_frames(folder / "img", clip.frames, clip.quality, "%04d.jpg", 1)
    write_text(folder / "groundtruth_rect.txt", _rows(clip.truth.clipped(clip.size)))
    _write_truth(folder / "truth.json", clip)


def write_got10k(root: Path, clip: Clip) -> None:
    """``name/00000001.jpg``, groundtruth.txt, absence.label, cover.label (eighths) and meta_info.ini."""
    folder = root / clip.name
    write_frames(folder, clip.frames, clip.quality, "%08d.jpg", 1)
    write_text(folder / "groundtruth.txt", _rows(_present(clip)))
    absent = clip.truth.absent
    cover = np.where(absent, 0, np.rint(clip.truth.visible_ratio * 8.0)).astype(int)
    cut = clip.truth.inside_ratio < 0.995
    write_text(folder / "absence.label", "".join(f"{int(flag)}\n" for flag in absent))
    write_text(folder / "cover.label", "".join(f"{value}\n" for value in cover))
    write_text(folder / "cut_by_image.label", "".join(f"{int(flag)}\n" for flag in cut))
    width, height = clip.size
    meta = (
        ("url", "generated"),
        ("begin", "00:00:00"),
        ("end", f"00:00:{len(absent) // 10:02d}"),
        ("anno_fps", "10Hz"),
        ("object_class", clip.category),
        ("motion_class", _MOTION.get(clip.category, "move")),
        ("major_class", _MAJOR.get(clip.category, "object")),
        ("root_class", _MAJOR.get(clip.category, "object")),
        ("motion_adverb", "quickly" if clip.record["attributes"]["fast_motion"] else "steadily"),
        ("resolution", f"({width}, {height})"),
    )
    write_text(folder / "meta_info.ini", "[METAINFO]\n" + "".join(f"{key}: {value}\n" for key, value in meta))
    _write_truth(folder / "truth.json", clip)


def write_trackingnet(root: Path, clip: Clip) -> None:
    """``TRAIN_0/frames/video/0.jpg`` and ``TRAIN_0/anno/video.txt``."""
    chunk = root / "TRAIN_0"
    write_frames(chunk / "frames" / clip.name, clip.frames, clip.quality, "%d.jpg", 0)
    write_text(chunk / "anno" / f"{clip.name}.txt", _rows(_present(clip)))
    _write_truth(chunk / "truth" / f"{clip.name}.json", clip)


LAYOUTS: dict[str, Callable[[Path, Clip], None]] = {
    "got10k": write_got10k,
    "lasot": write_lasot,
    "otb": write_otb,
    "trackingnet": write_trackingnet,
}
