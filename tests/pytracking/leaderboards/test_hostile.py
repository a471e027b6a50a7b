"""Archives that mean harm are refused before a byte of them is unpacked."""

import stat
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pytest

from ebm.exceptions import InputError
from pytracking.leaderboards.archives import look_inside, opened


def packed(path: Path, name: str, data: bytes = b"1,2,3,4\n", mode: int = 0) -> Path:
    entry = ZipInfo(name)
    entry.compress_type, entry.external_attr = ZIP_DEFLATED, mode << 16
    with ZipFile(path, "a") as archive:
        archive.writestr(entry, data)
    return path


@pytest.mark.parametrize("name", ["../a.txt", "a/../../b.txt", "/etc/passwd", "C:/a.txt", "a\\..\\b.txt"])
def test_a_path_that_leads_outside_is_refused(name: str, tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.zip", name)
    assert [finding.code for finding in look_inside(archive)] == ["path"]
    with pytest.raises(InputError, match="leads outside"), opened(archive):
        pass


def test_a_link_is_refused(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.zip", "a.txt", b"/etc/passwd", stat.S_IFLNK | 0o777)
    assert [finding.code for finding in look_inside(archive)] == ["link"]


def test_a_flood_is_refused(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.zip", "a.txt", b"0" * (8 << 20))
    assert archive.stat().st_size < 10_000
    assert [finding.code for finding in look_inside(archive)] == ["flood"]


def test_boxes_that_never_move_are_no_flood(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.zip", "a.txt", b"100.00,120.00,30.00,40.00\n" * 12_000)
    assert look_inside(archive) == []
    with opened(archive) as inside:
        assert len(inside.read("a.txt")) == 26 * 12_000


def test_a_name_twice_is_refused_up_to_case(tmp_path: Path) -> None:
    packed(tmp_path / "a.zip", "Car.txt")
    archive = packed(tmp_path / "a.zip", "car.txt")
    assert [(finding.code, finding.where) for finding in look_inside(archive)] == [("twice", "car.txt")]


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.zip", "a.txt")
    data = bytearray(archive.read_bytes())
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    assert [finding.code for finding in look_inside(archive)] == ["encrypted"]


@pytest.mark.parametrize("content", [b"", b"x,y,w,h\n", b"PK\x03\x04 but no more"])
def test_what_is_no_zip_is_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    assert [finding.code for finding in look_inside(path)] == ["not-a-zip"]


def test_an_archive_cut_short_or_changed_is_told(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.zip", "a.txt", bytes(range(48, 58)) * 900)
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    assert [finding.code for finding in look_inside(archive)] == ["not-a-zip"]
    at = whole.find(b"a.txt") + 7
    archive.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
    with opened(archive) as inside, pytest.raises(InputError, match="cannot be unpacked"):
        inside.read("a.txt")


def test_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no archive"):
        look_inside(tmp_path / "a.zip")
