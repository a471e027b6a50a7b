"""Head poses from files: FSA-Net's archives of BIWI, 300W-LP and AFLW2000, and the pictures themselves."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebm.exceptions import InputError
from ebm.extras import explain_missing
from ebm.images.labelled import Fault, Labelled, refuse
from ebm.images.reading import Frame, require_pillow
from ebm.integrity.array_archives import read_array_archive

__all__ = ["ANGLES", "crop_of", "frames_of_archive", "joined", "pictures_with_mat", "sequences"]

ANGLES = ("yaw", "pitch", "roll")
# FSA-Net leaves out what is turned further, of 300W-LP; its classes end before.
WIDEST = 99.0
# Of a face's landmarks, on each side of their box: what FSA-Net keeps around a detected face.
MARGIN = 0.4
# Frames of one video follow each other smoothly; a jump beyond this, in degrees, begins another.
JUMP = 25.0


def frames_of_archive(path: Path, skip_broken: bool = False, widest: float | None = None) -> Labelled:
    """The frames of an archive of FSA-Net.

    ``image`` holds BGR pictures ``(N, S, S, 3)`` uint8, ``pose`` yaw, pitch and roll in degrees ``(N, 3)``.

    Args:
        path: ``BIWI_train.npz``, ``AFLW2000.npz`` or the like.
        skip_broken: leave out frames without finite angles.
        widest: leave out frames of which an angle is greater, as FSA-Net does of 300W-LP; None keeps all.

    Raises:
        InputError: if it is missing, damaged or another archive, or frames have no finite angles.
    """
    try:
        arrays = read_array_archive(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    for name in ("image", "pose"):
        if name not in arrays:
            raise InputError(f"{path} is no archive of FSA-Net: it has {', '.join(arrays)}, and no {name!r}.")
    images, pose = arrays["image"], arrays["pose"].astype(np.float64)
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
        raise InputError(f"{path}: image must be (N, S, S, 3) uint8, got {images.shape} {images.dtype}.")
    if pose.shape != (len(images), 3):
        raise InputError(f"{path}: pose must be (N={len(images)}, 3), got {pose.shape}.")
    names = [f"{path.name}[{k}]" for k in range(len(images))]
    frames = [Frame(name, np.ascontiguousarray(image[..., ::-1])) for name, image in zip(names, images)]
    return _checked(path.parent, frames, pose, skip_broken, widest)


def pictures_with_mat(folder: Path, skip_broken: bool = False, widest: float | None = None) -> Labelled:
    """Pictures beside ``.mat`` files of their names, as 300W-LP and AFLW2000 come; faces are cut out.

    ``Pose_Para`` begins with pitch, yaw and roll in radians; ``pt2d`` has landmarks ``(2, K)``, px.

    Args:
        folder: is looked through with all folders in it; those named ``Code`` and ``landmarks`` are not.
        skip_broken: leave out pictures that cannot be used.
        widest: as in `frames_of_archive`.

    Raises:
        InputError: if there are none, or some cannot be used.
        MissingPackageError: if SciPy is not installed, which reads the files.
    """
    files = [path for path in _pictures(folder) if path.with_suffix(".mat").is_file()]
    if not files:
        raise InputError(f"{folder} has no pictures with a .mat file of the same name beside them.")
    frames: list[Frame] = []
    angles: list[NDArray[np.float64]] = []
    faults: list[Fault] = []
    for place, path in enumerate(files):
        try:
            pose, points = _read_mat(path.with_suffix(".mat"))
            frame = Frame(str(path.relative_to(folder)), crop_of(path, points))
        except InputError as error:
            faults.append(Fault(place + 1, str(path.relative_to(folder)), str(error)))
            continue
        frames.append(frame)
        angles.append(pose)
    if faults and not skip_broken:
        raise refuse(faults, len(files))
    if not frames:
        raise InputError(f"no picture of {folder} is left. {faults[0]}")
    whole = _checked(folder, frames, np.array(angles), skip_broken, widest)
    return replace(whole, left_out=(*faults, *whole.left_out))


def crop_of(path: Path, points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The part of a picture around landmarks ``(2, K)``, with a margin; ``(H, W, 3)`` RGB.

    Raises:
        InputError: if the picture cannot be read, or the landmarks lie outside of it.
    """
    library = require_pillow()
    try:
        with library.open(path) as file:
            whole = file.convert("RGB")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be decoded ({error}); extract it again") from error
    low, high = points.min(1), points.max(1)
    low, high = low - MARGIN * (high - low), high + MARGIN * (high - low)
    box = np.concatenate((np.maximum(low, 0), np.minimum(high, whole.size)))
    if not np.isfinite(points).all() or (box[2:] - box[:2] < 8).any():
        size = f"{whole.size[0]} x {whole.size[1]} px"
        raise InputError(f"its landmarks lie outside of {path.name}, which is {size}")
    return np.asarray(whole.crop(tuple(box.round().astype(int).tolist())))


def sequences(pose: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number of the video that each frame is from, ``(N,)``, told by jumps of the angles ``(N, 3)``.

    FSA-Net's archives keep frames in their order, and do not say where a video ends.
    """
    jumps = (np.abs(np.diff(pose, axis=0)) > JUMP).any(1)
    return np.concatenate(([0], jumps.cumsum())).astype(np.int64)


def joined(parts: Sequence[Labelled]) -> Labelled:
    """Several sets as one; rows are numbered anew."""
    first = parts[0]
    names = tuple(name for part in parts for name in part.names)
    paths = tuple(path for part in parts for path in part.paths)
    y = np.concatenate([part.y for part in parts])
    left_out = tuple(fault for part in parts for fault in part.left_out)
    return Labelled(first.root, names, paths, y, first.targets, tuple(range(1, len(names) + 1)), left_out)


def _checked(
    root: Path, frames: Sequence[Frame], pose: NDArray[np.float64], skip_broken: bool, widest: float | None
) -> Labelled:
    names = tuple(frame.name for frame in frames)
    rows = tuple(range(1, len(names) + 1))
    whole = Labelled(root, names, tuple(frames), pose, ANGLES, rows)
    bad = np.flatnonzero(~np.isfinite(pose).all(1) | (np.abs(pose) > 180).any(1))
    faults = [
        Fault(rows[k], names[k], f"its angles are {pose[k].tolist()}, which are no degrees up to 180")
        for k in bad
    ]
    if faults and not skip_broken:
        raise refuse(faults, len(names))
    kept = whole.without(faults) if faults else whole
    if widest is not None:
        kept = kept.chosen(np.flatnonzero((np.abs(kept.y) <= widest).all(1)))
    return kept


def _pictures(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts[:-1]
        if path.suffix.lower() in (".jpg", ".jpeg", ".png") and not {"Code", "landmarks"} & set(inside):
            yield path


def _read_mat(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Yaw, pitch and roll in degrees ``(3,)``, and landmarks ``(2, K)``."""
    try:
        reader: Any = import_module("scipy.io")
    except ModuleNotFoundError as error:
        raise explain_missing("reading .mat files", "scipy") from error
    try:
        fields = reader.loadmat(path, variable_names=("Pose_Para", "pt2d"))
        pitch, yaw, roll = np.degrees(np.asarray(fields["Pose_Para"], dtype=np.float64).reshape(-1)[:3])
        points = np.asarray(fields["pt2d"], dtype=np.float64)
    except Exception as error:  # a reader of a foreign format fails in every way
        why = f"{type(error).__name__}: {error}"
        raise InputError(f"{path.name} has no pose ({why}); extract it again") from error
    if points.ndim != 2 or points.shape[0] != 2:
        raise InputError(f"{path.name} has landmarks of shape {points.shape}, expected (2, K)")
    return np.array([yaw, pitch, roll]), points
