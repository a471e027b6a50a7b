"""How large the generated sets are, and what each test sequence is about."""

from dataclasses import dataclass, field, replace

from ltr.dataset.generated.config import FOCUS, TEST_SCENE, TRAIN_SCENE, SceneConfig

__all__ = ["MEASURED", "SCALES", "TestPlan", "TrainingPlan"]

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
    "small": "low_resolution",
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
            scene=replace(TRAIN_SCENE, frame_sizes=_SMALL, length=(12, 12)),
        ),
        "test": TestPlan(
            sequences={"otb": 3, "lasot": 2}, scene=replace(TEST_SCENE, frame_sizes=_SMALL, length=(12, 12))
        ),
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
