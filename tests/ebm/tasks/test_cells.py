"""Cells in several processes: each once, every one kept, a dead process said."""

import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import pytest

from ebm.exceptions import EBMError
from ebm.tasks.cells import _record_or_end, read_records, run_cells


def square(cell: dict[str, Any]) -> dict[str, Any]:
    if cell["n"] < 0:
        os._exit(3)
    return {"square": cell["n"] ** 2, "process": os.getpid()}


def test_several_processes_compute_every_cell_once_and_keep_the_order(tmp_path: Path) -> None:
    cells = [{"n": n} for n in range(5)]
    told: list[int] = []
    path = tmp_path / "cells.json"
    records = run_cells(cells, path, square, jobs=2, report=lambda done, total, record: told.append(done))
    assert [record["square"] for record in records] == [0, 1, 4, 9, 16]
    assert all(record["process"] != os.getpid() for record in records)
    assert told[-1] == 5
    assert sorted(r["cell"]["n"] for r in read_records(path)) == [0, 1, 2, 3, 4]


def wait_or_square(cell: dict[str, Any]) -> dict[str, Any]:
    if cell["n"] == 0:
        time.sleep(600)
    return square(cell)


def test_an_interruption_ends_the_processes_and_keeps_what_was_finished(tmp_path: Path) -> None:
    path = tmp_path / "cells.json"

    def interrupt(done: int, total: int, record: dict[str, Any] | None) -> None:
        if record is not None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cells([{"n": 0}, {"n": 3}], path, wait_or_square, jobs=2, report=interrupt)
    assert [record["square"] for record in read_records(path)] == [9]
    deadline = time.monotonic() + 60
    while multiprocessing.active_children() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not multiprocessing.active_children()


def interrupted(cell: dict[str, Any]) -> dict[str, Any]:
    raise KeyboardInterrupt  # as a training ends that was asked to stop


def test_a_process_that_was_asked_to_stop_does_not_take_another_cell() -> None:
    process = multiprocessing.get_context("spawn").Process(target=_record_or_end, args=(interrupted, {}))
    process.start()
    process.join(120)
    assert process.exitcode == 130


def test_a_process_that_dies_is_said_and_what_was_finished_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "cells.json"
    run_cells([{"n": 7}], path, square)
    with pytest.raises(EBMError, match="--jobs"):
        run_cells([{"n": 7}, {"n": -1}, {"n": -2}], path, square, jobs=2)
    assert [r["square"] for r in read_records(path)] == [49]
