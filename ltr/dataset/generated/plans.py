"""How large the generated sets are, and what each test sequence is about."""

from dataclasses import dataclass, field, replace

from ebm.exceptions import InputError
from ebm.lookup import lookup
from ltr.dataset.generated.config import FOCUS, TEST_SCENE, TRAIN_SCENE, SceneConfig

__all__ = ["MEASURED", "SCALES", "TestPlan", "TrainingPlan", "adapted_plan", "drawn_plan", "find_plan"]

_SMALL = ((160, 120), (120, 160))
_LARGE = ((640, 480), (640, 360), (480, 640), (854, 480), (512, 512))
MEASURED = {  # focus -> measured attribute a sequence about it has to show
    "occlusion": "partial_occlusion",
    "scale": "scale",
    "distractors": "distractors",
    "fast_motion": "fast_motion",
    "deformation": "deformation",
    "rotation": "rotation",
    "illumination": "illumination",
    "low_contrast": "low_contrast",
    "camera_motion": "camera_motion",
    "motion_blur": "motion_blur",
    "small": "small_target",
    "noise": "noise",
    "clutter": "clutter",
    "partly_out": "partly_out",
    "out_of_view": "out_of_view",
}


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """How many videos of each layout and how many images a training set has."""

    videos: dict[str, int]
    images: int
    scene: SceneConfig = TRAIN_SCENE
    seed: int = 1


@dataclass(frozen=True, kw_only=True)
class TestPlan:
    """How many sequences of each layout a test set has."""

    __test__ = False  # no test of pytest's

    sequences: dict[str, int]
    scene: SceneConfig = TEST_SCENE
    seed: int = 2
    focus: tuple[str, ...] = field(default=tuple(FOCUS))


SCALES: dict[str, dict[str, TrainingPlan | TestPlan]] = {
    "tiny": {
        "train": TrainingPlan(
            videos={"lasot": 3, "got10k": 3, "trackingnet": 3},
            images=4,
            scene=replace(TRAIN_SCENE, frame_sizes=_SMALL, length=(24, 24)),
        ),
        "test": TestPlan(
            sequences={"otb": 3, "lasot": 2}, scene=replace(TEST_SCENE, frame_sizes=_SMALL, length=(12, 12))
        ),
    },
    "short": {  # to fine-tune for a minute, and to see what it did
        "train": TrainingPlan(videos={"lasot": 12, "got10k": 12, "trackingnet": 1}, images=60),
        "test": TestPlan(sequences={"otb": 4, "lasot": 1}, scene=replace(TEST_SCENE, length=(40, 40))),
    },
    "demo": {
        "train": TrainingPlan(videos={"lasot": 120, "got10k": 130, "trackingnet": 110}, images=400),
        "test": TestPlan(sequences={"otb": 20, "lasot": 8}),
    },
    # About 190,000 frames and 9 GB for training, 45,000 frames for testing.
    "full": {
        "train": TrainingPlan(
            videos={"lasot": 900, "got10k": 1400, "trackingnet": 900},
            images=10000,
            scene=replace(TRAIN_SCENE, frame_sizes=_LARGE, length=(40, 80)),
        ),
        "test": TestPlan(
            sequences={"otb": 100, "lasot": 64},
            scene=replace(TEST_SCENE, frame_sizes=_LARGE, length=(200, 350)),
        ),
    },
}


def find_plan(kind: str, scale: str) -> TrainingPlan | TestPlan:
    """The plan of a kind (train, test) and scale (tiny, short, demo, full).

    Raises:
        UnknownNameError: no such kind or scale.
    """
    return lookup("kind of generated set", kind, lookup("scale of generated sets", scale, SCALES))


def adapted_plan(
    kind: str,
    scale: str,
    *,
    videos: int | None = None,
    images: int | None = None,
    sequences: int | None = None,
    size: tuple[int, int] | None = None,
    length: tuple[int, int] | None = None,
    seed: int | None = None,
    focus: tuple[str, ...] = (),
) -> TrainingPlan | TestPlan:
    """A scale's plan with some of its numbers replaced.

    Args:
        kind: ``"train"`` or ``"test"``.
        scale: ``"tiny"``, ``"demo"`` or ``"full"``.
        videos: training videos in all, shared evenly among the layouts.
        images: COCO images.
        sequences: test sequences in each layout.
        size: frame (width, height), px.
        length: fewest and most frames of a video.
        seed: another seed gives other videos.
        focus: what test sequences are about, of `FOCUS`; the scale's own where left out. Only the LaSOT
            layout can say that a target is out of view, so that there is no other where that is all.

    Raises:
        UnknownNameError: no such kind, scale or focus.
        InputError: numbers too small to fill the layouts, or a focus of training videos.
        DomainError: frame size or length out of range.
    """
    plan = find_plan(kind, scale)
    scene = plan.scene
    scene = replace(scene, frame_sizes=(size,)) if size is not None else scene
    scene = replace(scene, length=length) if length is not None else scene
    plan = replace(plan, scene=scene, seed=plan.seed if seed is None else seed)
    if isinstance(plan, TestPlan):
        counts = plan.sequences if sequences is None else dict.fromkeys(plan.sequences, sequences)
        for name in focus:
            lookup("focus", name, FOCUS)
        if focus and set(focus) <= {"out_of_view"}:
            counts = {"lasot": counts["lasot"]}
        plan = replace(plan, focus=focus or plan.focus)
        return replace(plan, sequences=_positive(counts))
    if focus:
        raise InputError(f"A focus ({', '.join(focus)}) is for test sequences: --kind test.")
    counts = plan.videos
    if videos is not None:
        share, rest = divmod(videos, len(counts))
        counts = {layout: share + (place < rest) for place, layout in enumerate(counts)}
    images = plan.images if images is None else images
    _positive({"coco": images})
    return replace(plan, videos=_positive(counts), images=images)


def drawn_plan(scale: str, layout: str) -> TrainingPlan:
    """A scale's training videos of one layout alone, to train beside real data; an image, as a set needs one.

    Raises:
        UnknownNameError: no such scale or layout.
    """
    plan = find_plan("train", scale)
    assert isinstance(plan, TrainingPlan)
    return replace(plan, videos={layout: lookup("layout", layout, plan.videos)}, images=1)


def _positive(counts: dict[str, int]) -> dict[str, int]:
    empty = [layout for layout, count in counts.items() if count < 1]
    if empty:
        raise InputError(
            f"Nothing to put into {', '.join(empty)}: give at least one video or image a layout."
        )
    return counts
