"""Paths out of an existing PyTracking set-up: its two ``local.py`` files are parsed, never executed."""

import ast
from collections.abc import Mapping
from pathlib import Path

from ebm.exceptions import InputError
from ebm.files import expanded

__all__ = ["LEGACY_FILES", "read_legacy_assignments", "read_legacy_paths"]

# File below the clone -> {attribute assigned there: our key}. The training file is asked first: its GOT-10k
# and TrackingNet entries name the training folders that our readers expect, the evaluation file's may not.
LEGACY_FILES: Mapping[str, Mapping[str, str]] = {
    "ltr/admin/local.py": {
        "lasot_dir": "lasot",
        "got10k_dir": "got10k",
        "trackingnet_dir": "trackingnet",
        "coco_dir": "coco",
        "imagenet_dir": "imagenetvid",
        "workspace_dir": "workspace",
        "pretrained_networks": "networks",
    },
    "pytracking/evaluation/local.py": {
        "lasot_path": "lasot",
        "otb_path": "otb",
        "uav_path": "uav",
        "nfs_path": "nfs",
        "tpl_path": "tpl",
        "vot_path": "vot",
        "lasot_extension_subset_path": "lasot_extension_subset",
        "network_path": "networks",
    },
}


def read_legacy_assignments(file: Path) -> dict[str, str]:
    """Every ``<name>.<attribute> = "text"`` of a Python file, by attribute; nothing in the file runs.

    Args:
        file: a PyTracking ``local.py``. Assignments of anything but a plain string are left out.

    Raises:
        InputError: if the file is not readable Python, naming file and line.
    """
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # Memory: too many brackets
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise InputError(
            f"{file}{line}: not valid Python ({getattr(error, 'msg', error)}). Windows paths need forward "
            "slashes or a "
            f'raw string, r"C:\\data". Correct the file, or move it away and use a paths.toml.'
        ) from error
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)):
            continue
        if isinstance(node.value.value, str):
            for target in node.targets:
                if isinstance(target, ast.Attribute):
                    found[target.attr] = node.value.value
    return found


def read_legacy_paths(clone: Path) -> dict[str, tuple[Path, str]]:
    """Our keys -> (path, where it stands) from a PyTracking clone; empty where it has no ``local.py``.

    Args:
        clone: the folder that holds ``ltr/`` and ``pytracking/``.

    Raises:
        InputError: if one of the files is not readable Python.
    """
    found: dict[str, tuple[Path, str]] = {}
    for relative, names in LEGACY_FILES.items():
        file = clone / relative
        if not file.is_file():
            continue
        values = read_legacy_assignments(file)
        for attribute, key in names.items():
            value = values.get(attribute, "").strip()
            if value and key not in found:
                found[key] = (expanded(value), f"{attribute} in {file}")
    return found
