"""What a generated scene may contain: every attribute is a range or a probability of one frozen dataclass."""

from dataclasses import dataclass, fields, replace

from ebm.exceptions import DomainError

__all__ = ["FOCUS", "TEST_SCENE", "TRAIN_SCENE", "Range", "SceneConfig"]

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class SceneConfig:
    """Ranges are drawn uniformly (sizes and speeds log-uniformly); names in ``p_`` are probabilities.

    "Target size" is sqrt(width * height) of the target's amodal box; "per frame" is per frame of video.

    Raises:
        DomainError: a probability outside [0, 1], an empty or reversed range, or no frame size.
    """

    frame_sizes: tuple[tuple[int, int], ...] = ((320, 240), (320, 240), (352, 240), (288, 288), (256, 320))
    length: tuple[int, int] = (20, 30)  # frames
    # target
    target_size: Range = (0.11, 0.34)  # of the frame's short side
    p_small: float = 0.18
    small_size: Range = (0.065, 0.11)  # of the frame's short side
    bodies: tuple[tuple[str, float], ...] = (  # relative frequency of each kind of target
        ("person", 0.26),
        ("vehicle", 0.17),
        ("animal", 0.1),
        ("bird", 0.06),
        ("face", 0.08),
        ("ball", 0.06),
        ("simple", 0.14),
        ("composite", 0.13),
    )
    p_low_contrast: float = 0.2
    low_contrast: Range = (0.45, 0.68)  # share of the background's mean colour mixed into the target
    p_grey: float = 0.07  # the whole video without colour
    p_attached: float = 0.12  # the target is a part of something larger that moves with it
    # motion, in target sizes per frame
    speed: Range = (0.008, 0.07)
    p_fast: float = 0.18
    fast_speed: Range = (0.08, 0.25)
    p_sudden: float = 0.3
    sudden_rate: float = 0.06  # sudden changes of velocity per frame
    max_step: float = 0.6
    p_scale: float = 0.55
    scale_ratio: Range = (1.15, 2.0)  # largest against first size, or first against smallest
    p_aspect: float = 0.3
    aspect_ratio: Range = (1.1, 1.5)
    p_rotation: float = 0.4
    rotation: Range = (0.1, 0.9)  # rad, largest in-plane turn from the first frame
    p_deformation: float = 0.35
    deformation: Range = (0.04, 0.16)  # amplitude of the bending waves, of the half size
    swing: Range = (0.15, 0.75)  # rad, limbs
    # camera
    p_pan: float = 0.55
    pan: Range = (0.3, 5.0)  # px per frame at a short side of 240
    p_zoom: float = 0.3
    zoom: Range = (1.05, 1.35)
    p_roll: float = 0.2
    roll: Range = (0.02, 0.16)  # rad
    p_shake: float = 0.35
    shake: Range = (0.3, 2.5)  # px, standard deviation
    # surroundings
    clutter: tuple[int, int] = (0, 12)  # still objects painted into the background
    decor: tuple[int, int] = (2, 10)  # regions, buildings, lines
    p_distractors: float = 0.5
    distractors: tuple[int, int] = (1, 3)
    p_identical: float = 0.35  # a distractor looks exactly like the target
    p_companion: float = 0.5  # a distractor stays near the target
    p_occluder: float = 0.38
    occluder_size: Range = (0.5, 1.6)  # width, of the target's
    occlusion_frames: Range = (4.0, 16.0)  # length of a crossing
    p_out_of_view: float = 0.1
    p_partly_out: float = 0.15  # the target may cross the border of the frame
    # light and sensor
    p_illumination: float = 0.3
    gain: Range = (1.2, 1.9)  # largest change of brightness within a video, as a factor
    gamma: Range = (0.8, 1.3)
    p_shadow: float = 0.35
    shadow: Range = (0.3, 0.75)  # brightness inside a cast shadow
    p_blur: float = 0.3
    shutter: Range = (0.3, 0.9)  # share of the frame time the shutter is open
    p_soft: float = 0.5
    noise: Range = (0.0, 0.035)  # standard deviation, of full scale
    jpeg_quality: tuple[int, int] = (55, 95)
    p_texture: float = 0.6  # use of the user's photographs, where given

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.startswith("p_") and not 0.0 <= value <= 1.0:
                raise DomainError(f"SceneConfig.{field.name} = {value}: a probability lies in [0, 1].")
            if (
                isinstance(value, tuple)
                and len(value) == 2
                and not isinstance(value[0], tuple)
                and value[0] > value[1]
            ):
                raise DomainError(f"SceneConfig.{field.name} = {value}: the lower end exceeds the upper.")
        if not self.frame_sizes or min(min(size) for size in self.frame_sizes) < 32:
            raise DomainError(
                f"SceneConfig.frame_sizes = {self.frame_sizes}: at least one, each 32 px or more a side."
            )
        if self.length[0] < 1:
            raise DomainError(f"SceneConfig.length = {self.length}: a video has at least one frame.")


TRAIN_SCENE = SceneConfig()
TEST_SCENE = replace(
    TRAIN_SCENE,
    length=(60, 80),
    p_small=0.0,
    p_fast=0.0,
    p_low_contrast=0.0,
    p_out_of_view=0.0,
    p_partly_out=0.0,
    p_occluder=0.2,
    p_distractors=0.3,
    p_blur=0.1,
    p_illumination=0.1,
)

# What a test sequence may be about: the difference to TEST_SCENE. The rest is left to chance.
FOCUS: dict[str, dict[str, float | Range | tuple[int, int]]] = {
    "plain": {"p_occluder": 0.0, "p_distractors": 0.0},
    "occlusion": {"p_occluder": 1.0},
    "scale": {"p_scale": 1.0, "scale_ratio": (1.6, 2.2)},
    "distractors": {"p_distractors": 1.0, "p_identical": 0.7, "p_companion": 0.8, "distractors": (2, 4)},
    "fast_motion": {"p_fast": 1.0},
    "deformation": {"p_deformation": 1.0, "deformation": (0.1, 0.2)},
    "rotation": {"p_rotation": 1.0, "rotation": (0.6, 1.6)},
    "illumination": {"p_illumination": 1.0, "p_shadow": 1.0, "gain": (1.5, 2.2)},
    "low_contrast": {"p_low_contrast": 1.0},
    "camera_motion": {"p_pan": 1.0, "pan": (3.0, 6.0), "p_shake": 1.0, "shake": (1.5, 3.0), "p_roll": 1.0},
    "motion_blur": {"p_blur": 1.0, "shutter": (0.7, 1.0), "p_fast": 1.0},
    "small": {"p_small": 1.0, "small_size": (0.06, 0.095)},
    "clutter": {"clutter": (20, 30), "decor": (8, 12)},
    "partly_out": {"p_partly_out": 1.0},
    "noise": {"noise": (0.04, 0.07), "jpeg_quality": (25, 45)},
    "out_of_view": {"p_out_of_view": 1.0},
}
