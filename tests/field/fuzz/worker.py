"""Tries one input after another in a process of its own, under a limit of memory, and tells what came."""

import json
import random
import resource
import shutil
import sys
import tempfile
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ebm.exceptions import EBMError
from tests.field.fuzz.damage import damaged
from tests.field.fuzz.readers import TARGETS
from tests.field.fuzz.target import UNKNOWABLE, Target, hearing

__all__ = ["Example", "Try", "main"]

MEMORY = 1 << 30  # bytes more than before the first try
GROWTH = 600 << 10  # KiB by which a single try may raise the peak


@dataclass(frozen=True)
class Try:
    """What came of one: ``refused``, ``accepted`` (and right), ``unknowable`` or ``found``."""

    target: str
    number: int
    outcome: str
    detail: str = ""


class Example:
    """An undamaged example of a target, and what it says."""

    def __init__(self, target: Target, folder: Path) -> None:
        self.target, self.folder = target, folder
        target.write(folder)
        # In the order of names, so that a seed means the same everywhere.
        paths = [path for path in sorted(folder.glob(target.files)) if path.is_file()]
        self.files = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
        assert self.files, f"{target.name} has no file {target.files}"
        copy = self._copy()
        with hearing() as said:
            self.content = target.read(copy)
            wrong = target.judge(copy, self.content, self.content, said.getvalue())
        shutil.rmtree(copy)
        assert not wrong, f"{target.name}, undamaged: {wrong}"

    def _copy(self) -> Path:
        place = Path(tempfile.mkdtemp(prefix="fuzz-", dir=self.folder.parent))
        return Path(shutil.copytree(self.folder, place / "it", symlinks=True))

    def attempt(self, seed: int, number: int, keep: Path | None = None) -> Try:
        """One try, fully determined by the seed and its number."""
        draw = random.Random(f"{seed}/{self.target.name}/{number}")
        copy = self._copy()
        try:
            name = draw.choice(sorted(self.files))
            content = damaged(draw, self.files[name], self.target.kinds)
            (copy / name).write_bytes(content)
            outcome, detail = self._outcome(copy)
            if outcome == "found" and keep is not None:
                place = keep / f"{self.target.name.replace('/', '-')}-{number}"
                shutil.copytree(copy, place, symlinks=True, dirs_exist_ok=True)
            return Try(self.target.name, number, outcome, f"{name}: {detail}" if detail else "")
        finally:
            shutil.rmtree(copy.parent, ignore_errors=True)

    def _outcome(self, copy: Path) -> tuple[str, str]:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            with hearing() as said, warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always")
                found: Any = self.target.read(copy)
                loud = [str(w.message) for w in heard if issubclass(w.category, RuntimeWarning)]
                verdict = self.target.judge(copy, found, self.content, said.getvalue())
        except EBMError as error:
            found, verdict, loud = None, "", []
            outcome = "refused" if str(error).strip() else "found"
        except Exception:  # noqa: BLE001  what it is, is the question
            return "found", traceback.format_exc()[-1500:]
        else:
            outcome = "accepted"
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        if grown > GROWTH:
            return "found", f"took {grown >> 10} MiB"
        if loud:
            return "found", f"warns in a language that is not ours: {loud[0]}"
        if verdict.startswith(UNKNOWABLE):
            return "unknowable", verdict
        return ("found", verdict) if verdict else (outcome, "")


def _limit_memory() -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(folder: Path, seed: int, wanted: list[str], keep: Path | None) -> None:
    """Answer lines ``name number`` on standard input with a `Try` each on standard output."""
    import torch

    torch.set_num_threads(1)
    answers = sys.stdout
    sys.stdout = sys.stderr
    examples = {}
    for target in TARGETS:
        if target.name in wanted:
            place = Path(tempfile.mkdtemp(prefix="example-", dir=folder)) / "it"
            place.mkdir()
            examples[target.name] = Example(target, place)
    _limit_memory()
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        name, number = json.loads(line)
        print(json.dumps(vars(examples[name].attempt(seed, number, keep))), file=answers, flush=True)


if __name__ == "__main__":
    _folder, _seed, _wanted, _keep = json.loads(sys.argv[1])
    main(Path(_folder), _seed, _wanted, None if _keep is None else Path(_keep))
