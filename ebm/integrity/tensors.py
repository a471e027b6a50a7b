"""What the pickle of a torch file would have allocated, found out without allocating any of it.

The pickle is gone through with stand-ins: a tensor is its numbers, an unknown class an empty shell. By itself
`torch.load` believes every number in it, and makes room before it looks for the bytes.
"""

import math
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any, Protocol

__all__ = ["PICKLE_BYTES", "Capped", "scan_pickle"]

PICKLE_BYTES = 1 << 23  # a pickle without its tensors
_OBJECTS = 500_000  # tensors, lists and tables in one file; each takes up to a hundred times its bytes there
_DEPTH, _UNFOLDED = 100, 5_000_000  # lists within lists; items, those of a list as often as it stands there
_REPEATED = 1 << 20  # numbers that a tensor may show beyond those it holds, as expanded ones do
_ITEM_BYTES = {
    **dict.fromkeys(("Double", "Long", "ComplexFloat"), 8),
    **dict.fromkeys(("Float", "Int", "QInt32"), 4),
    **dict.fromkeys(("Half", "BFloat16", "Short"), 2),
    **dict.fromkeys(("Char", "Byte", "Bool", "QInt8", "QUInt8", "Untyped"), 1),
    "ComplexDouble": 16,
}
_KEYS = (str, bytes, int, float, bool, type(None))


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...

    def readline(self) -> bytes: ...


class Capped:
    """A file whose pickles end before a limit; no read asks for more than there is.

    Args:
        file: at the beginning of the pickles.
        limit: bytes from there on.
    """

    def __init__(self, file: IO[bytes], limit: int) -> None:
        self._file, self._left = file, limit

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes."""
        return self._counted(self._file.read(min(size, self._left + 1) if size >= 0 else self._left + 1))

    def readline(self) -> bytes:
        """One line."""
        return self._counted(self._file.readline(self._left + 1))

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"what describes its tensors takes more than {PICKLE_BYTES} bytes")
        return data


@dataclass(frozen=True)
class _Storage:
    """Numbers in a row."""

    length: int
    item: int  # bytes of a number


class _Shell:
    """Stands for an object of any class: takes whatever a pickle does to it."""

    inside: list[Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> "_Shell":
        shell = super().__new__(cls)
        shell.inside = [*args]
        return shell

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        return

    def __setstate__(self, state: Any) -> None:
        self.inside.append(state)

    def append(self, item: Any) -> None:
        """Nothing."""

    def extend(self, items: Any) -> None:
        """Nothing."""

    def __setitem__(self, key: Any, value: Any) -> None:
        return


class _Tensor(_Shell):
    """A tensor, or a parameter of old files that is given its storage later."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if any(
            isinstance(arg, int) and not isinstance(arg, bool) or isinstance(arg, list | tuple)
            for arg in args
        ):
            raise ValueError("it asks for a tensor without numbers")

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple | list) and len(state) >= 4 and isinstance(state[0], _Storage):
            _view(*state[:4])


def _view(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> _Tensor:
    """A tensor in a storage, if it lies in it."""
    if not isinstance(storage, _Storage):
        raise ValueError("it has a tensor without numbers")
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or not all(isinstance(n, int) and 0 <= n < 1 << 62 for n in numbers):
        raise ValueError(f"it has a tensor of shape {tuple(size)} with strides {tuple(stride)}")
    count = math.prod(size)
    end = offset + 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if count else 0
    if end > storage.length or count > max(storage.length, _REPEATED):
        raise ValueError(f"it has a tensor of shape {tuple(size)} in a storage of {storage.length} numbers")
    return _Tensor()


def _same(data: Any, *_: Any) -> Any:
    return data


def _simple(items: Any) -> None:
    # The hash of a tuple nested a million deep ends the process.
    if not all(isinstance(item, _KEYS) for item in items):
        raise ValueError("it has a table under other keys than words and numbers")


def _ordered(*args: Any) -> OrderedDict[Any, Any]:
    pairs = [tuple(pair) for pair in (args[0] if args else ())]
    _simple(key for key, _ in pairs)
    return OrderedDict(pairs)


def _set(items: Any = ()) -> _Shell:
    _simple(items)
    return _Shell()


def _bytes(value: Any = b"", *_: Any) -> _Shell:
    if isinstance(value, int):
        raise ValueError(f"it asks for {value} bytes that it does not hold")
    return _Shell()


def _refused(*_: Any) -> Any:
    raise ValueError("it has tensors of a kind that is not used for weights")


_CALLS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _ordered,
    "collections.Counter": _set,
    "builtins.set": _set,
    "builtins.bytearray": _bytes,
    "torch.nn.parameter.Parameter": _Tensor,
    "torch.Tensor": _Tensor,
    "torch._utils._rebuild_parameter": _same,
    "torch._utils._rebuild_parameter_with_state": _same,
    "torch._tensor._rebuild_from_type_v2": _refused,
}


def _with_simple_keys(opcode: bytes, keys: slice) -> Callable[[Any], None]:
    """What the opcode does, once the keys on the stack were looked at."""
    load = pickle._Unpickler.dispatch[opcode[0]]

    def checked(scanner: Any) -> None:
        _simple(scanner.stack[keys])
        load(scanner)

    return checked


def _counting(opcode: bytes) -> Callable[[Any], None]:
    """What the opcode does, once it is counted."""
    load = pickle._Unpickler.dispatch[opcode[0]]

    def counted(scanner: Any) -> None:
        scanner.count()
        load(scanner)

    return counted


_MAKING = (pickle.EMPTY_LIST, pickle.EMPTY_DICT, pickle.EMPTY_SET, pickle.MARK, pickle.NEWOBJ, pickle.REDUCE)
_UNUSED = (pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.EXT1, pickle.EXT2, pickle.EXT4)
_DISPATCH = {
    code: load for code, load in pickle._Unpickler.dispatch.items() if bytes([code]) not in _UNUSED
} | {
    **{opcode[0]: _counting(opcode) for opcode in _MAKING},
    pickle.SETITEM[0]: _with_simple_keys(pickle.SETITEM, slice(-2, -1)),
    pickle.SETITEMS[0]: _with_simple_keys(pickle.SETITEMS, slice(None, None, 2)),
}


class _Scanner(pickle._Unpickler):
    """Goes through a pickle; nothing that it names is looked up.

    Args:
        file: the pickle.
        room: bytes of every storage by key, or of all of them together.
    """

    dispatch = _DISPATCH

    def __init__(self, file: _Readable, room: Mapping[str, int] | int) -> None:
        super().__init__(file, encoding="utf-8", errors="surrogateescape")
        self._room, self._taken, self._made = room, 0, 0
        self._storages: dict[Any, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}".replace("__builtin__", "builtins")
        if full in _CALLS:
            return _CALLS[full]
        if full in (
            "torch._utils._rebuild_tensor",
            "torch._utils._rebuild_tensor_v2",
            "torch._utils._rebuild_tensor_v3",
        ):
            return _view
        if module in ("torch", "torch.storage") and name.endswith("Storage"):
            return _ITEM_BYTES.get(name.removesuffix("Storage"), _Shell)
        if full.startswith("torch._utils._rebuild_"):
            return _refused
        if module.startswith("torch") and name.endswith("Tensor"):
            return _Tensor
        return _Shell

    def count(self) -> None:
        self._made += 1
        if self._made > _OBJECTS:
            raise ValueError(f"it has more than {_OBJECTS} lists, tables and tensors")

    def persistent_load(self, pid: Any) -> Any:
        if isinstance(pid, tuple) and pid and pid[0] not in ("storage", b"storage"):
            return _Shell  # class of a whole module, which torch refuses by name
        if not isinstance(pid, tuple) or len(pid) < 5:
            raise ValueError("it has a storage without a size")
        _, item, key, _, length, *view = pid
        if not isinstance(item, int) or not isinstance(length, int) or length < 0:
            raise ValueError(f"it has a storage of {length!r} numbers of an unknown kind")
        _simple([key])
        if key not in self._storages:
            self._storages[key] = _Storage(length, item)
            self._taken += length * item
        found = self._storages[key]
        if isinstance(self._room, int):
            room, needed = self._room, self._taken
        else:
            room, needed = self._room.get(str(key), 0), length * item
        if needed > room or (length, item) != (found.length, found.item):
            raise ValueError(f"it has a storage of {length} numbers, and fewer bytes than these take")
        if view and view[0]:
            offset, count = view[0][1:3]
            return _Storage(max(min(count, found.length - offset), 0), item)
        return found


def scan_pickle(file: _Readable, room: Mapping[str, int] | int) -> Any:
    """Go through one pickle of a torch file.

    Args:
        file: at its beginning.
        room: bytes of every storage by its key, as there are; or of all of them together.

    Returns: what it holds, with stand-ins for tensors and objects.

    Raises:
        ValueError: if it describes tensors that the file has no numbers for, or has a structure that none of
            these files has; other errors of `pickle` where it is damaged.
    """
    found = _Scanner(file, room).load()
    _require_shallow(found)
    return found


def _require_shallow(value: Any) -> None:
    """Have lists and tables nested as those of weights are; who goes through them by recursion relies on it.

    Raises:
        ValueError: if they are nested deeper, or so often in each other that going through them never ends.
    """
    left = _UNFOLDED
    stack: list[tuple[Any, int]] = [([value], 0)]
    while stack:
        found, depth = stack.pop()
        inside = found.values() if isinstance(found, dict) else found
        inside = inside.inside if isinstance(inside, _Shell) else inside
        left -= 1 + len(inside)
        if left < 0 or depth > _DEPTH:
            raise ValueError("it has lists in lists as no file of weights has")
        stack += [(item, depth + 1) for item in inside if isinstance(item, list | tuple | dict | _Shell)]
