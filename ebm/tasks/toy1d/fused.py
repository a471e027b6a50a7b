"""The training steps of the 1D network in C, compiled once per machine with whatever compiler it has.

A candidate costs about 1000 multiply-adds and 40 hyperbolic tangents, which as separate tensor operations are
bound by memory traffic instead. Where no compiler is found, `ebm.tasks.toy1d.batched` computes the same.
"""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from ebm.exceptions import InputError
from ebm.tasks.toy1d.batched import COMPARISONS, BatchedSteps, Comparison

__all__ = ["FusedSteps", "fused_unavailable"]

_SOURCES = Path(__file__).parent / "native"
_COMPILERS = ("cc", "gcc", "clang")
_FLAGS = (
    "-O3", "-march=native", "-std=gnu11", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math",
    "-shared", "-fPIC",
)  # fmt: skip


class FusedSteps(BatchedSteps):
    """Steps of `BatchedSteps` in C for float32 on the CPU, one seed after the other.

    Raises:
        InputError: if no compiler works here.
    """

    def __init__(self) -> None:
        reason = fused_unavailable()
        if reason:
            raise InputError(f"the fused backend needs a C compiler: {reason}. Choose backend='plain'.")
        self._library = ctypes.CDLL(str(_library()))

    def candidate_step(
        self, weights: Tensor, x: Tensor, y: Tensor, log_q: Tensor, coefficient: Tensor, how: Comparison
    ) -> tuple[Tensor, Tensor]:
        """See `BatchedSteps.candidate_step`."""
        seeds, batch, count = y.shape
        losses, gradient = _doubles(seeds), torch.empty_like(weights)
        stride = count if log_q.shape[1] > 1 else 0
        y, log_q, coefficient = y.contiguous(), log_q.contiguous(), coefficient.contiguous()
        for s in range(seeds):
            failed = self._library.candidate_step(
                *_pointers(weights[s], gradient[s], x[s], y[s], log_q[s], coefficient[s]),
                *map(ctypes.c_long, (batch, count, stride)),
                ctypes.c_int(COMPARISONS.index(how)),
                _pointer(losses[s]),
            )
            if failed:
                raise MemoryError(f"no memory for {count} candidates.")
        return losses, gradient

    def slope_step(self, weights: Tensor, x: Tensor, y: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """See `BatchedSteps.slope_step`."""
        seeds, batch, count = y.shape
        losses, gradient = _doubles(seeds), torch.empty_like(weights)
        y, target = y.contiguous(), target.contiguous()
        for s in range(seeds):
            self._library.slope_step(
                *_pointers(weights[s], gradient[s], x[s], y[s], target[s]),
                *map(ctypes.c_long, (batch, count)),
                _pointer(losses[s]),
            )
        return losses, gradient

    def langevin(self, weights: Tensor, x: Tensor, y: Tensor, noise: Tensor, alpha: float) -> Tensor:
        """See `BatchedSteps.langevin`."""
        seeds, steps, batch, count = noise.shape
        y, noise = y.clone(memory_format=torch.contiguous_format), noise.contiguous()
        for s in range(seeds):
            self._library.langevin(
                *_pointers(weights[s], x[s], y[s], noise[s]),
                *map(ctypes.c_long, (batch, count, steps)),
                ctypes.c_float(alpha),
            )
        return y


@cache
def fused_unavailable() -> str:
    """Why the C steps cannot be used here, in words; empty if they can."""
    try:
        ctypes.CDLL(str(_library()))
    except (OSError, InputError) as error:
        return str(error)
    return ""


@cache
def _library() -> Path:
    """The compiled steps, from the user's cache folder or freshly made."""
    compiler = next((found for name in _COMPILERS if (found := shutil.which(name))), None)
    if compiler is None:
        raise InputError(f"none of {', '.join(_COMPILERS)} is installed")
    sources = sorted(_SOURCES.iterdir())
    # -march=native code must not meet another processor that shares the cache folder.
    identity = [compiler, *_FLAGS, platform.machine(), _processor(), *(s.read_text() for s in sources)]
    name = f"toy1d-{hashlib.sha256(repr(identity).encode()).hexdigest()[:16]}.so"
    for folder in _cache_folders():
        target = folder / name
        if target.is_file():
            return target
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return _compile(compiler, target)
        except OSError:
            continue
    raise InputError("no folder for the compiled code is writable; set XDG_CACHE_HOME")


def _compile(compiler: str, target: Path) -> Path:
    """Compile into a file beside `target`, then rename, so that two processes cannot meet half a library."""
    handle, made = tempfile.mkstemp(suffix=".so", dir=target.parent)
    os.close(handle)
    command = [compiler, *_FLAGS, str(_SOURCES / "slope.c"), "-o", made, "-lm"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        Path(made).unlink()
        lines = result.stderr.strip().splitlines() or ["no message"]
        raise InputError(f"{compiler} failed: {lines[-1]}")
    os.replace(made, target)
    return target


def _cache_folders() -> list[Path]:
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return [Path(home) / "ebmtrack", Path(tempfile.gettempdir()) / f"ebmtrack-{os.getuid()}"]


def _processor() -> str:
    """What distinguishes processors to a compiler: the list of their features."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())


def _doubles(count: int) -> Tensor:
    return torch.zeros(count, dtype=torch.float64)


def _pointer(tensor: Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr())


def _pointers(*tensors: Tensor) -> list[ctypes.c_void_p]:
    return [_pointer(tensor) for tensor in tensors]
