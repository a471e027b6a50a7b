"""A short sequence in the toolkit's own layout, cut from a given one or drawn."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ebm.exceptions import InputError
from pytracking.vot.regions import Box, as_text, box_of_text

__all__ = ["ShortSequence", "draw_sequence", "shorten"]

_SIZE = 240, 320  # of drawn frames, px
_DRAWN = {"1": (60.0, 80.0, 48.0, 40.0, 3.0), "2": (200.0, 120.0, 40.0, 56.0, -2.0)}  # x, y, w, h, px a frame


@dataclass(frozen=True, kw_only=True)
class ShortSequence:
    """A sequence in the toolkit's layout.

    Attributes:
        name: of its folder.
        frames: how many.
        truth: id of an object (empty if there is one alone) -> its region in every frame, as text.
    """

    name: str
    frames: int
    truth: dict[str, list[str]]

    @property
    def starts_from_mask(self) -> bool:
        """Whether an object is given by a mask."""
        return any(line.startswith("m") for lines in self.truth.values() for line in lines)

    def boxes(self, target: str) -> list[Box | None]:
        """The smallest box around an object in every frame; None where it is not annotated."""
        return [_box(line) for line in self.truth[target]]


def shorten(source: Path, target: Path, frames: int) -> ShortSequence:
    """Copy the first frames of a sequence in VOT's layout to ``target/<name>``.

    Raises:
        InputError: if it has no ``color`` images or annotation, or too few frames.
    """
    from ebm.images.listing import image_names

    images = _images(source)
    names = image_names(images) if images.is_dir() else []
    truth = {path.stem.removeprefix("groundtruth_"): path for path in source.glob("groundtruth_*.txt")}
    if not truth and (source / "groundtruth.txt").is_file():
        truth = {"": source / "groundtruth.txt"}
    if not names or not truth:
        raise InputError(
            f"{source} is no sequence in VOT's layout: color/00000001.jpg and so on, and groundtruth.txt or "
            "groundtruth_ID.txt, are expected."
        )
    lines = {name: path.read_text(encoding="utf-8").split()[:frames] for name, path in truth.items()}
    count = min([len(names), frames, *map(len, lines.values())])
    if count < 2:
        raise InputError(f"{source} has {count} annotated frames; at least 2 are needed.")
    folder = target / source.resolve().name
    (folder / "color").mkdir(parents=True)
    suffix = Path(names[0]).suffix
    for number, name in enumerate(names[:count], start=1):
        shutil.copyfile(images / name, folder / "color" / f"{number:08d}{suffix}")
    return _written(folder, {name: texts[:count] for name, texts in lines.items()}, suffix)


def draw_sequence(target: Path, frames: int) -> ShortSequence:
    """Draw two textured patches that move over a texture to ``target/drawn``."""
    import cv2

    folder = target / "drawn"
    (folder / "color").mkdir(parents=True)
    rng = np.random.default_rng(0)
    ground = _texture(rng, *_SIZE)
    patches = {name: _texture(rng, int(h), int(w)) for name, (_, _, w, h, _) in _DRAWN.items()}
    truth: dict[str, list[str]] = {name: [] for name in _DRAWN}
    for number in range(frames):
        image = ground.copy()
        for name, (x, y, w, h, speed) in _DRAWN.items():
            left, top = int(x + speed * number), int(y)
            image[top : top + int(h), left : left + int(w)] = patches[name]
            truth[name].append(as_text((left, top, w, h)))
        cv2.imwrite(str(folder / "color" / f"{number + 1:08d}.jpg"), image)
    return _written(folder, truth, ".jpg")


def _texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Blocks of random colours, uint8 ``[H, W, 3]``."""
    coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return coarse.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]


def _images(source: Path) -> Path:
    """The folder of the color channel."""
    facts = source / "sequence"
    text = facts.read_text(encoding="utf-8") if facts.is_file() else ""
    found = re.search(r"^channels\.color=(.+)$", text, re.MULTILINE)
    pattern = found[1].strip() if found else "color/%08d.jpg"
    path = source / pattern
    return path.parent if "%" in path.name else path


def _written(folder: Path, truth: dict[str, list[str]], suffix: str) -> ShortSequence:
    for name, lines in truth.items():
        file = f"groundtruth_{name}.txt" if name else "groundtruth.txt"
        (folder / file).write_text("\n".join([*lines, ""]), encoding="utf-8")
    facts = f"channels.color=color/%08d{suffix}\nfps=30\nformat=default\nname={folder.name}\n"
    (folder / "sequence").write_text(facts, encoding="utf-8")
    (folder.parent / "list.txt").write_text(f"{folder.name}\n", encoding="utf-8")
    return ShortSequence(name=folder.name, frames=len(next(iter(truth.values()))), truth=truth)


def _box(text: str) -> Box | None:
    try:
        return box_of_text(text, "union")
    except InputError:  # not annotated in this frame
        return None
