"""``ebmtrack doctor``: what is installed, which datasets and weights are found; ready to paste."""

import argparse
import importlib.util
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ebm.command import CommandParser, run_command
from ebm.threads import available_cores
from ltr.admin.workspace_option import add_workspace_option

__all__ = ["main", "report"]

PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "opencv-python-headless",
    "safetensors",
    "pandas",
    "matplotlib",
    "av",
)
EXTRAS = {  # the extra that brings each optional module
    "tensorboard": "train",
    "matplotlib": "eval",
    "pandas": "eval",
    "av": "eval",
    "simplejpeg": "jpeg",
    "jpeg4py": "jpeg",
    "faster_coco_eval": "detection",
    "ray": "cluster",
    "trax": "vot",
    "visdom": "viz",
    "matplot2tikz": "tikz",
    "onnxruntime": "onnx",
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
    missing = sorted({extra for module, extra in EXTRAS.items() if importlib.util.find_spec(module) is None})
    if missing:
        yield f"extras without all of their packages: {', '.join(missing)} (pip install 'ebmtrack[NAME]')"


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
    from ltr.admin.environment import DATASETS, paths_files, read_paths

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
    from ltr.admin.environment import workspace

    root = workspace() / "checkpoints" / "ltr"
    newest: dict[Path, Path] = {}
    for file in sorted(root.glob("*/*/*.pth.tar")):
        newest[file.parent] = file
    for folder, file in newest.items():
        size = f"{file.stat().st_size / 2**20:.0f} MiB"
        yield f"{'/'.join(folder.parts[-2:])}: {file.name}, {size}, {_soundness(file)}"
    if not newest:
        yield f"none in {root}"


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


def report() -> str:
    """The report: software, device, paths, checkpoints."""
    parts = {"software": _software, "device": _device, "paths": _paths, "checkpoints": _checkpoints}
    return "\n\n".join("\n".join([f"[{title}]", *lines()]) for title, lines in parts.items())


def main(argv: Sequence[str] | None = None) -> int:
    """Print the report.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0, or 2 if a paths file is broken.
    """
    parser = CommandParser(prog="ebmtrack doctor", description=__doc__)
    add_workspace_option(parser)
    return run_command(parser, _print_report, argv)


def _print_report(options: argparse.Namespace) -> int:
    print(report())
    return 0
