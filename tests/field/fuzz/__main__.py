"""Damage the input of every reader at random, for a time, and tell what came of it.

A try is a copy of a small, sound example with one to three kinds of damage. It is right if the reader refuses
it with an error of ours, or reads what a strict reading of the damaged file says (text) or the sound one said
(files with checksums); anything else is a finding: a traceback, a hang, memory, a dead process, a wrong
answer without a word. Exit code 1 if there are findings. The same seed gives the same tries.
"""

import argparse
import json
import os
import resource
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.field.fuzz.readers import TARGETS

__all__ = ["Worker", "main"]

CPU_LIMIT = 30.0  # s of CPU that a try may take
WALL_LIMIT = 300.0  # s that it may take on a busy machine
_OUTCOMES = ("refused", "accepted", "unknowable", "found")
_TICK = os.sysconf("SC_CLK_TCK")


class Worker:
    """A process that makes tries; a new one is started where one died or hung."""

    def __init__(self, folder: Path, seed: int, names: Sequence[str], keep: Path | None) -> None:
        self._arguments = json.dumps([str(folder), seed, list(names), keep and str(keep)])
        self._process: subprocess.Popen[str] | None = None

    def _start(self) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.field.fuzz.worker", self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"},
        )
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise SystemExit("error: a worker cannot start; run python -m tests.field.fuzz.worker yourself.")
        return process

    def attempt(self, name: str, number: int) -> dict[str, str]:
        """What came of a try."""
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        print(json.dumps([name, number]), file=process.stdin, flush=True)
        start, cpu = time.monotonic(), self._seconds()
        while not select.select([process.stdout], [], [], 0.5)[0]:
            if self._seconds() - cpu > CPU_LIMIT or time.monotonic() - start > WALL_LIMIT:
                self.stop()
                return {"outcome": "found", "detail": f"hangs: {time.monotonic() - start:.0f} s"}
        line = process.stdout.readline()
        if line:
            return dict(json.loads(line))
        code = process.wait()
        self._process = None
        return {"outcome": "found", "detail": f"the process died ({code})"}

    def _seconds(self) -> float:
        """CPU time of the process."""
        assert self._process is not None
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / _TICK

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _children_cpu() -> float:
    """CPU time of the workers that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _order(names: Sequence[str]) -> Iterator[str]:
    """Names in turn, each as often as its weight says."""
    weights = {target.name: target.weight for target in TARGETS}
    while True:
        for name in names:
            yield from [name] * weights[name]


def _table(counts: dict[str, Counter[str]]) -> str:
    wide = max(map(len, counts), default=4)
    head = f"{'kind':<{wide}}  {'tries':>6}" + "".join(f"  {key:>10}" for key in _OUTCOMES)
    rows = [
        f"{name:<{wide}}  {sum(found.values()):>6}" + "".join(f"  {found[key]:>10}" for key in _OUTCOMES)
        for name, found in counts.items()
    ]
    total: Counter[str] = sum(counts.values(), Counter())
    last = f"{'all':<{wide}}  {sum(total.values()):>6}" + "".join(f"  {total[key]:>10}" for key in _OUTCOMES)
    return "\n".join([head, *rows, last])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.field.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="wall-clock time (default: 10)")
    parser.add_argument("--tries", type=int, help="of each kind, instead of a time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", default=[], help="kinds whose name contains this")
    parser.add_argument("--number", type=int, help="this try alone")
    parser.add_argument("--keep", type=Path, help="folder for the inputs of findings")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run; 0 if nothing was found, 1 otherwise."""
    args = _parser().parse_args(argv)
    names = [t.name for t in TARGETS if not args.only or any(part in t.name for part in args.only)]
    if not names:
        raise SystemExit(f"error: no kind {args.only}; known: {', '.join(t.name for t in TARGETS)}")
    most = 1 if args.number is not None else args.tries
    counts: dict[str, Counter[str]] = {name: Counter() for name in names}
    start, done = time.monotonic(), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="ebmtrack-fuzz-") as folder:
        worker = Worker(Path(folder), args.seed, names, args.keep)
        try:
            for name in _order(names):
                if most and done[name] >= most:
                    continue
                number = done[name] if args.number is None else args.number
                done[name] += 1
                found = worker.attempt(name, number)
                counts[name][found["outcome"]] += 1
                if found["outcome"] == "found":
                    print(f"FOUND {name}, try {number}, seed {args.seed}: {found['detail']}\n", flush=True)
                late = not most and time.monotonic() - start > 60 * args.minutes
                if late or (most and min(done[n] for n in names) >= most):
                    break
        finally:
            worker.stop()
    print(_table(counts))
    print(f"{time.monotonic() - start:.0f} s, {_children_cpu():.0f} s of CPU, seed {args.seed}")
    return 1 if any(found["found"] for found in counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
