"""The record of what was added to a clone, kept in the clone."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from plugin_errors import PluginError

__all__ = ["MANIFEST", "Manifest", "digest", "part_of", "read_manifest", "write_atomic"]

MANIFEST = ".ebmtrack_plugin.json"
FORMAT = 1


@dataclass
class Manifest:
    """What was added.

    Attributes:
        files: path -> SHA-256 of the contents that are ours; several while an update is under way.
        blocks: path -> the bytes that were put into a file of the clone, as text.
        folders: folders that were made, outermost first.
    """

    files: dict[str, list[str]] = field(default_factory=dict)
    blocks: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)

    def content(self) -> bytes:
        """The record as it is stored."""
        return (json.dumps({"format": FORMAT, **asdict(self)}, indent=1, sort_keys=True) + "\n").encode()


def read_manifest(clone: Path) -> Manifest | None:
    """The record in `clone`, None where there is none.

    Raises:
        PluginError: if the file cannot be understood.
    """
    file = clone / MANIFEST
    if not file.exists():
        return None
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
        if value["format"] != FORMAT:
            raise PluginError(
                f"{file} has format {value['format']!r}, this installer knows {FORMAT}. "
                "Uninstall with the version of EBMTrack that installed it."
            )
        paths = [*value["files"], *value["blocks"], *value["folders"]]
        outside = [path for path in paths if path.startswith("/") or ".." in path.split("/")]
        if outside:
            raise ValueError(f"{outside[0]} is outside the clone")
        return Manifest(value["files"], value["blocks"], value["folders"])
    except (ValueError, KeyError, TypeError) as error:
        raise PluginError(
            f"{file} is damaged ({error}). Restore it, or delete the added files by hand and then this file."
        ) from error


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def part_of(file: Path) -> Path:
    """What `file` is called while it is written; a run that is cut off leaves it."""
    return file.with_name(file.name + ".ebmtrack_part")


def write_atomic(file: Path, content: bytes) -> None:
    """Write `file` whole or not at all; an existing file keeps its permissions."""
    part = part_of(file)
    try:
        part.write_bytes(content)
        if file.exists():
            part.chmod(file.stat().st_mode)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
