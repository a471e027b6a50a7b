"""What a clone of visionml/pytracking looks like, and which of its files get a marked block."""

import os
from pathlib import Path

from plugin_errors import PluginError
from plugin_manifest import read_manifest

__all__ = ["OPERATOR", "blocks_for", "is_checked_out", "require_clone"]

# Path -> text that the file must hold: the files that the added ones import or stand beside.
SIGNS = {
    "ltr/__init__.py": "",
    "ltr/run_training.py": "",
    "ltr/actors/tracking.py": "KLDiMPActor",
    "ltr/actors/bbreg.py": "AtomBBKLActor",
    "ltr/data/processing.py": "KLDiMPProcessing",
    "ltr/models/tracking/dimpnet.py": "dimpnet50",
    "ltr/train_settings/dimp/super_dimp.py": "def run(",
    "pytracking/run_tracker.py": "",
    "pytracking/parameter/dimp/super_dimp.py": "def parameters(",
}
OPERATOR = "ltr/external/PreciseRoIPooling/pytorch/prroi_pool/__init__.py"
PATH_BLOCK = """# Lets this clone come before any other package named ltr or pytracking.
import os, sys
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
"""
COMPAT_BLOCK = """# Names that PyTracking needs and current torchvision and Python lack.
from .ebmtrack import compat as _ebmtrack_compat
"""
OPERATOR_BLOCK = """# In the place of the operator that needs nvcc.
from ebm.ops.prroi_pool import PrRoIPool2D
"""


def require_clone(folder: Path) -> Path:
    """The resolved root of a clone.

    Raises:
        PluginError: if `folder` is none; says what was looked for.
    """
    root = Path(os.path.expanduser(folder)).resolve()
    if not root.is_dir():
        raise PluginError(f"--pytracking {folder} is no folder. Give a clone of visionml/pytracking.")
    missing = []
    for path, text in SIGNS.items():
        file = root / path
        if not file.is_file():
            missing.append(path)
        elif text not in file.read_text(encoding="utf-8", errors="replace"):
            missing.append(f"{path} with {text.removeprefix('def ').rstrip('(')!r}")
    if missing:
        raise PluginError(
            f"{root} is no clone of visionml/pytracking: looked for {len(SIGNS)} files, not found: "
            f"{', '.join(missing)}. Give the folder that holds ltr/ and pytracking/ of the clone."
        )
    return root


def blocks_for(clone: Path, keep_prroi_pool: bool) -> dict[str, tuple[str, str]]:
    """Path of an existing file -> (block, ``"top"`` or ``"end"``), for what no new file can do.

    The scripts must find the clone's packages although EBMTrack installs packages of the same names; the
    names must be back before anything of PyTracking is imported; a submodule that is checked out already
    has a file at the operator's path.
    """
    scripts = sorted([*clone.glob("ltr/run_*.py"), *clone.glob("pytracking/run_*.py")])
    blocks = {script.relative_to(clone).as_posix(): (PATH_BLOCK, "top") for script in scripts}
    blocks["ltr/__init__.py"] = (COMPAT_BLOCK, "top")
    if not keep_prroi_pool and is_checked_out(clone):
        blocks[OPERATOR] = (OPERATOR_BLOCK, "end")
    return blocks


def is_checked_out(clone: Path) -> bool:
    """Whether the submodule has its own file, rather than none or the one that this plugin added."""
    manifest = read_manifest(clone)
    ours = manifest is not None and OPERATOR in manifest.files
    return (clone / OPERATOR).is_file() and not ours
