"""Whole sets: which videos, images and tests there are, drawn and written in real data sets' layouts."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ebm.exceptions import InputError
from ebm.lookup import lookup
from ltr.dataset.generated.config import FOCUS, TEST_SCENE, TRAIN_SCENE, SceneConfig
from ltr.dataset.generated.jobs import (
    CATEGORIES,
    ImageJob,
    VideoJob,
    child_seed,
    run_image_job,
    run_video_job,
)
from ltr.dataset.generated.layouts import write_index, write_text
from ltr.dataset.generated.parallel import run_jobs
from ltr.dataset.generated.photos import find_photos
from ltr.dataset.generated.plans import MEASURED, TestPlan, TrainingPlan

__all__ = [
    "TestPlan",
    "TrainingPlan",
    "build_test_set",
    "build_training_set",
    "write_test_set",
    "write_training_set",
]


def _categories(seed: int, scene: SceneConfig, count: int) -> list[str]:
    """Kinds of the targets: each as often as the configuration says, in random order."""
    kinds, weights = zip(*scene.bodies)
    rng = np.random.default_rng(seed)
    return [str(kind) for kind in rng.choice(kinds, size=count, p=np.array(weights) / np.sum(weights))]


def _names(layout: str, categories: list[str]) -> list[str]:
    counts: dict[str, int] = {}
    names = []
    for index, category in enumerate(categories):
        counts[category] = counts.get(category, 0) + 1
        names.append(
            {
                "lasot": f"{category}-{counts[category]}",
                "otb": f"{category.capitalize()}{counts[category]}",
                "got10k": f"GOT-10k_Train_{index + 1:06d}",
                "trackingnet": f"video{index:06d}",
            }[layout]
        )
    return names


def _video_jobs(root: Path, layout: str, plan: TrainingPlan, photos: tuple[str, ...]) -> list[VideoJob]:
    count = plan.videos[layout]
    categories = _categories(child_seed(plan.seed, "train", layout), plan.scene, count)
    # TrackingNet cannot say that its target is absent, so there it never is.
    scene = replace(plan.scene, p_out_of_view=0.0) if layout == "trackingnet" else plan.scene
    unwanted = ("full_occlusion", "out_of_view") if layout == "trackingnet" else ()
    return [
        VideoJob(
            root=root,
            layout=layout,
            name=name,
            category=category,
            seed=child_seed(plan.seed, "train", layout, index),
            config=scene,
            unwanted=unwanted,
            photos=photos,
        )
        for index, (name, category) in enumerate(zip(_names(layout, categories), categories))
    ]


def _image_jobs(folder: Path, plan: TrainingPlan, photos: tuple[str, ...]) -> list[ImageJob]:
    scene = replace(
        plan.scene, length=(24, 24), p_distractors=0.8, distractors=(1, 4), p_companion=0.3, p_identical=0.15
    )
    each = 2
    return [
        ImageJob(
            folder=folder,
            first_id=first + 1,
            count=min(each, plan.images - first),
            seed=child_seed(plan.seed, "train", "coco", first),
            config=scene,
            photos=photos,
        )
        for first in range(0, plan.images, each)
    ]


def _write_coco(root: Path, parts: list[dict[str, list[dict[str, Any]]]], more: dict[str, Any]) -> None:
    images = [entry for part in parts for entry in part["images"]]
    content = {
        "info": {"description": "generated images", "version": "2014"},
        "licenses": [],
        "images": images,
        "annotations": [entry for part in parts for entry in part["annotations"]],
        "categories": [
            {"id": number, "name": name, "supercategory": "generated"}
            for number, name in enumerate((*CATEGORIES, "structure"), start=1)
        ],
    }
    write_text(root / "annotations" / "instances_train2014.json", json.dumps(content))
    write_index(root, "coco", [{"name": entry["file_name"]} for entry in images], **more)


def write_training_set(
    root: Path,
    plan: TrainingPlan,
    *,
    workers: int = 0,
    textures: Path | None = None,
    progress: bool = True,
    **more: Any,
) -> dict[str, Path]:
    """Draw and write a training set.

    Args:
        root: the layouts become folders of it.
        plan: what it consists of.
        workers: processes; 0 chooses. The files do not depend on it.
        textures: folder of the user's photographs.
        progress: show progress bars.
        more: further entries of the ``generated.json`` files.

    Returns:
        Layout name -> its root.

    Raises:
        InputError: no such textures, or a full disk.
    """
    photos = find_photos(textures)
    entries = {"kind": "train", "seed": plan.seed, **more}
    roots = {layout: root / layout for layout in (*plan.videos, "coco")}
    jobs = [job for layout in plan.videos for job in _video_jobs(roots[layout], layout, plan, photos)]
    records = run_jobs(run_video_job, jobs, workers=workers, progress=progress, title="training videos")
    images = _image_jobs(roots["coco"] / "images" / "train2014", plan, photos)
    parts = run_jobs(run_image_job, images, workers=workers, progress=progress, title="training images")
    _write_coco(roots["coco"], parts, entries)
    for layout in plan.videos:
        own = [record for job, record in zip(jobs, records) if job.layout == layout]
        if layout == "got10k":
            write_text(roots[layout] / "list.txt", "".join(f"{record['name']}\n" for record in own))
        write_index(roots[layout], layout, own, **entries)
    return roots


def _test_jobs(root: Path, layout: str, plan: TestPlan, photos: tuple[str, ...]) -> list[VideoJob]:
    count = plan.sequences[layout]
    categories = _categories(child_seed(plan.seed, "test", layout), plan.scene, count)
    # OTB cannot say that its target is absent; there it leaves the frame in part only.
    topics = [name for name in plan.focus if layout == "lasot" or name != "out_of_view"]
    if layout == "lasot":
        topics = ["out_of_view", *topics]  # long-term sets are about leaving and coming back
    jobs = []
    for index, (name, category) in enumerate(zip(_names(layout, categories), categories)):
        topic = topics[index % len(topics)]
        needed = MEASURED.get(topic)
        jobs.append(
            VideoJob(
                root=root,
                layout=layout,
                name=name,
                category=category,
                seed=child_seed(plan.seed, "test", layout, index),
                config=replace(plan.scene, **FOCUS[topic]),  # type: ignore[arg-type]
                wanted=(needed,) if needed is not None else (),
                unwanted=("out_of_view",) if layout == "otb" else (),
                photos=photos,
            )
        )
    return jobs


def write_test_set(
    root: Path,
    plan: TestPlan,
    *,
    workers: int = 0,
    textures: Path | None = None,
    progress: bool = True,
    **more: Any,
) -> dict[str, Path]:
    """Draw and write a test set; arguments and errors as for `write_training_set`."""
    photos = find_photos(textures)
    entries = {"kind": "test", "seed": plan.seed, **more}
    roots = {layout: root / layout for layout in plan.sequences}
    jobs = [job for layout in plan.sequences for job in _test_jobs(roots[layout], layout, plan, photos)]
    records = run_jobs(run_video_job, jobs, workers=workers, progress=progress, title="test videos")
    for layout in plan.sequences:
        write_index(
            roots[layout], layout, [r for job, r in zip(jobs, records) if job.layout == layout], **entries
        )
    return roots


def build_training_set(
    root: Path,
    *,
    num_videos: int = 360,
    num_images: int = 400,
    scene: SceneConfig = TRAIN_SCENE,
    seed: int = 1,
    workers: int = 0,
    textures: Path | None = None,
    progress: bool = True,
) -> dict[str, Path]:
    """Write `num_videos`, shared evenly among LaSOT, GOT-10k and TrackingNet, and COCO images.

    Raises:
        InputError: fewer than three videos, no images, unusable textures, or a full disk.
    """
    if num_videos < 3 or num_images < 1:
        raise InputError(f"{num_videos} videos and {num_images} images: give at least 3 videos and 1 image.")
    share, rest = divmod(num_videos, 3)
    videos = {
        layout: share + (place < rest) for place, layout in enumerate(("lasot", "got10k", "trackingnet"))
    }
    plan = TrainingPlan(videos=videos, images=num_images, scene=scene, seed=seed)
    return write_training_set(
        root, plan, workers=workers, textures=textures, progress=progress, scene=asdict(scene)
    )


def build_test_set(
    root: Path,
    layout: str = "otb",
    *,
    num_sequences: int = 20,
    scene: SceneConfig = TEST_SCENE,
    seed: int = 2,
    workers: int = 0,
    textures: Path | None = None,
    progress: bool = True,
) -> Path:
    """Write a test set in one layout, ``"otb"`` or ``"lasot"``; returns the layout's root.

    Raises:
        UnknownNameError: no such test layout.
        InputError: unusable textures, or a full disk.
    """
    lookup("test layout", layout, {"otb": 0, "lasot": 0})
    plan = TestPlan(sequences={layout: num_sequences}, scene=scene, seed=seed)
    return write_test_set(
        root, plan, workers=workers, textures=textures, progress=progress, scene=asdict(scene)
    )[layout]
