"""The pieces of work a set consists of: one video, or one scene's still images."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ltr.dataset.generated.config import SceneConfig
from ltr.dataset.generated.layouts import LAYOUTS, Clip, write_frames
from ltr.dataset.generated.renderer import Renderer
from ltr.dataset.generated.scene import Scene, sample_scene
from ltr.dataset.generated.truth import ClipTruth, attributes

__all__ = ["CATEGORIES", "ImageJob", "VideoJob", "child_seed", "draw_clip", "run_image_job", "run_video_job"]

CATEGORIES = ("animal", "ball", "bird", "composite", "face", "person", "simple", "vehicle")
_OTHER = "structure"  # category of occluders that are no target's kind
_ATTEMPTS = 12
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


def _draw(scene: Scene, photos: tuple[str, ...]) -> tuple[np.ndarray, ClipTruth]:
    """All frames of a scene, in chunks: uint8 ``(T, H, W, 3)`` and the target's truth."""
    renderer = Renderer(scene, photos=photos)
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

    Where no attempt meets all wishes, the one with the best visible first frame is taken.
    """
    config = replace(job.config, bodies=((job.category, 1.0),))
    best: tuple[float, Scene, np.ndarray, ClipTruth, dict[str, bool], int] | None = None
    for attempt in range(_ATTEMPTS):
        seed = child_seed(job.seed, attempt)
        scene = sample_scene(seed, config, textures=len(job.photos))
        if not all(scene.intended.get(name, True) for name in job.wanted):
            continue
        frames, truth = _draw(scene, job.photos)
        found = attributes(scene, truth)
        met = sum(found[name] for name in job.wanted) - sum(found[name] for name in job.unwanted)
        score = min(float(truth.visible_ratio[0]), 0.9) + 0.1 * met
        if best is None or score > best[0]:
            best = (score, scene, frames, truth, found, seed)
        if score >= 0.9 + 0.1 * len(job.wanted) - 1e-9:
            break
    if best is None:
        return draw_clip(replace(job, wanted=(), seed=child_seed(job.seed, "any")))
    _, scene, frames, truth, found, seed = best
    record = _record(job, scene, truth, found, seed)
    return Clip(
        name=job.name,
        category=job.category,
        frames=frames,
        quality=scene.sensor.quality,
        truth=truth,
        record=record,
    )


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
        "segmentation": [],
        "amodal_bbox": [round(float(value), 2) for value in truth.amodal[row]],
        "visible_ratio": round(float(truth.visible_ratio[row]), 4),
    }
