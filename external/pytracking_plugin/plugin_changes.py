"""Which files of a clone are added, changed and removed: decided as a whole, before anything is done."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from plugin_blocks import find_block, insert_block, without_block
from plugin_errors import PluginError
from plugin_manifest import MANIFEST, Manifest, digest, part_of, read_manifest

__all__ = ["Plan", "plan_install", "plan_uninstall"]


@dataclass
class Plan:
    """Changes to a clone.

    Attributes:
        write: path -> content of files to write.
        remove: paths of files to remove.
        rmdir: folders to remove where they are empty, innermost first.
        before: record to keep while the changes are made.
        after: record to keep afterwards; None removes it.
        lines: one sentence per change.
        kept: one sentence per file that is left although it was asked to go.
    """

    write: dict[str, bytes] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)
    rmdir: list[str] = field(default_factory=list)
    before: Manifest | None = None
    after: Manifest | None = None
    lines: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    summary: str = ""


def plan_install(
    clone: Path, files: Mapping[str, bytes], blocks: Mapping[str, tuple[str, str]], force: bool
) -> Plan:
    """What brings `clone` to hold `files` and `blocks`, and nothing else of this plugin.

    Raises:
        PluginError: if a file is in the way that this plugin did not write, or one was edited since.
    """
    old = read_manifest(clone) or Manifest()
    plan, refused = Plan(before=Manifest(), after=Manifest()), []
    for path, content in files.items():
        refused += _plan_file(plan, clone, path, content, old.files.get(path, []), force)
    for path in old.files.keys() - files.keys():
        _plan_removal(plan, clone, path, old.files[path], force)
    for path, (text, place) in blocks.items():
        refused += _plan_block(plan, clone, path, text, place, old.blocks.get(path))
    for path in old.blocks.keys() - blocks.keys():
        _plan_block_removal(plan, clone, path, old.blocks[path], force)
    if refused:
        raise PluginError("nothing was changed, because of:\n  " + "\n  ".join(refused))
    after = plan.after or Manifest()
    plan.rmdir = _innermost_first(old.folders)
    after.folders = sorted({*old.folders, *_new_folders(clone, files)})
    known = {path: sorted({*after.files.get(path, []), *old.files.get(path, [])}) for path in files}
    known |= {path: old.files[path] for path in old.files.keys() - files.keys()}
    plan.before = Manifest(known, old.blocks | after.blocks, after.folders)
    plan.summary = (
        f"{len(after.files)} files and {len(after.blocks)} marked blocks are installed."
        if plan.lines
        else "Everything is installed already."
    )
    return plan


def plan_uninstall(clone: Path, force: bool) -> Plan:
    """What takes this plugin out of `clone`; edited files stay unless `force`.

    Raises:
        PluginError: if nothing is installed there.
    """
    old = read_manifest(clone)
    if old is None and (begun := part_of(clone / MANIFEST)).is_file():
        return Plan(remove=[begun.name], summary="An installation was cut off before it added anything.")
    if old is None:
        raise PluginError(
            f"nothing to uninstall: {clone} has no {MANIFEST}, so this plugin added nothing there."
        )
    plan = Plan(before=old, after=Manifest())
    for path, known in old.files.items():
        _plan_removal(plan, clone, path, known, force)
    for path, inserted in old.blocks.items():
        _plan_block_removal(plan, clone, path, inserted, force)
    plan.rmdir = _innermost_first(old.folders)
    plan.summary = f"{len(plan.remove)} files and {len(plan.write)} marked blocks are removed."
    if plan.kept:
        assert plan.after is not None
        plan.after.folders = old.folders
        plan.summary += f" Kept because they were edited: {len(plan.kept)}; --force removes them too."
    else:
        plan.after = None
    return plan


def _plan_file(
    plan: Plan, clone: Path, path: str, content: bytes, known: list[str], force: bool
) -> list[str]:
    """Plan one added file; returns why it is refused, empty if it is not."""
    assert plan.after is not None
    target = clone / path
    if clone not in target.resolve().parents:
        return [f"{path} leads out of the clone through a link; make it a plain folder."]
    blocked = next((p for p in target.parents if p != clone and clone in p.parents and p.is_file()), None)
    if blocked is not None or target.is_dir():
        return [f"{(blocked or target).relative_to(clone)} is in the way of {path}; move it away."]
    plan.after.files[path] = [digest(content)]
    present = target.read_bytes() if target.is_file() else None
    if present == content:
        return []
    if present is not None and digest(present) not in known:
        if not known:
            return [f"{path} exists and was not added by this plugin; move it away."]
        if not force:
            return [f"{path} was edited after it was added; --force replaces it."]
    plan.write[path] = content
    plan.lines.append(f"{'add' if present is None else 'update'} {path}")
    return []


def _plan_removal(plan: Plan, clone: Path, path: str, known: list[str], force: bool) -> None:
    assert plan.after is not None
    target = clone / path
    if target.is_file() and digest(target.read_bytes()) not in known and not force:
        plan.after.files[path] = known
        plan.kept.append(f"{path} was edited after it was added.")
        return
    plan.remove.append(path)
    plan.lines.append(f"remove {path}")


def _plan_block(plan: Plan, clone: Path, path: str, text: str, place: str, inserted: str | None) -> list[str]:
    """Plan one block; returns why it is refused, empty if it is not."""
    assert plan.after is not None
    present = (clone / path).read_bytes()
    content: bytes | None = present
    if inserted is not None and find_block(present) is not None:
        content = without_block(present, inserted.encode())
    if content is None or find_block(content) is not None:
        return [f"{path} has a block of this plugin that was edited; delete it, marks included."]
    changed, block = insert_block(content, text, place)
    plan.after.blocks[path] = block.decode()
    if changed != present:
        plan.write[path] = changed
        plan.lines.append(f"put a marked block into {path}")
    return []


def _plan_block_removal(plan: Plan, clone: Path, path: str, inserted: str, force: bool) -> None:
    assert plan.after is not None
    target = clone / path
    present = target.read_bytes() if target.is_file() else b""
    found = find_block(present)
    if found is None:
        return
    content = without_block(present, inserted.encode())
    if content is None and force:
        content = present.replace(found, b"")
    if content is None:
        plan.after.blocks[path] = inserted
        plan.kept.append(f"the block in {path} was edited after it was added.")
        return
    plan.write[path] = content
    plan.lines.append(f"take the marked block out of {path}")


def _innermost_first(folders: list[str]) -> list[str]:
    return sorted(folders, key=lambda path: path.count("/"), reverse=True)


def _new_folders(clone: Path, files: Mapping[str, bytes]) -> set[str]:
    """Folders that have to be made for `files`."""
    parents = {parent for path in files for parent in Path(path).parents if parent != Path(".")}
    return {parent.as_posix() for parent in parents if not (clone / parent).exists()}
