"""What the tasks' commands say of them before anything heavy is imported."""

from dataclasses import dataclass

__all__ = ["AGE_WORDS", "POSE_WORDS", "Words"]


@dataclass(frozen=True, kw_only=True)
class Words:
    """A task in words.

    Attributes:
        name: of the command.
        home: the module whose ``TASK`` it is.
        targets: D names.
        unit: of the targets.
        full_size: side of the pictures of the papers' recipe, px.
        angles: whether targets are angles.
        layouts: what folders may hold.
    """

    name: str
    home: str
    targets: tuple[str, ...]
    unit: str
    full_size: int
    angles: bool
    layouts: str


AGE_WORDS = Words(
    name="age",
    home="ebm.tasks.images.age",
    targets=("age",),
    unit="years",
    full_size=200,
    angles=False,
    layouts="a folder with images/, train.csv and test.csv (columns filename, age); "
    "or UTKFace's pictures with the CORAL csv files (names with 'train' and 'test') beside or in them; "
    "or UTKFace's pictures alone, a fifth of which, by lot, is then the test",
)
POSE_WORDS = Words(
    name="pose",
    home="ebm.tasks.images.pose",
    targets=("yaw", "pitch", "roll"),
    unit="degrees",
    full_size=64,
    angles=True,
    layouts="a folder with FSA-Net's BIWI_train.npz and BIWI_test.npz; or its type1/ with archives of "
    "300W-LP and AFLW2000.npz; or folders 300W_LP/ and AFLW2000/ of pictures with .mat files (needs SciPy)",
)
