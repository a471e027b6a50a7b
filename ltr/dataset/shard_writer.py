"""Write shards so that an interruption costs little, and read every byte of them back."""

import contextlib
import logging
import os
import zlib
from array import array
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
import numpy.typing as npt

from ebm.exceptions import InputError
from ltr.dataset.packed import shard_name

__all__ = ["PROGRESS_FILE", "ShardWriter"]

_log = logging.getLogger(__name__)

PROGRESS_FILE = "pack.progress"
RECORD = 4  # numbers of a picture's record
RECORD_BYTES = 8 * RECORD
_COMMIT_BYTES = 1 << 26  # what an interruption may cost


class ShardWriter:
    """The shards being written, and the record of what is safely in them."""

    def __init__(self, out: Path, limit: int) -> None:
        self.out, self.limit = out, limit
        raw = (out / PROGRESS_FILE).read_bytes() if (out / PROGRESS_FILE).is_file() else b""
        self.records = array("q")  # of every picture: shard, offset, length, CRC-32
        for at in range(0, len(raw) // RECORD_BYTES * RECORD_BYTES, RECORD_BYTES):
            record = _unsealed(raw[at : at + RECORD_BYTES])
            if record is None:  # damaged: this picture and those behind it are copied again
                _log.warning("%s is damaged; packing goes on where it is still whole.", out / PROGRESS_FILE)
                break
            self.records.extend(record)
        self.safe = len(self)
        last = self.records[-RECORD:] if self.safe else array("q", [0, 0, 0, 0])
        self.shard, self.end = last[0], last[1] + last[2]
        self.file: IO[bytes] | None = None
        self.done: IO[bytes] | None = None

    def __len__(self) -> int:
        """Pictures written."""
        return len(self.records) // RECORD

    def table(self) -> npt.NDArray[np.int64]:
        """``[P, 4]`` the records."""
        return np.array(self.records, dtype=np.int64).reshape(-1, RECORD)

    def __enter__(self) -> "ShardWriter":
        self.done = (self.out / PROGRESS_FILE).open("ab")
        _lock(self.done, self.out)
        self.done.truncate(self.safe * RECORD_BYTES)
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Keep what is whole whatever happened; on a full disk this fails too, and less is kept.
        with contextlib.suppress(OSError):
            self.commit()
        for file in (self.file, self.done):
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()

    def _open(self) -> None:
        """The current shard, cut back to what is known to be whole."""
        path = self.out / shard_name(self.shard)
        path.touch()
        self.file = path.open("r+b")
        self.file.truncate(self.end)
        self.file.seek(self.end)

    def add(self, data: bytes) -> None:
        """Append a picture; a new shard begins where it would make this one too long."""
        if self.end and self.end + len(data) > self.limit:
            self.finish()
            self.shard, self.end = self.shard + 1, 0
            self._open()
        assert self.file is not None
        self.file.write(data)
        self.records.extend((self.shard, self.end, len(data), zlib.crc32(data)))
        self.end += len(data)
        if self.end - self.records[self.safe * RECORD + 1] > _COMMIT_BYTES:  # since the last commit
            self.commit()

    def commit(self) -> None:
        """Bring the shard to the disk, then the record of it."""
        if self.file is None or self.done is None or self.safe == len(self):
            return
        self.file.flush()
        os.fsync(self.file.fileno())
        fresh = self.records[self.safe * RECORD :]
        self.done.write(b"".join(_sealed(fresh[at : at + RECORD]) for at in range(0, len(fresh), RECORD)))
        self.done.flush()
        os.fsync(self.done.fileno())
        self.safe = len(self)

    def finish(self) -> None:
        """Commit and close the shard, and read all of it back.

        Raises:
            InputError: if the disk gives back anything else than was written.
        """
        self.commit()
        assert self.file is not None
        self.file.close()
        self.file = None
        path, table = self.out / shard_name(self.shard), self.table()
        with path.open("rb") as file:
            for _, _, length, crc in table[table[:, 0] == self.shard].tolist():
                if zlib.crc32(file.read(length)) != crc:
                    raise InputError(
                        f"{path} reads back differently from what was written: the disk is faulty."
                    )


def _sealed(record: "array[int]") -> bytes:
    """A record as it is kept: the upper half of its last number is a checksum of the rest."""
    shard, offset, length, crc = record
    return array("q", (shard, offset, length, crc | _check(record) << 32)).tobytes()


def _unsealed(raw: bytes) -> "array[int] | None":
    """The record in some bytes; None if they are damaged. Records of older versions have no checksum."""
    record = array("q")
    record.frombytes(raw)
    check, record[3] = record[3] >> 32, record[3] & 0xFFFFFFFF
    return record if check in (0, _check(record)) else None


def _check(record: "array[int]") -> int:
    """31 bits, the highest of them set."""
    return zlib.crc32(record.tobytes()) >> 2 | 1 << 30


def _lock(file: IO[bytes], out: Path) -> None:
    """Keep a second run out of the folder; released when this process ends, however it ends.

    Raises:
        InputError: if another run is packing into it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise InputError(f"another process is packing into {out}.") from error
