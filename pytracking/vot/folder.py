"""The toolkit's folder protocol, and the files of the first VOT challenges: a folder in, a folder out.

0.8 and later: ``frames_color.txt`` lists image files, ``query_ID.txt`` holds the frame number in which an
object begins, counted from 0, and its region; ``output_ID.txt`` is written, a region or ``0`` a line, and
``output_ID_confidence.txt``. Before TraX: ``images.txt``, ``region.txt`` with one region, and ``output.txt``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ebm.exceptions import InputError
from ebm.files import write_atomic
from ebm.number_texts import parse_whole
from pytracking.vot.follower import Answer, Follower, color_file
from pytracking.vot.regions import Box, PolygonRule, as_text, box_of_text

__all__ = ["Query", "is_task", "run_folder"]

_BEFORE_TRAX = ("images.txt", "region.txt")


@dataclass(frozen=True)
class Query:
    """An object to follow: its id, the frame in which it begins, counted from 0, and its box there."""

    name: str
    offset: int
    box: Box


def is_task(folder: Path) -> bool:
    """Whether a folder holds what either protocol asks with."""
    return any(folder.glob("frames_*.txt")) or all((folder / name).is_file() for name in _BEFORE_TRAX)


def run_folder(folder: Path, follower: Follower) -> int:
    """Follow what a folder asks for, and write the answers into it.

    Args:
        folder: of the toolkit.
        follower: with its network loaded.

    Returns: the number of frames.

    Raises:
        EBMError: if a file is missing or is not as it should be, or a frame cannot be read; nothing is
            written.
    """
    rule = follower.options.polygon
    if any(folder.glob("frames_*.txt")):
        frames, queries = _frames(folder), _queries(folder, rule)
        answers = _follow(frames, queries, follower)
        for query in queries:
            _write(folder / f"output_{query.name}.txt", _texts(answers[query.name]))
            scores = [f"{a.score if a else 0:.6f}" for a in answers[query.name]]
            _write(folder / f"output_{query.name}_confidence.txt", scores)
        return len(frames)
    images, region = (folder / name for name in _BEFORE_TRAX)
    if not (images.is_file() and region.is_file()):
        raise InputError(
            f"{folder} holds neither frames_color.txt and query_*.txt nor images.txt and region.txt: the "
            "toolkit starts this program in a folder with them. To track by hand, see 'ebmtrack video'."
        )
    frames = _listed(images)
    (text,) = _lines(region)[:1] or [""]
    only = Query("", 0, _box_in(region, text, rule))
    answers = _follow(frames, [only], follower)
    _write(folder / "output.txt", _texts(answers[""]))
    return len(frames)


def _follow(
    frames: Sequence[Path], queries: Sequence[Query], follower: Follower
) -> Mapping[str, list[Answer | None]]:
    """The answers of every frame for every object, None before it begins."""
    ordered = sorted(queries, key=lambda query: query.offset)
    late = [query.name for query in ordered if query.offset >= len(frames)]
    if late:
        raise InputError(f"Object {late[0]} begins behind the last of {len(frames)} frames.")
    answers: dict[str, list[Answer | None]] = {query.name: [] for query in ordered}
    for number, frame in enumerate(frames):
        new = [query.box for query in ordered if query.offset == number]
        found = follower.go_on(frame, new) if number else follower.start(frame, new)
        for place, query in enumerate(ordered):
            answers[query.name].append(found[place] if query.offset <= number else None)
    return answers


def _frames(folder: Path) -> list[Path]:
    channels = {path.stem.removeprefix("frames_"): str(path) for path in folder.glob("frames_*.txt")}
    return _listed(Path(color_file(channels)))


def _listed(path: Path) -> list[Path]:
    """Image files that a file lists, relative to its folder."""
    frames = [path.parent / line for line in _lines(path)]
    if not frames:
        raise InputError(f"{path} lists no images.")
    return frames


def _queries(folder: Path, rule: PolygonRule) -> list[Query]:
    paths = sorted(folder.glob("query_*.txt"))
    if not paths:
        raise InputError(f"{folder} lists frames, but holds no query_*.txt that says what to follow.")
    return [_query(path, rule) for path in paths]


def _query(path: Path, rule: PolygonRule) -> Query:
    lines = _lines(path)
    offset = parse_whole(lines[0]) if lines else None
    if offset is None or len(lines) < 2:
        raise InputError(
            f"{path}: first the number of a frame from 0, then a region is expected; got {lines[:2]}."
        )
    return Query(path.stem.removeprefix("query_"), offset, _box_in(path, lines[1], rule))


def _box_in(path: Path, text: str, rule: PolygonRule) -> Box:
    try:
        return box_of_text(text, rule)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _lines(path: Path) -> list[str]:
    """The lines that are not blank."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8: {error}.") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _texts(answers: Sequence[Answer | None]) -> list[str]:
    return [as_text(None if answer is None else answer.box) for answer in answers]


def _write(path: Path, lines: Sequence[str]) -> None:
    write_atomic(path, "\n".join([*lines, ""]))
