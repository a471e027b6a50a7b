"""``ebmtrack doctor``: what is installed, which datasets and weights are found; ready to paste."""

import argparse
import contextlib
import importlib
import importlib.util
import platform
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ebm.command import CommandParser, run_command
from ebm.exceptions import MissingPackageError
from ebm.extras import EXTRA_OF
from ebm.threads import available_cores
from ebmtrack.provenance import inspect

__all__ = ["main", "report"]

PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "safetensors",
    "pandas",
    "matplotlib",
    "av",
)
OPENCV = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
)
LOADED = {  # what depends on more than its version, and the usual cause
    "torchvision": "each torchvision fits one torch; install the two in one command, from one index",
    "cv2": "opencv-python needs the system's libGL (Debian, Ubuntu: libgl1), opencv-python-headless does not",
}
SMALL_SHM_GB = 1.0  # loader workers hand batches over through it


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _software() -> Iterator[str]:
    yield f"ebmtrack        {_version('ebmtrack')}"
    yield f"python          {platform.python_version()} ({sys.executable})"
    yield f"system          {platform.platform()}, {available_cores()} cores"
    for package in PACKAGES:
        yield f"{package:<15} {_version(package)}"
    opencv = [name for name in OPENCV if _version(name) != "not installed"]
    yield f"opencv          {', '.join(f'{name} {_version(name)}' for name in opencv) or 'not installed'}"
    yield from _unusable()
    absent = (module for module in EXTRA_OF if importlib.util.find_spec(module) is None)
    if missing := sorted({EXTRA_OF[module] for module in absent}):
        yield f"extras without all of their packages: {', '.join(missing)} (pip install 'ebmtrack[NAME]')"


def _unusable() -> Iterator[str]:
    """Installed modules that do not load: another release of torch, a missing system library."""
    for module, remedy in LOADED.items():
        if importlib.util.find_spec(module) is None:
            continue
        try:
            importlib.import_module(module)
        except (ImportError, OSError, RuntimeError, AttributeError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            yield f"{module} is installed and does not load ({reason}): {remedy}"


def _device() -> Iterator[str]:
    import torch

    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            yield f"cuda:{index}          {properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    else:
        yield "cuda            none; everything runs on the CPU"
    yield f"cpu             {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"
    shm = Path("/dev/shm")
    if shm.is_dir():
        free = shutil.disk_usage(shm).free / 2**30
        warning = (
            "; small: give loader workers more, e.g. docker run --shm-size=8g" if free < SMALL_SHM_GB else ""
        )
        yield f"/dev/shm        {free:.1f} GiB free{warning}"


def _paths() -> Iterator[str]:
    from ltr.admin.environment import paths_files, read_paths
    from ltr.admin.known_datasets import DATASETS

    for file in paths_files():
        yield f"paths file      {file} ({'read' if file.is_file() else 'absent'})"
    paths = read_paths()
    for key in DATASETS:
        located = paths.datasets.get(key)
        if located is None:
            yield f"{key:<15} not configured"
        else:
            state = "found" if located.exists else "NO SUCH FOLDER"
            yield f"{key:<15} {located.path} ({located.origin}): {state}"
    for what, used in (("to train on", "trains"), ("to track on", "tracks")):
        names = ", ".join(key for key, info in DATASETS.items() if getattr(info, used))
        yield f"{what:<15} {names}"
    yield f"workspace       {paths.workspace.path} ({paths.workspace.origin})"
    for folder in paths.networks:
        yield f"networks        {folder.path} ({folder.origin}): {'found' if folder.exists else 'absent'}"


def _checkpoints() -> Iterator[str]:
    from ltr.admin.environment import network_folders, workspace

    root = workspace() / "checkpoints" / "ltr"
    newest: dict[Path, Path] = {}
    for file in sorted(root.glob("*/*/*.pth.tar")):
        newest[file.parent] = file
    for folder, file in newest.items():
        size = f"{file.stat().st_size / 2**20:.0f} MiB"
        yield f"{'/'.join(folder.parts[-2:])}: {file.name}, {size}, {_soundness(file)}{_measured(file)}"
    if not newest:
        yield f"none in {root}"
    for folder in network_folders():
        for file in sorted(folder.glob("*.pth*")):
            yield f"{file}: {_soundness(file)}{_measured(file)}"


def _soundness(checkpoint: Path) -> str:
    """What its checksum says of a checkpoint."""
    from ebm.exceptions import EBMError
    from ebm.integrity.zips import verified_zip

    try:
        sealed, _ = verified_zip(checkpoint)
    except EBMError:
        return "DAMAGED; use an earlier epoch"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    return "checksum holds" if sealed else "no checksum, but the CRC-32 of its parts holds"


def _measured(checkpoint: Path) -> str:
    """What `ebmtrack calibrate` has measured for the weights, which trackers take from the file."""
    from ebm.exceptions import EBMError
    from ltr.admin.loading import read_checkpoint
    from pytracking.tracker.common.network_info import carried

    try:
        found = carried(read_checkpoint(checkpoint).get("net_info"))
    except (EBMError, OSError):
        return ""
    return f"; trackers take from it: {found}" if found else ""


def report() -> str:
    """The report: files, software, device, paths, checkpoints."""
    parts: dict[str, Callable[[], Iterable[str]]] = {
        "files": inspect,
        "software": _software,
        "device": _device,
        "paths": _paths,
        "checkpoints": _checkpoints,
    }
    return "\n\n".join("\n".join([f"[{title}]", *_answered(lines)]) for title, lines in parts.items())


def _answered(lines: Callable[[], Iterable[str]]) -> Iterator[str]:
    """A section's lines; where a package is missing that an extra brings, the way to get it."""
    try:
        yield from lines()
    except MissingPackageError as error:
        yield str(error)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the report.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0, or 2 if a paths file is broken.
    """
    parser = CommandParser(prog="ebmtrack doctor", description=__doc__)
    with contextlib.suppress(MissingPackageError):  # without the trackers there is no workspace
        from ltr.admin.workspace_option import add_workspace_option

        add_workspace_option(parser)
    return run_command(parser, _print_report, argv)


def _print_report(options: argparse.Namespace) -> int:
    print(report())
    return 0
