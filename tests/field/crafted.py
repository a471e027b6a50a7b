"""Files that state other sizes than they have, and a process that reads them and tells what that took."""

import io
import json
import pickle
import resource
import struct
import sys
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ebm.exceptions import EBMError
from ltr.admin.model_constructor import NetConstructor

__all__ = ["main", "write_all"]

HUGE = 3 * 10**9
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class Storage:
    """A storage as a pickle refers to it."""

    def __init__(self, length: int) -> None:
        self.length = length


class Tensor:
    """A tensor as a pickle describes it, whatever the numbers."""

    def __init__(self, length: int, size: tuple, stride: tuple, offset: int = 0) -> None:
        self.parts = (Storage(length), offset, size, stride, False, OrderedDict())

    def __reduce__(self) -> tuple:
        return torch._utils._rebuild_tensor_v2, self.parts


class Call:
    """Any call."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple:
        return self.call


def pickled(value: Any, *, legacy: bool = False) -> bytes:
    """A pickle as `torch.save` makes it."""
    stream, view = io.BytesIO(), (None,) if legacy else ()

    class Pickler(pickle.Pickler):
        def persistent_id(self, item: Any) -> Any:
            stored = ("storage", torch.FloatStorage, "0", "cpu", getattr(item, "length", 0), *view)
            return stored if isinstance(item, Storage) else None

    Pickler(stream, 2).dump(value)
    return stream.getvalue()


def container(path: Path, content: bytes, numbers: bytes = b"\0" * 256, compress: bool = False) -> None:
    """A zip as torch lays it out."""
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as archive:
        parts = {"data.pkl": content, "byteorder": b"little", "data/0": numbers, "version": b"3\n"}
        for name, part in parts.items():
            archive.writestr(f"archive/{name}", part)


def legacy(path: Path, value: Any, numbers: int = 64) -> None:
    """A stream as older versions wrote it."""
    system = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {}}
    plain = [pickle.dumps(part, 2) for part in (MAGIC, PROTOCOL, system)]
    stream = [*plain, pickled(value, legacy=True), pickle.dumps(["0"], 2), struct.pack("<q", numbers)]
    path.write_bytes(b"".join(stream) + bytes(4 * numbers))


def checkpoint(tensor: Any) -> dict[str, Any]:
    """Fields of a fitted density and of a checkpoint at once."""
    return {"format": "ebmtrack.fitted", "version": 1, "net": {"w": tensor}, "weights": {"w": tensor}}


TENSORS = {
    "more numbers than bytes": Tensor(HUGE, (HUGE,), (1,)),
    "one number too many": Tensor(65, (65,), (1,)),
    "larger than its storage": Tensor(64, (HUGE,), (1,)),
    "expanded": Tensor(64, (HUGE, 1), (0, 1)),
    "negative size": Tensor(64, (-1, -64), (1, 1)),
    "negative stride": Tensor(64, (8, 8), (-8, 1)),
    "behind its storage": Tensor(64, (8,), (1,), offset=2**40),
    "negative storage": Tensor(-64, (8,), (1,)),
    "bytes of nothing": Call(bytearray, HUGE),
    "tensor of nothing": Call(torch.FloatTensor, HUGE),
}
NESTED = b"\x80\x02}X\x03\x00\x00\x00net}" + b")" + b"\x85" * 1_000_000 + b"K\x01ss."
LISTS = b"\x80\x02" + b"]" * 20_000_000 + b"."


DEEP = b"\x80\x02}X\x03\x00\x00\x00net" + b"]" * 100_000 + b"a" * 99_999 + b"s."


def laughs(levels: int = 14) -> list:
    """A list that is small in a file and endless to go through."""
    value: list = []
    for _ in range(levels):
        value = [value] * 10
    return value


def array_file(path: Path, entry: dict[str, Any], length: int | None = None) -> None:
    """An annotation index with one entry."""
    header = json.dumps({"meta": {}, "arrays": {"a": {"crc": 0, **entry}}, "size": 64}).encode()
    start = (
        b"EBMTARR1" + (length or len(header)).to_bytes(4, "little") + zlib.crc32(header).to_bytes(4, "little")
    )
    body = start + header
    path.write_bytes(body.ljust(-(-len(body) // 64) * 64, b"\0") + bytes(64))


def archive(path: Path, header: str, data: bytes = b"") -> None:
    """An npz file with one array, its header given."""
    text = header.encode().ljust(117) + b"\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data)


def write_all(folder: Path) -> None:
    """Every crafted file, its name telling what is wrong with it; the suffix tells who reads it."""
    for name, value in TENSORS.items():
        container(folder / f"{name}.pt", pickled(checkpoint(value)))
        legacy(folder / f"{name}, legacy.pt", checkpoint(value))
    whole = pickled(checkpoint(Tensor(30_000_000, (30_000_000,), (1,))))
    container(folder / "bomb.pt", whole, bytes(120_000_000), compress=True)
    container(folder / "nested keys.pt", NESTED)
    container(folder / "lists.pt", LISTS)
    container(folder / "deep.pt", DEEP)
    container(folder / "laughs.pt", pickled({"net": laughs(), "format": "ebmtrack.fitted"}))
    constructor = NetConstructor("dimpnet18", "ltr.models.tracking.dimpnet", (laughs(),), {})
    container(folder / "laughs inside.pt", pickled({"net": {}, "constructor": constructor}))
    (folder / "lists, bare.pt").write_bytes(LISTS)
    fields = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d,)}"
    archive(folder / "more numbers than bytes.npz", fields % HUGE)
    archive(folder / "negative size.npz", fields % -1)
    archive(folder / "bomb.npz", fields % 30_000_000, bytes(120_000_000))
    archive(folder / "objects.npz", "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", bytes(8))
    plain = {"dtype": "<f4", "offset": 0}
    array_file(folder / "more numbers than bytes.idx", {**plain, "shape": [HUGE]})
    array_file(folder / "negative size.idx", {**plain, "shape": [-1, -16]})
    array_file(folder / "no numbers, many rows.idx", {**plain, "shape": [0, 10**30], "offset": 64})
    array_file(folder / "behind its end.idx", {**plain, "shape": [4], "offset": 2**40})
    array_file(folder / "header longer than the file.idx", {**plain, "shape": [4]}, length=2**32 - 1)
    (folder / "nested.json").write_text("[" * 1_000_000)
    (folder / "digits.json").write_text('{"a": ' + "9" * 1_000_000 + "}")
    header = json.dumps({"w": {"dtype": "F32", "shape": [HUGE], "data_offsets": [0, 4 * HUGE]}}).encode()
    (folder / "more numbers than bytes.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    (folder / "long header.safetensors").write_bytes(struct.pack("<Q", 2**62) + header)


def _read(path: Path) -> None:
    import ebm
    from ebm.integrity.array_archives import read_array_archive
    from ebm.integrity.json_files import read_sealed_json
    from ltr.admin.checkpoint_io import read_checkpoint
    from ltr.admin.state_dicts import read_state_dict
    from ltr.dataset.array_file import read_arrays

    {
        ".pt": read_checkpoint,
        ".fitted": ebm.load_fitted,
        ".npz": read_array_archive,
        ".idx": lambda file: read_arrays(file, "index"),
        ".json": read_sealed_json,
        ".safetensors": read_state_dict,
    }[path.suffix](path)


def main(folder: Path, spare: int) -> None:
    """Read every file with `spare` bytes of memory more than before the first; print what came of each."""
    torch.save({"net": {"w": torch.zeros(3)}}, folder / "sound.pt")
    _read(folder / "sound.pt")  # imports everything
    np.zeros(1)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + spare, resource.RLIM_INFINITY))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes = {}
    for path in sorted(folder.iterdir()):
        try:
            _read(path)
            outcomes[path.name] = "read"
        except EBMError as error:
            outcomes[path.name] = f"refused: {error}"
        except BaseException as error:  # noqa: BLE001  what it is, is the question
            outcomes[path.name] = f"{type(error).__name__}: {error}"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({"outcomes": outcomes, "grown_mib": grown / 1024}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
