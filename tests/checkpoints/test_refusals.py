"""Files that must not be read: hostile, truncated, or no checkpoints at all. Nothing in them runs."""

import functools
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ebm.exceptions import InputError
from ltr.admin.checkpoint_io import network_fields, read_checkpoint, write_checkpoint
from ltr.admin.loading import load_network
from ltr.admin.model_constructor import NetConstructor


class Hostile:
    """Creates a file when it is unpickled by an unrestricted reader."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return (os.system, (f"touch {self.target}",))


@pytest.mark.parametrize("zip_container", [True, False], ids=["zip", "legacy"])
def test_a_hostile_file_is_refused_by_name_and_runs_nothing(tmp_path: Path, zip_container: bool) -> None:
    target, path = tmp_path / "ran", tmp_path / "hostile.pth"
    fields = {"net": {"w": torch.zeros(1)}, "settings": Hostile(target)}
    torch.save(fields, path, _use_new_zipfile_serialization=zip_container)
    with pytest.raises(InputError, match=r"refers to \w+\.system, which is not among the classes"):
        read_checkpoint(path)
    assert not target.exists()
    torch.load(path, weights_only=False)  # the file is a real threat
    assert target.exists()


def test_a_bare_pickle_is_refused(tmp_path: Path) -> None:
    target, path = tmp_path / "ran", tmp_path / "bare.pth"
    path.write_bytes(pickle.dumps(Hostile(target), protocol=2))
    with pytest.raises(InputError, match=r"bare\.pth"):
        read_checkpoint(path)
    assert not target.exists()


def test_a_constructor_that_is_not_ours_is_never_called(net, tmp_path: Path) -> None:
    target, path = tmp_path / "ran", tmp_path / "calls.pth"
    constructor = NetConstructor("system", "os", (f"touch {target}",), {})
    write_checkpoint(path, {**network_fields(net), "constructor": constructor})
    with pytest.raises(InputError, match=r"network os\.system, which is not one of those.*dimpnet18"):
        load_network(path)
    assert not target.exists()


SYSTEM = b"S'touch ran'\n"


@pytest.mark.parametrize(
    "stream",
    [
        *(pickle.dumps({"net": Hostile(Path("ran"))}, protocol=number) for number in range(6)),
        b"cposix\nsystem\n(" + SYSTEM + b"tR.",
        b"(" + SYSTEM + b"iposix\nsystem\n.",
        b"(cposix\nsystem\n" + SYSTEM + b"o.",
    ],
    ids=[*(f"protocol {number}" for number in range(6)), "GLOBAL", "INST", "OBJ"],
)
@pytest.mark.parametrize("container", ["bare", "zip"])
def test_what_is_refused_is_named_however_it_is_written(
    stream: bytes,
    container: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recwarn: pytest.WarningsRecorder,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "hostile.pth"
    path.write_bytes(stream)
    if container == "zip":
        torch.save({}, path)
        with zipfile.ZipFile(path) as old:
            members = {name: old.read(name) for name in old.namelist()}
        with zipfile.ZipFile(path, "w") as new:
            for name, content in members.items():
                new.writestr(name, stream if name.endswith("/data.pkl") else content)
    with pytest.raises(InputError, match=r"refers to posix\.system, which is not among the classes") as error:
        read_checkpoint(path)
    assert "weights_only" not in str(error.value)  # torch's advice how to run it after all
    assert not recwarn.list
    assert not Path("ran").exists()


@pytest.mark.parametrize("what", [eval, exec, functools.partial, getattr, __import__, torch.load])
def test_functions_of_any_module_are_named(what: Callable[..., object], tmp_path: Path) -> None:
    path = tmp_path / "hostile.pth"
    torch.save({"net": {"w": torch.zeros(1)}, "stats": [({"deep": what},)]}, path)
    with pytest.raises(InputError, match=rf"refers to [\w.]+\.{what.__name__}, which"):
        read_checkpoint(path)


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
@pytest.mark.parametrize("zip_container", [True, False], ids=["zip", "legacy"])
def test_a_whole_module_is_refused_by_its_name(tmp_path: Path, zip_container: bool) -> None:
    path = tmp_path / "module.pth"
    torch.save(torch.nn.Linear(2, 2), path, _use_new_zipfile_serialization=zip_container)
    with pytest.raises(InputError, match=r"refers to torch\.nn\.modules\.linear\.Linear, which is not among"):
        read_checkpoint(path)


@pytest.mark.parametrize("zip_container", [True, False], ids=["zip", "legacy"])
def test_files_cut_anywhere_are_said_to_be_truncated(net, tmp_path: Path, zip_container: bool) -> None:
    path = tmp_path / "cut.pth.tar"
    torch.save(network_fields(net), path, _use_new_zipfile_serialization=zip_container)
    content = path.read_bytes()
    for length in [*range(0, 700, 3), *range(len(content) // 7, len(content), len(content) // 7)]:
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"cut\.pth\.tar.*truncated"):
            read_checkpoint(path)


@pytest.mark.parametrize(
    ("args", "kwds"), [("ab", {}), ((), {"filter_size": "big"}), ((), {"out_feature_dim": 10**12})]
)
def test_recorded_arguments_that_build_nothing_are_an_error(net, tmp_path: Path, args, kwds) -> None:
    path = tmp_path / "odd.pth"
    constructor = NetConstructor("dimpnet_small", "ltr.models.tracking.dimpnet", args, kwds)
    write_checkpoint(path, {**network_fields(net), "constructor": constructor})
    with pytest.raises(InputError, match="recorded arguments of .*dimpnet_small build no network"):
        load_network(path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_files(written: Path, tmp_path: Path, share: float) -> None:
    content = written.read_bytes()
    path = tmp_path / "cut.pth.tar"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"cut\.pth\.tar.*truncated"):
        read_checkpoint(path)


def test_files_that_are_no_checkpoints(net, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No file .*absent"):
        read_checkpoint(tmp_path / "absent.pth")
    with pytest.raises(InputError, match="it is a folder"):
        read_checkpoint(tmp_path)
    text = tmp_path / "text.pth"
    text.write_text("cd somewhere; export A=1\nnot a checkpoint, but it begins like the name of a class\n")
    with pytest.raises(InputError, match=r"text\.pth.*not a torch file"):
        read_checkpoint(text)
    bare = tmp_path / "bare.pth"
    torch.save(net.state_dict(), bare)
    with pytest.raises(InputError, match="no field 'net'"):
        read_checkpoint(bare)
    odd = tmp_path / "odd.pth"
    torch.save({"net": {"w": [1, 2]}}, odd)
    with pytest.raises(InputError, match="'w' is a list"):
        read_checkpoint(odd)
    nameless = tmp_path / "nameless.pth"
    torch.save({"net": dict(net.state_dict())}, nameless)
    with pytest.raises(InputError, match="does not say how its network is built"):
        load_network(nameless)


def test_a_zip_of_an_unknown_version_behind_a_damaged_start_is_refused(net, tmp_path: Path) -> None:
    """The container is not taken for one by its first bytes, but is by its end, when names are looked up."""
    path = tmp_path / "a.pth.tar"
    torch.save({"net": net.state_dict()}, path)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 6] = 64  # version needed to extract: 6.4
    content.insert(2, 3)
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_checkpoint(path)
