"""Carries out a plan: all of it, or, where something fails on the way, none of it."""

from pathlib import Path

from plugin_changes import Plan
from plugin_errors import PluginError
from plugin_manifest import MANIFEST, part_of, write_atomic

__all__ = ["apply"]


def apply(clone: Path, plan: Plan) -> None:
    """Carry out `plan`; what a failure or Ctrl-C finds done already is taken back before it is raised.

    The record is written first, so that a run that is killed can be undone by ``--uninstall``.

    Raises:
        OSError: if a change fails; the clone is as it was.
        PluginError: if taking back fails too; says which files.
    """
    journal = Journal()
    try:
        _carry_out(clone, plan, journal)
    except BaseException as error:
        left = journal.restore()
        if left:
            raise PluginError(
                f"{error}; and these could not be put back: {', '.join(left)}. Mend the cause and run the "
                "same command again, or --uninstall."
            ) from error
        raise


class Journal:
    """What files and folders were before they were changed."""

    def __init__(self) -> None:
        self._files: list[tuple[Path, bytes | None, int]] = []
        self._made: list[Path] = []
        self._removed: list[Path] = []

    def write(self, file: Path, content: bytes) -> None:
        """Write a file and the folders above it."""
        missing = [folder for folder in file.parents if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir()
            self._made.append(folder)
        self.keep(file)
        write_atomic(file, content)

    def remove(self, file: Path) -> None:
        """Remove a file, if it is there."""
        self.keep(file)
        file.unlink(missing_ok=True)

    def remove_folder(self, folder: Path) -> None:
        """Remove a folder, if it is there and empty."""
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            self._removed.append(folder)

    def keep(self, file: Path) -> None:
        """Note what `file` is, before it is changed."""
        present = file.is_file()
        self._files.append(
            (file, file.read_bytes() if present else None, file.stat().st_mode if present else 0)
        )

    def restore(self) -> list[str]:
        """Put everything back, newest change first; returns what could not be."""
        left: list[str] = []
        for folder in reversed(self._removed):
            folder.mkdir(exist_ok=True)
        for file, content, mode in reversed(self._files):
            if left and file.name == MANIFEST:
                continue  # --uninstall needs the record of what is still there
            try:
                _put_back(file, content, mode)
            except OSError as error:
                left.append(f"{file} ({error})")
        for folder in reversed(self._made):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        return left


def _put_back(file: Path, content: bytes | None, mode: int) -> None:
    if content is None:
        file.unlink(missing_ok=True)
    elif not file.is_file() or file.read_bytes() != content:
        write_atomic(file, content)
        file.chmod(mode)


def _carry_out(clone: Path, plan: Plan, journal: Journal) -> None:
    if plan.before is not None:
        journal.write(clone / MANIFEST, plan.before.content())
        for path in (*plan.before.files, *plan.before.blocks):
            part_of(clone / path).unlink(missing_ok=True)
    for path, content in plan.write.items():
        journal.write(clone / path, content)
    for path in plan.remove:
        journal.remove(clone / path)
        _remove_bytecode(clone / path)
    for folder in plan.rmdir:
        journal.remove_folder(clone / folder)
    if plan.after is None:
        journal.remove(clone / MANIFEST)
    else:
        journal.write(clone / MANIFEST, plan.after.content())


def _remove_bytecode(file: Path) -> None:
    """Remove what Python compiled from a removed file, and the cache folder where nothing else is in it."""
    cache = file.parent / "__pycache__"
    for compiled in cache.glob(f"{file.stem}.*.pyc"):
        compiled.unlink()
    if cache.is_dir() and not any(cache.iterdir()):
        cache.rmdir()
