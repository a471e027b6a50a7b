"""Convert annotations of other programs to ours: MOT, decimal commas, polygons, UTF-16, tables of Excel."""

import csv
import io
import os
import re
import shutil
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from ebm.exceptions import InputError
from ebm.files import write_atomic
from ebm.outputs import Output, require_outputs
from ltr.dataset.foreign import commas_mixed, decimal_reading, fields_of, is_mot, numbers_of
from ltr.dataset.listed import list_images
from ltr.dataset.own_folders import BOX_FILES

__all__ = ["convert"]

_IMAGE_FOLDERS = ("img1", "img", "images", "frames")


def convert(source: Path, out: Path, images: Path | None = None, copy: bool = False) -> str:
    """Write annotations of another program anew as ours; what they are is found out.

    Args:
        source: MOT's ``gt.txt`` (every target becomes a folder of a video); a text of boxes with decimal
            commas or of polygons, also in UTF-16; a table separated by semicolons or tabs.
        out: a new folder for MOT, otherwise a new file. Never one that is there.
        images: for MOT the folder of its pictures; None: ``img1``, ``img``, ``images``, ``frames`` beside it.
        copy: copy pictures instead of linking to them.

    Returns:
        What was written, and how to use it, for the user.

    Raises:
        InputError: if the source is nothing of the kind, naming its line; if `out` is there already, lies
            in the folder of pictures, or cannot be written.
    """
    if out.exists() or out.is_symlink():
        raise InputError(f"{out} is there already; give a new name, so that nothing is overwritten.")
    lines = _decoded(source).rstrip().splitlines()
    if not lines:
        raise InputError(f"{source} is empty; there is nothing to convert.")
    if is_mot(_numbers(lines[0])):
        return _convert_mot(source, lines, out, images or _images_beside(source), copy)
    if images is not None or copy:
        raise InputError(f"--images and --copy go with MOT's gt.txt, which {source} is not.")
    if lines[0].lstrip().startswith(("{", "<")):
        write_atomic(out, "\n".join(lines) + "\n")
        return f"{out}: the text of {source} in UTF-8, otherwise as it was."
    if _names_columns(lines[0]):
        return _convert_table(source, lines, out)
    rows = [_box(source, number, line) for number, line in enumerate(lines, start=1)]
    write_atomic(out, "".join(f"{','.join(f'{value:.10g}' for value in row)}\n" for row in rows))
    return f"{out}: {len(rows)} boxes x,y,w,h. The first is {', '.join(f'{value:g}' for value in rows[0])}."


def _names_columns(line: str) -> bool:
    """Whether a line is the head of a table: several fields, some in letters, and none of them a number.

    A row of boxes with ``nan`` in it, or a damaged row, has letters too, and numbers beside them.
    """
    fields = re.split("[;\t,]", line)
    letters = re.search(r"[A-Za-z_]{3}", line) is not None
    return len(fields) > 1 and letters and all(numbers_of([field.strip()]) is None for field in fields)


def _decoded(source: Path) -> str:
    """The text of a file in UTF-8 or, where its first bytes say so, UTF-16."""
    try:
        data = source.read_bytes()
        encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
        return data.decode(encoding)
    except OSError as error:
        raise InputError(f"{source} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{source} is no text in UTF-8 or UTF-16 ({error.reason}).") from error


def _numbers(line: str) -> list[float]:
    """The numbers of a line of plain numbers; empty for any other."""
    return numbers_of(line.strip().split(",")) or []


def _box(source: Path, number: int, line: str) -> list[float]:
    """A row as x, y, w, h: four numbers with points or commas, or the box around a polygon."""
    plain, decimal = numbers_of(fields_of(line)), decimal_reading(line)
    values = decimal if decimal is not None and len(decimal) in (4, 8) else plain
    if values is not None and len(values) == 8:
        xs, ys = values[::2], values[1::2]
        return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
    if values is None or len(values) != 4 or (decimal != values and commas_mixed(line)):
        raise InputError(
            f"{source}, line {number}: {line.strip()!r} is neither four numbers, with decimal points or "
            "commas, nor the eight of a polygon. Nothing was written."
        )
    return values


def _convert_table(source: Path, lines: list[str], out: Path) -> str:
    """A table with its columns separated by semicolons or tabs, as one with commas and decimal points."""
    separator = max(";\t,", key=lines[0].count)
    rows = list(csv.reader(lines, delimiter=separator))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    for number, row in enumerate(rows, start=1):
        if row and len(row) != len(rows[0]):
            raise InputError(
                f"{source}, line {number}: {len(row)} columns, the first line has {len(rows[0])}. Nothing "
                "was written."
            )
        writer.writerow([re.sub(r"^\s*(-?\d+),(\d+)\s*$", r"\1.\2", cell) for cell in row])
    write_atomic(out, stream.getvalue())
    return f"{out}: a table of {len(rows) - 1} rows, with commas and decimal points."


def _images_beside(source: Path) -> Path:
    """The pictures of a ``gt.txt``: beside it, or beside its folder."""
    for folder in (source.parent, source.parent.parent):
        for name in _IMAGE_FOLDERS:
            if (folder / name).is_dir():
                return folder / name
    raise InputError(f"no folder of pictures beside {source}; name it with --images DIR.")


@dataclass
class _Target:
    """One identity of a MOT file: frame -> box, and the frames in which it is hidden."""

    boxes: dict[int, list[float]] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)


def _targets(source: Path, lines: list[str]) -> tuple[dict[int, _Target], int]:
    """The targets of a MOT file, and how many rows are marked as not to be considered."""
    targets: dict[int, _Target] = defaultdict(_Target)
    ignored = 0
    for number, line in enumerate(lines, start=1):
        values = _numbers(line)
        if not is_mot(values):
            raise InputError(
                f"{source}, line {number}: {line.strip()!r} is no row frame,id,x,y,w,h,... of MOT."
            )
        frame, identity = int(values[0]), int(values[1])
        if len(values) > 6 and values[6] == 0:
            ignored += 1
            continue
        if frame in targets[identity].boxes:
            raise InputError(f"{source}, line {number}: target {identity} has a second box in frame {frame}.")
        targets[identity].boxes[frame] = values[2:6]
        if len(values) > 8 and values[7] >= 0 and values[8] == 0:
            targets[identity].hidden.add(frame)
    if not any(target.boxes for target in targets.values()):
        raise InputError(f"{source} has no target to consider: all {ignored} rows carry the flag 0.")
    return {key: target for key, target in sorted(targets.items()) if target.boxes}, ignored


def _numbered(images: Path) -> dict[int, Path]:
    """The pictures of a folder by their number."""
    found: dict[int, Path] = {}
    for name in list_images(images):
        digits = re.search(r"(\d+)\D*$", Path(name).stem)
        if digits is not None:
            if int(digits[1]) in found:
                raise InputError(
                    f"{images}: {found[int(digits[1])].name} and {name} are both number {digits[1]}."
                )
            found[int(digits[1])] = images / name
    return found


def _convert_mot(source: Path, lines: list[str], out: Path, images: Path, copy: bool) -> str:
    """A folder for each target: its frames from first to last, and a box or a row of zeros for each."""
    require_outputs([Output(name="--out", path=out, folder=True)], {"the folder of pictures": images})
    targets, ignored = _targets(source, lines)
    numbered = _numbered(images)
    needed = {frame for target in targets.values() for frame in target.boxes}
    missing = sorted(needed - numbered.keys())
    if missing:
        raise InputError(
            f"{images} lacks the pictures of {len(missing)} frames of {source}, first number {missing[0]}."
        )
    video = next(part for part in (images.parent.name, images.name, "video") if part)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as part:
            made = Path(part) / out.name
            for identity, target in targets.items():
                _write_target(made / f"{video}-{identity:02d}", target, numbered, copy)
            made.rename(out)
    except OSError as error:
        raise InputError(
            f"{out} cannot be written ({error.strerror or error}). Choose another place."
        ) from error
    left = f"; {ignored} rows with the flag 0 were left out" if ignored else ""
    boxes = sum(len(target.boxes) for target in targets.values())
    return f"{out}: {len(targets)} targets, {boxes} boxes{left}.\nuse it: folder:{out}"


def _write_target(folder: Path, target: _Target, numbered: dict[int, Path], copy: bool) -> None:
    (folder / "img").mkdir(parents=True)
    frames = range(min(target.boxes), max(target.boxes) + 1)
    there = [frame for frame in frames if frame in numbered]
    for frame in there:
        picture = numbered[frame].resolve()
        place = folder / "img" / f"{frame:08d}{picture.suffix.lower()}"
        if copy:
            shutil.copyfile(picture, place)
        else:
            os.symlink(picture, place)
    rows = (target.boxes.get(frame, [0.0] * 4) for frame in there)
    (folder / BOX_FILES[0]).write_text("".join(f"{','.join(f'{v:.10g}' for v in row)}\n" for row in rows))
    if target.hidden:
        flags = "\n".join(str(int(frame in target.hidden)) for frame in there)
        (folder / "full_occlusion.txt").write_text(flags + "\n")
