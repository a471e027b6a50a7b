"""Checksums: other readers skip them, files without one are told once, what they cannot hold is refused."""

import hashlib
import io
import json
import logging
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ebm.exceptions import InputError
from ebm.integrity.array_archives import read_array_archive, write_array_archive
from ebm.integrity.checksums import seal_holds, sealed_zip, sha256_of
from ebm.integrity.json_files import read_sealed_json, sealed_text, write_sealed_json
from ebm.integrity.torch_files import read_torch_file
from ebm.integrity.zips import require_sound_zip


def torch_bytes(value: object, **options: bool) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream, **options)
    return stream.getvalue()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pt"
    path.write_bytes(sealed_zip(torch_bytes({"w": torch.arange(5.0)})))
    return path


def test_a_sealed_file_is_what_other_readers_take_it_for(weights: Path) -> None:
    for options in ({}, {"mmap": True}):
        read = torch.load(weights, weights_only=True, **options)
        assert torch.equal(read["w"], torch.arange(5.0))
    with zipfile.ZipFile(weights) as archive:
        assert archive.testzip() is None
        assert archive.comment.startswith(b"ebmtrack sha256 ")


def test_the_checksum_is_that_of_the_file_without_its_comment(weights: Path) -> None:
    content = weights.read_bytes()
    plain = content[:-82] + b"\0\0"  # length of the comment, mark and digits
    assert content[-64:].decode() == hashlib.sha256(plain).hexdigest()
    weights.write_bytes(plain)
    assert zipfile.ZipFile(weights).comment == b""


def test_every_single_byte_is_covered(weights: Path) -> None:
    content = weights.read_bytes()
    for at in range(0, len(content) - 80, 7):
        weights.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(InputError, match=r"weights\.pt is damaged: its checksum"):
            seal_holds(weights)


def test_what_has_no_checksum_is_said_to_have_none_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    value = {"w": torch.zeros(3)}
    files = {
        "zip.pt": (torch_bytes(value), "zip.pt carries no checksum.*CRC-32 of its parts was verified"),
        "legacy.pt": (
            torch_bytes(value, _use_new_zipfile_serialization=False),
            "legacy.pt carries no checksum.*damage to it may go unnoticed",
        ),
    }
    with caplog.at_level(logging.WARNING):
        for name, (content, expected) in files.items():
            (tmp_path / name).write_bytes(content)
            for _ in range(2):
                assert torch.equal(read_torch_file(tmp_path / name)["w"], value["w"])
            (record,) = caplog.records
            assert re.search(expected, record.getMessage())
            caplog.clear()


def test_of_a_file_whose_sha256_is_known_nothing_is_noted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, zipped in (("zip.pt", True), ("legacy.pt", False)):
        path = tmp_path / name
        path.write_bytes(torch_bytes({"w": torch.zeros(3)}, _use_new_zipfile_serialization=zipped))
        with caplog.at_level(logging.WARNING):
            assert torch.equal(read_torch_file(path, sha256=sha256_of(path))["w"], torch.zeros(3))
        assert not caplog.records
        with pytest.raises(InputError, match=rf"{name} is damaged: its SHA-256 is not 0000"):
            read_torch_file(path, sha256="0" * 64)


def test_what_a_torch_file_may_hold_is_read_as_torch_reads_it(tmp_path: Path) -> None:
    shared = torch.arange(12.0)
    value = {
        "half": torch.ones(3).half(),
        "brain": torch.ones(2, dtype=torch.bfloat16),
        "unsigned": torch.ones(2, dtype=torch.uint16),
        "complex": torch.ones(2, dtype=torch.complex64),
        "flag": torch.tensor(True),
        "none": torch.zeros(0, 4),
        "part": shared[2:8:2],
        "turned": shared.view(3, 4).T,
        "repeated": torch.ones(1).expand(1000),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "more": [(1, 2.5, None, "text", b"bytes"), {"a": {0: torch.Size((1, 2))}}],
    }
    for options in ({}, {"_use_new_zipfile_serialization": False}):
        if options:  # torch reads no unsigned numbers out of such streams
            del value["unsigned"]
        path = tmp_path / f"{len(options)}.pt"
        path.write_bytes(torch_bytes(value, **options))
        read = read_torch_file(path)
        assert read["more"] == value["more"]
        for name in value.keys() - {"more"}:
            assert torch.equal(read[name], value[name]), name


def test_an_archive_cut_in_its_comment_is_not_whole(weights: Path) -> None:
    weights.write_bytes(weights.read_bytes()[:-3])
    with pytest.raises(InputError, match="does not end as it says"):
        require_sound_zip(weights)


plain_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), plain_values, max_size=4).filter(lambda d: "sha256" not in d))
def test_sealed_json_is_what_was_written(fields: dict) -> None:
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"ebm-json-{os.getpid()}.json"
    try:
        path.write_text(sealed_text(fields, allow_nan=True), encoding="utf-8", errors="surrogatepass")
        assert json.dumps(read_sealed_json(path)) == json.dumps(fields)
    finally:
        path.unlink()


def test_json_may_be_formatted_but_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_sealed_json(path, {"x": [1, 2.5], "y": "ä", 3: None})
    fields = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(fields.items())), separators=(",", ":")))
    assert read_sealed_json(path) == {"x": [1, 2.5], "y": "ä", "3": None}
    path.write_text(json.dumps(fields | {"y": "b"}))
    with pytest.raises(InputError, match=r"a\.json is damaged: its checksum .*take the field 'sha256' out"):
        read_sealed_json(path)
    path.write_text("[1]")
    with pytest.raises(InputError, match="something else than named values"):
        read_sealed_json(path)
    with pytest.raises(InputError, match=r"b\.json cannot be read: No such file"):
        read_sealed_json(tmp_path / "b.json")


def test_arrays_come_back_in_their_order(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6.0).reshape(2, 3).T, "b": np.zeros((0, 4), np.int8), "c": np.array(3)}
    write_array_archive(tmp_path / "a.npz", arrays)
    read = read_array_archive(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as other:
        for name, array in arrays.items():
            np.testing.assert_array_equal(read[name], array, strict=True)
            np.testing.assert_array_equal(other[name], array, strict=True)


def test_the_checksum_of_a_file_is_that_of_other_tools(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 3_000_000)
    assert sha256_of(tmp_path / "f") == hashlib.sha256(b"x" * 3_000_000).hexdigest()


def test_a_checksum_of_another_kind_is_no_missing_one(tmp_path: Path) -> None:
    write_sealed_json(tmp_path / "a.json", {"a": 1})
    for value in (None, 3, ["x"]):
        (tmp_path / "a.json").write_text(json.dumps({"a": 1, "sha256": value}))
        with pytest.raises(InputError, match="its checksum does not fit"):
            read_sealed_json(tmp_path / "a.json")
