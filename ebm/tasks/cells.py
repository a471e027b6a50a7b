"""A study's cells, each computed once and kept in one sealed file, so that a study can go on later."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from pathlib import Path
from typing import Any

from ebm.exceptions import EBMError, InputError
from ebm.files import require_writable_folder
from ebm.integrity.json_files import read_sealed_json, write_sealed_json
from ebm.processes import end_with_parent

__all__ = ["Record", "Work", "damaged_results", "read_records", "run_cells"]

# Plain values: the field "cell" says what was computed, the others how it came out.
Record = dict[str, Any]
Work = Callable[[dict[str, Any]], Record]
FORMAT = 1


def run_cells(
    cells: Sequence[dict[str, Any]],
    path: Path,
    work: Work,
    *,
    jobs: int = 1,
    report: Callable[[int, int, Record | None], None] | None = None,
) -> list[Record]:
    """Compute what is missing; every record is written as soon as it is there.

    Args:
        cells: what to compute, plain values.
        path: the file of records; those of other cells that it has stay in it.
        work: from a cell to the fields of its record; for several jobs a function of a module.
        jobs: processes that compute, each with one thread; 1 computes in this one.
        report: told before and after every cell how many of how many are done, and the record.

    Returns:
        The records of the cells, in their order.

    Raises:
        InputError: if the folder or the file cannot be used.
        EBMError: if a process of several died.
    """
    require_writable_folder(path.parent)
    known = read_records(path)
    missing = [cell for cell in cells if not any(record["cell"] == cell for record in known)]
    done = len(cells) - len(missing)
    tell = report or (lambda done, total, record: None)
    with closing(_computed(missing, work, jobs)) as records:
        for _ in missing:
            tell(done, len(cells), None)
            record = next(records)
            known.append(record)
            write_sealed_json(path, {"format": FORMAT, "results": known})
            done += 1
            tell(done, len(cells), record)
    return [next(record for record in known if record["cell"] == cell) for cell in cells]


def read_records(path: Path) -> list[Record]:
    """The records in a file; none where there is no file.

    Raises:
        InputError: if the file is damaged.
    """
    if not path.exists():
        return []
    try:
        records = read_sealed_json(path)["results"]
        if not all(isinstance(record, dict) and isinstance(record["cell"], dict) for record in records):
            raise TypeError("a record has no cell")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged_results(path, error) from error
    return list(records)


def damaged_results(path: Path, reason: object) -> InputError:
    """The error for a file of records that cannot be used."""
    return InputError(f"{path} is damaged ({reason}); move it away or choose another --out.")


def _computed(cells: Sequence[dict[str, Any]], work: Work, jobs: int) -> Generator[Record, None, None]:
    """Records as they come."""
    if jobs == 1 or len(cells) < 2:
        for cell in cells:
            yield _record(work, cell)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy torch's threads half
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(min(jobs, len(cells)), context, initializer=_begin) as pool:
        futures = [pool.submit(_record_or_end, work, cell) for cell in cells]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise EBMError(
                "a process ended before it was done, maybe for want of memory. What was finished is kept: "
                "give the same command again, with fewer --jobs."
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - others:  # nobody waits for what they do
                process.terminate()


def _record(work: Work, cell: Mapping[str, Any]) -> Record:
    return {"cell": dict(cell), **work(dict(cell))}


def _record_or_end(work: Work, cell: Mapping[str, Any]) -> Record:
    """A record; a process that was asked to stop ends, or it would begin with the next cell."""
    try:
        return _record(work, cell)
    except KeyboardInterrupt:
        os._exit(128 + signal.SIGINT)


def _begin() -> None:
    """What a process does first: it leaves Ctrl-C to its parent, ends with it, and takes one thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    import torch

    torch.set_num_threads(1)
