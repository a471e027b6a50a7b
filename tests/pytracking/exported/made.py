"""A network and the folder that the command exports it to."""

from pathlib import Path
from typing import Any

from ltr.admin.checkpoint_io import network_fields, write_checkpoint
from pytracking.cli import main
from tests.formula import fill
from tests.pytracking.tracker.test_contract import GEOMETRY

__all__ = ["export"]


def export(place: Path, net: Any, *tracker: str) -> None:
    """Write the checkpoint of a filled network into `place`, and the exported tracker into its ``out``."""
    fill(net)
    net.info = dict(GEOMETRY)
    write_checkpoint(place / "net.pth.tar", {"epoch": 1, **network_fields(net)})
    options = ["--checkpoint", str(place / "net.pth.tar"), "--out", str(place / "out")]
    assert main(["export", "onnx", *tracker, *options]) == 0
