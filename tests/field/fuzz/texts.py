"""Result files, conversions, settings and arguments as targets."""

import os
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from ebm.exceptions import InputError
from ltr.admin.environment import read_paths
from pytracking.run_video import build_parser
from tests.field.fuzz import oracles
from tests.field.fuzz.annotations import FRAMES, ROWS, opened
from tests.field.fuzz.damage import BINARY, TEXT
from tests.field.fuzz.target import Target, command
from tests.ltr.layouts import write_rows
from tests.pytracking.evaluation.tiny import boxes_of, draw_frames, write_otb

__all__ = ["TARGETS"]


def _write_results(folder: Path) -> None:
    write_otb(folder / "otb", {"Walking": 6})
    write_rows(folder / "theirs/Walking.txt", boxes_of(6) + (1, 2, 0, 1))


def _evaluate(folder: Path, results: str = "theirs") -> tuple[str, str]:
    argv = ["evaluate", f"x={folder / results}", "--dataset", "otb", "--root", str(folder / "otb")]
    with mock.patch("pytracking.analysis.report.save_plots", return_value=[]):
        _, out, err = command([*argv, "--out", str(folder / "report"), "--format", "csv"])
    return out, err


def _judge_results(folder: Path, found: tuple[str, str], _: Any, __: str) -> str:
    """The same score as that of the plain reading, written anew; what is odd about it is said."""
    rows = oracles.rows(folder / "theirs/Walking.txt")
    if rows is None:
        return f"a result that is not plain was scored: {found[0]}"
    (folder / "plain").mkdir()
    np.savetxt(folder / "plain/Walking.txt", rows, fmt="%.17g", delimiter=",")
    if _evaluate(folder, "plain")[0] != found[0]:
        return f"scored {found[0]}, the plain reading {_evaluate(folder, 'plain')[0]}"
    if len(rows) != 6 and "rows" not in found[1]:
        return f"{len(rows)} rows for 6 frames, without a word"
    if not np.isfinite(rows).all() and "finite" not in found[1]:
        return "numbers that are not finite were scored without a word"
    if (rows[:, 2:] < 0).any() and "area" not in found[1]:
        return "boxes of negative size were scored without a word"
    return ""


def _converted(folder: Path) -> tuple[np.ndarray, str]:
    source = next(path for path in sorted(folder.iterdir()) if path.name.startswith("source"))
    command(["dataset", "convert", str(source), "--out", str(folder / "new")])
    if (folder / "new").is_dir():
        return np.concatenate([boxes for boxes, _ in opened("new")(folder).values()]), "folder"
    return np.array(oracles.rows(folder / "new"), dtype=np.float64), "text"


def _judge_boxes(folder: Path, found: tuple[np.ndarray, str], _: Any, __: str) -> str:
    rows = oracles.rows(folder / "source.txt")
    if rows is None:  # decimal commas, polygons: whatever was written has to be boxes
        return "" if found[0].ndim == 2 and found[0].shape[1:] == (4,) else f"not boxes: {found[0].tolist()}"
    return "" if np.allclose(found[0], rows, rtol=1e-9, equal_nan=True) else f"{found[0]} from {rows}"


def _write_mot(folder: Path) -> None:
    lines = [f"{t + 1},{who},{10 + t},8,24,18,1,-1,-1,-1" for who in (1, 2) for t in range(FRAMES)]
    (folder / "source.txt").write_text("\n".join(lines) + "\n")
    draw_frames(folder / "img1", boxes_of(FRAMES), digits=6)


def _judge_mot(folder: Path, found: tuple[np.ndarray, str], _: Any, __: str) -> str:
    if found[1] == "text":
        return _judge_boxes(folder, found, _, __)
    lines = [
        oracles.numbers(line)
        for line in (oracles.text_of(folder / "source.txt", wide=True) or "").splitlines()
    ]
    with np.errstate(over="ignore"):
        boxes = {tuple(np.float32(line[2:6])) for line in lines if line}  # type: ignore[arg-type]
    odd = [row for row in found[0].tolist() if any(row) and tuple(row) not in boxes]
    odd = [row for row in odd if np.isfinite(row).all()]
    return f"boxes {odd} are not in the file"[:400] if odd else ""


def _read_settings(folder: Path) -> dict[str, str]:
    with (
        mock.patch("pathlib.Path.cwd", return_value=folder),
        mock.patch.dict(os.environ, {"HOME": str(folder)}),
    ):
        paths = read_paths()
    return {key: str(located.path) for key, located in paths.datasets.items()} | {
        "workspace": str(paths.workspace.path)
    }


def _judge_settings(folder: Path, found: dict[str, str], _: Any, __: str) -> str:
    """Every path, or its last part, stands in the files; those with escapes are left to the parsers."""
    text = "".join(path.read_text(errors="replace") for path in folder.rglob("*.*") if path.is_file())
    odd = [path for path in found.values() if path != str(folder / "runs") and Path(path).name not in text]
    return f"{odd} is not in the files" if odd and "\\" not in text else ""


def _write_toml(folder: Path) -> None:
    text = '[datasets]\nlasot = "/data/LaSOT"\notb = "otb"\n\n[outputs]\nworkspace = "runs here"\n'
    (folder / "paths.toml").write_text(text + 'networks = ["/a/b", "c"]\n')


def _write_local(folder: Path) -> None:
    (folder / "ltr/admin").mkdir(parents=True)
    (folder / "ltr/admin/local.py").write_text(
        "class EnvironmentSettings:\n    def __init__(self):\n        self.workspace_dir = '/ws'\n"
        "        self.lasot_dir = '/data/LaSOT'\n        self.got10k_dir = ''\n"
    )


def _read_box(folder: Path) -> list[float]:
    text = (folder / "box.txt").read_bytes().decode(errors="surrogateescape")
    try:
        args = build_parser().parse_args(["first_box", "default", "clip.mp4", "--box", text])
    except SystemExit as stop:
        raise InputError("refused by the parser") from stop
    return list(args.box)


def _judge_box(folder: Path, found: list[float], _: Any, __: str) -> str:
    text = (folder / "box.txt").read_bytes().decode(errors="surrogateescape")
    return "" if oracles.box_argument(text) == found else f"{text!r} was read as {found}"


TARGETS = (
    Target(
        "boxes/argument",
        lambda f: (f / "box.txt").write_text("5,6.5,20,20"),
        _read_box,
        _judge_box,
        kinds=TEXT,
    ),
    Target("convert/mot", _write_mot, _converted, _judge_mot, "*.txt", TEXT),
    Target(
        "convert/boxes",
        lambda folder: write_rows(folder / "source.txt", ROWS, ";"),
        *(_converted, _judge_boxes, "*.txt", TEXT),
    ),
    Target("results/evaluate", _write_results, _evaluate, _judge_results, "theirs/*.txt", TEXT),
    Target("settings/paths.toml", _write_toml, _read_settings, _judge_settings, "*.toml", TEXT),
    Target("settings/local.py", _write_local, _read_settings, _judge_settings, "**/*.py", (*TEXT, *BINARY)),
)
