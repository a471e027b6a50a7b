"""What is known exactly about a drawn clip: boxes, visibility and the attributes that follow from them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ltr.dataset.generated.scene import Scene

__all__ = ["ATTRIBUTES", "FULL_OCCLUSION_BELOW", "OUT_OF_VIEW_BELOW", "ClipTruth", "attributes"]

Array = NDArray[np.float64]
OUT_OF_VIEW_BELOW = 0.05  # share of the target inside the frame
FULL_OCCLUSION_BELOW = 0.1  # share of the target that is visible

ATTRIBUTES = {  # name -> short code of the OTB and LaSOT attributes that comes nearest
    "illumination": "IV",
    "scale": "SV",
    "partial_occlusion": "POC",
    "full_occlusion": "FOC",
    "deformation": "DEF",
    "motion_blur": "MB",
    "fast_motion": "FM",
    "rotation": "ROT",
    "aspect": "ARC",
    "out_of_view": "OV",
    "partly_out": "POV",
    "distractors": "SOB",
    "clutter": "BC",
    "low_contrast": "LC",
    "small_target": "LR",
    "camera_motion": "CM",
    "articulated": "ART",
    "composite": "CMP",
    "attached": "ATT",
    "noise": "NO",
    "jpeg": "JA",
}


@dataclass(frozen=True, kw_only=True)
class ClipTruth:
    """One object over the T frames of a clip; boxes are xywh in px, pixel (0, 0) covering [0, 1) x [0, 1).

    Attributes:
        amodal: box of the whole object, also of what is hidden or outside the frame, ``(T, 4)``.
        visible: box of the pixels more than half covered by it, 0 0 0 0 where there are none, ``(T, 4)``.
        inside_ratio: share of the object's area inside the frame, ``(T,)``.
        visible_ratio: share of its area that is seen, ``(T,)``.
    """

    amodal: Array
    visible: Array
    inside_ratio: Array
    visible_ratio: Array

    @property
    def out_of_view(self) -> NDArray[np.bool_]:
        """Less than `OUT_OF_VIEW_BELOW` of the object is inside the frame, ``(T,)``."""
        return self.inside_ratio < OUT_OF_VIEW_BELOW

    @property
    def full_occlusion(self) -> NDArray[np.bool_]:
        """Inside the frame, but less than `FULL_OCCLUSION_BELOW` of that part can be seen, ``(T,)``."""
        return ~self.out_of_view & (self.occlusion > 1.0 - FULL_OCCLUSION_BELOW)

    @property
    def occlusion(self) -> Array:
        """Share of the part inside the frame that something hides, ``(T,)``."""
        return np.clip(1.0 - self.visible_ratio / np.maximum(self.inside_ratio, 1e-6), 0.0, 1.0)

    @property
    def absent(self) -> NDArray[np.bool_]:
        """Out of view or fully hidden, ``(T,)``."""
        return self.out_of_view | self.full_occlusion

    def clipped(self, size: tuple[int, int]) -> Array:
        """The amodal boxes cut to a frame of (width, height), 0 0 0 0 where nothing is left, ``(T, 4)``."""
        low = np.clip(self.amodal[:, :2], 0.0, np.array(size))
        high = np.clip(self.amodal[:, :2] + self.amodal[:, 2:], 0.0, np.array(size))
        boxes = np.concatenate((low, high - low), axis=1)
        return boxes * (boxes[:, 2:] > 0.0).all(axis=1, keepdims=True)


def attributes(scene: Scene, truth: ClipTruth, first: int = 0) -> dict[str, bool]:
    """Which of `ATTRIBUTES` a clip shows, measured on it where they can be.

    Args:
        scene: what was drawn.
        truth: the target's truth over the clip.
        first: the clip's first frame in the scene.
    """
    body, track = scene.actors[scene.target].body, scene.actors[scene.target].track
    frames = slice(first, first + len(truth.amodal))
    side = np.sqrt(truth.amodal[:, 2:].prod(axis=1))
    aspect = truth.amodal[:, 2] / np.maximum(truth.amodal[:, 3], 1e-6)
    centre = truth.amodal[:, :2] + truth.amodal[:, 2:] / 2.0
    way = np.hypot(*np.diff(centre, axis=0).T) if len(side) > 1 else np.zeros(1)  # px per frame
    step = way / np.maximum(side[: len(way)], 1e-6)
    hidden = truth.occlusion[~truth.out_of_view]
    angle, gain = track.angle[frames], scene.sensor.gain[frames]
    swings = body.swing > 0.0 and any(part.swing != 0.0 for part in body.parts)
    camera = scene.camera
    moved = np.hypot(*np.diff(camera.centre[frames], axis=0).T) if len(side) > 1 else np.zeros(1)
    return {
        "illumination": bool(gain.max() / gain.min() > 1.25 or scene.backdrop.shadows),
        "scale": bool(side.max() / side.min() > 1.3),
        "partial_occlusion": bool((hidden > 0.15).any()),
        "full_occlusion": bool(truth.full_occlusion.any()),
        "deformation": body.bend != (0.0, 0.0),
        "motion_blur": bool(scene.sensor.shutter * way.max() > 1.5),
        "fast_motion": bool(step.max() > 0.2),
        "rotation": bool(np.ptp(angle) > 0.25),
        "aspect": bool(aspect.max() / aspect.min() > 1.3),
        "out_of_view": bool(truth.out_of_view.any()),
        "partly_out": bool((truth.inside_ratio < 0.9).any()),
        "distractors": any(actor.role == "distractor" for actor in scene.actors),
        "clutter": scene.backdrop.cluttered,
        "low_contrast": scene.intended["low_contrast"],
        "small_target": bool(side.min() < 0.1 * min(scene.size)),
        "camera_motion": bool(moved.max() > 1.0 or np.abs(camera.shake[frames, :2]).max() > 1.0),
        "articulated": swings,
        "composite": len(body.parts) > 1,
        "attached": any(actor.role == "carrier" for actor in scene.actors),
        "noise": scene.sensor.noise > 0.02,
        "jpeg": scene.sensor.quality < 65,
    }
