"""The pieces of work a set consists of: one video, or one scene's still images."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.dataset.generated.config import SceneConfig
from ltr.dataset.generated.layouts import LAYOUTS, Clip, write_frames
from ltr.dataset.generated.renderer import Renderer
from ltr.dataset.generated.scene import Scene, sample_scene
from ltr.dataset.generated.truth import ClipTruth, attributes

__all__ = [
    "CATEGORIES",
    "ImageJob",
    "VideoJob",
    "child_seed",
    "contrast",
    "draw_clip",
    "run_image_job",
    "run_video_job",
]

CATEGORIES = ("animal", "ball", "bird", "composite", "face", "person", "simple", "vehicle")
_OTHER = "structure"  # category of occluders that are no target's kind
_ATTEMPTS = 12
_LEAST_CONTRAST = (18.0, 9.0)  # grey levels; plain and low-contrast videos
_CHUNK = 16  # frames drawn at a time; bounds the memory of long videos


def child_seed(*path: int | str) -> int:
    """A 63-bit seed that depends on the whole path; different paths give different seeds."""
    digest = hashlib.sha256("/".join(str(step) for step in path).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


@dataclass(frozen=True, kw_only=True)
class VideoJob:
    """One video to draw and write.

    Attributes:
        root: root of the layout.
        layout: a key of `LAYOUTS`.
        name: of the sequence.
        category: kind of the target.
        seed: of the scene; further attempts use seeds derived from it.
        config: ranges and probabilities.
        wanted: attributes the video has to show.
        unwanted: attributes it must not show.
        photos: the user's photographs.
    """

    root: Path
    layout: str
    name: str
    category: str
    seed: int
    config: SceneConfig
    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()
    photos: tuple[str, ...] = ()


def contrast(frame: NDArray[np.uint8], box: NDArray[np.float64]) -> float:
    """How far a box stands out from its surroundings.

    Args:
        frame: RGB, ``(H, W, 3)``.
        box: xywh px.

    Returns:
        Distance of mean colours plus distance of spreads between the box's inner three quarters and a rim
        around the box, in grey levels (0 to 255).
    """
    height, width = frame.shape[:2]
    x, y, w, h = (float(value) for value in box)

    def region(scale: float) -> tuple[slice, slice]:
        left, right = x + w * (1.0 - scale) / 2.0, x + w * (1.0 + scale) / 2.0
        top, bottom = y + h * (1.0 - scale) / 2.0, y + h * (1.0 + scale) / 2.0
        columns = slice(max(int(left), 0), max(min(round(right), width), int(left) + 1))
        return slice(max(int(top), 0), max(min(round(bottom), height), int(top) + 1)), columns

    around = np.zeros((height, width), dtype=bool)
    around[region(1.6)] = True
    around[region(1.0)] = False
    inner, outer = frame[region(0.75)].reshape(-1, 3).astype(np.float64), frame[around].astype(np.float64)
    if not len(inner) or not len(outer):
        return 0.0
    means = np.abs(inner.mean(axis=0) - outer.mean(axis=0)).mean()
    return float(means + np.abs(inner.std(axis=0) - outer.std(axis=0)).mean())


def _first_frame(scene: Scene, renderer: Renderer) -> tuple[float, float]:
    """Visible ratio and contrast of the target in the first frame."""
    image, truths = renderer.draw(np.zeros(1, dtype=np.int64))
    truth = truths[scene.target]
    frame = image[0].permute(1, 2, 0).numpy()
    return float(truth.visible_ratio[0]), contrast(frame, truth.amodal[0])


def _draw(scene: Scene, renderer: Renderer) -> tuple[NDArray[np.uint8], ClipTruth]:
    """All frames of a scene, in chunks: uint8 ``(T, H, W, 3)`` and the target's truth."""
    images, truths = [], []
    for first in range(0, scene.length, _CHUNK):
        image, truth = renderer.draw(np.arange(first, min(first + _CHUNK, scene.length)))
        images.append(image.permute(0, 2, 3, 1).numpy())
        truths.append(truth[scene.target])
    fields = ("amodal", "visible", "inside_ratio", "visible_ratio")
    joined = {field: np.concatenate([getattr(truth, field) for truth in truths]) for field in fields}
    return np.concatenate(images), ClipTruth(**joined)


def draw_clip(job: VideoJob) -> Clip:
    """The first attempt whose target is plain to see in the first frame and which shows what it should.

    Where no attempt meets all wishes, the last that meets most of them is taken.
    """
    config = replace(job.config, bodies=((job.category, 1.0),))
    best: tuple[int, Clip] | None = None
    for attempt in range(_ATTEMPTS):
        seed = child_seed(job.seed, attempt)
        scene = sample_scene(seed, config, textures=len(job.photos))
        renderer = Renderer(scene, photos=job.photos)
        visible, stands_out = _first_frame(scene, renderer)
        least = _LEAST_CONTRAST[bool(scene.intended["low_contrast"])]
        last = attempt == _ATTEMPTS - 1 and best is None
        if not last and (visible < 0.9 or stands_out < least):
            continue
        frames, truth = _draw(scene, renderer)
        found = attributes(scene, truth)
        met = sum(found[name] for name in job.wanted) - sum(found[name] for name in job.unwanted)
        if best is None or met > best[0]:
            record = {**_record(job, scene, truth, found, seed), "contrast": round(stands_out, 1)}
            quality = scene.sensor.quality
            clip = Clip(
                name=job.name,
                category=job.category,
                frames=frames,
                quality=quality,
                truth=truth,
                record=record,
            )
            best = (met, clip)
        if met == len(job.wanted):
            break
    if best is None:
        raise RuntimeError(f"No attempt was drawn for {job.name}.")  # the last attempt is always drawn
    return best[1]


def _record(
    job: VideoJob, scene: Scene, truth: ClipTruth, found: dict[str, bool], seed: int
) -> dict[str, Any]:
    side = np.sqrt(truth.amodal[:, 2:].prod(axis=1))
    return {
        "name": job.name,
        "category": job.category,
        "seed": seed,
        "frames": scene.length,
        "width": scene.size[0],
        "height": scene.size[1],
        "attributes": found,
        "focus": list(job.wanted),
        "mean_visible_ratio": round(float(truth.visible_ratio.mean()), 4),
        "absent_frames": int(truth.absent.sum()),
        "scale_ratio": round(float(side.max() / side.min()), 3),
        "target_size": round(float(side[0]), 2),
        "jpeg_quality": scene.sensor.quality,
    }


def run_video_job(job: VideoJob) -> dict[str, Any]:
    """Draw and write one video; returns its record."""
    clip = draw_clip(job)
    LAYOUTS[job.layout](job.root, clip)
    return clip.record


@dataclass(frozen=True, kw_only=True)
class ImageJob:
    """Still images of one scene for the COCO layout.

    Attributes:
        folder: where the images go.
        first_id: number of the first image.
        count: images drawn from the scene.
        seed: of the scene.
        config: ranges and probabilities.
        photos: the user's photographs.
    """

    folder: Path
    first_id: int
    count: int
    seed: int
    config: SceneConfig
    photos: tuple[str, ...] = ()


def run_image_job(job: ImageJob) -> dict[str, list[dict[str, Any]]]:
    """Draw and write the images of one scene; returns their COCO ``images`` and ``annotations`` entries."""
    scene = sample_scene(job.seed, job.config, textures=len(job.photos))
    renderer = Renderer(scene, photos=job.photos, track_all=True)
    moments = np.linspace(0, scene.length - 1, job.count).astype(np.int64)
    drawn, truths = renderer.draw(moments)
    write_frames(
        job.folder, drawn.permute(0, 2, 3, 1).numpy(), scene.sensor.quality, "%012d.jpg", job.first_id
    )
    images, annotations = [], []
    for row in range(job.count):
        number = job.first_id + row
        images.append(
            {"id": number, "file_name": f"{number:012d}.jpg", "width": scene.size[0], "height": scene.size[1]}
        )
        for index, actor in enumerate(scene.actors):
            kind = actor.body.kind if actor.body.kind in CATEGORIES else _OTHER
            entry = _annotation(truths[index], row)
            if entry is not None:
                ids = {"id": number * 100 + index, "image_id": number, "category_id": _category_id(kind)}
                annotations.append({**ids, **entry})
    return {"images": images, "annotations": annotations}


def _category_id(kind: str) -> int:
    return (*CATEGORIES, _OTHER).index(kind) + 1


def _annotation(truth: ClipTruth, row: int) -> dict[str, Any] | None:
    """An instance that is plain to see; None for one that is mostly hidden, outside or tiny."""
    box = truth.visible[row]
    if truth.visible_ratio[row] < 0.3 or min(box[2:]) < 6.0:
        return None
    return {
        "bbox": [float(value) for value in box],
        "area": float(box[2] * box[3]),
        "iscrowd": 0,
        # Readers rasterise the outline (pycocotools' annToMask fails on none): here it is the box.
        "segmentation": [_rectangle(*(float(value) for value in box))],
        "amodal_bbox": [round(float(value), 2) for value in truth.amodal[row]],
        "visible_ratio": round(float(truth.visible_ratio[row]), 4),
    }


def _rectangle(x: float, y: float, width: float, height: float) -> list[float]:
    """The polygon x1, y1, x2, y2, ... of a box, px, clockwise from the corner at the top left."""
    return [x, y, x + width, y, x + width, y + height, x, y + height]
