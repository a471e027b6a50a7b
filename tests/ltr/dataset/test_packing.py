"""Packed datasets: the same frames and boxes, resumable, and clear about damage."""

import os
import pickle
import resource
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from ebm.exceptions import DomainError, InputError
from ltr.data.image_loader import read_image
from ltr.data.video import VideoDataset
from ltr.dataset import Got10k, LaSOT, MSCOCOSeq, PackedVideos, TrackingNet, open_dataset, packing
from ltr.dataset.array_file import read_arrays, write_arrays
from ltr.dataset.own_folders import FolderVideos
from ltr.dataset.packing import pack_dataset
from ltr.dataset.shard_writer import PROGRESS_FILE
from tests.ltr.layouts import write_coco, write_got10k, write_lasot, write_trackingnet

NAMES = ("cat-1", "cat-2", "dog-7")
READERS: dict[str, Callable[[Path], VideoDataset]] = {
    "lasot": lambda root: LaSOT(write_lasot(root), NAMES),
    "got10k": lambda root: Got10k(write_got10k(root)),
    "trackingnet": lambda root: TrackingNet(write_trackingnet(root)),
    "coco": lambda root: MSCOCOSeq(write_coco(root)),
}


def pack(dataset: VideoDataset, out: Path, **options) -> PackedVideos:
    pack_dataset(dataset, out, progress=False, **options)
    return PackedVideos(out)


@pytest.mark.parametrize("name", READERS)
def test_a_packed_dataset_is_the_dataset(tmp_path: Path, name: str) -> None:
    loose = READERS[name](tmp_path / "loose")
    packed = pack(loose, tmp_path / "packed", shard_bytes=40_000)
    assert isinstance(packed, VideoDataset)
    assert (packed.name, packed.is_video, len(packed)) == (loose.name, loose.is_video, len(loose))
    assert len(list((tmp_path / "packed").glob("shard-*.bin"))) > 1 or name == "coco"
    for index in range(len(loose)):
        assert packed.sequence_name(index) == loose.sequence_name(index)
        assert packed.class_name(index) == loose.class_name(index)
        a, b = loose.annotation(index), packed.annotation(index)
        for field in ("boxes", "valid", "visible", "visible_ratio"):
            left, right = getattr(a, field), getattr(b, field)
            assert (left is None) == (right is None)
            if left is not None:
                np.testing.assert_array_equal(left, right)
        for frame in range(len(a)):
            assert packed.frame_path(index, frame).read_bytes() == loose.frame_path(index, frame).read_bytes()
    np.testing.assert_array_equal(read_image(packed.frame_path(1, 0)), read_image(loose.frame_path(1, 0)))


def test_an_image_of_several_objects_is_packed_once(tmp_path: Path) -> None:
    report = pack_dataset(MSCOCOSeq(write_coco(tmp_path / "c")), tmp_path / "p", progress=False)
    assert (report.sequences, report.pictures) == (9, 3)
    assert PackedVideos(tmp_path / "p").frame_path(7, 5).read_bytes()


def test_a_part_of_a_packed_dataset(tmp_path: Path) -> None:
    loose = READERS["lasot"](tmp_path / "l")
    pack(loose, tmp_path / "p")
    part = PackedVideos(tmp_path / "p", ["dog-7", "cat-1"])
    assert part.frame_path(0, 3).read_bytes() == loose.frame_path(2, 3).read_bytes()
    again = pickle.loads(pickle.dumps(part))
    assert again.frame_path(1, 0).read_bytes() == loose.frame_path(0, 0).read_bytes()
    with pytest.raises(InputError, match="packed lasot at .* lacks 1 of 1 sequences: cat-11"):
        PackedVideos(tmp_path / "p", ["cat-11"])
    assert PackedVideos(tmp_path / "p", ["cat-1", "x"], allow_missing=True).missing == ("x",)


def test_a_configured_root_may_be_packed(tmp_path: Path) -> None:
    pack(READERS["lasot"](tmp_path / "l"), tmp_path / "p")
    assert isinstance(open_dataset("lasot", tmp_path / "p"), PackedVideos)
    with pytest.raises(InputError, match="holds packed lasot, not got10k"):
        open_dataset("got10k", tmp_path / "p")


def _damage_index(out: Path) -> None:
    data = bytearray((out / "index.ebt").read_bytes())
    data[-70] ^= 1
    (out / "index.ebt").write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda out: (out / "shard-00001.bin").unlink(), "shard-00001.bin cannot be read .No such file"),
        (lambda out: os.truncate(out / "shard-00000.bin", 500), "shard-00000.bin has 500 bytes instead of"),
        (_damage_index, "index.ebt cannot be used: its part 'place' is damaged"),
        (lambda out: os.truncate(out / "index.ebt", 300), "index.ebt cannot be used: "),
        (lambda out: (out / "index.ebt").write_bytes(b"GIF89a" * 90), "does not begin as such a file does"),
    ],
)
def test_damage_is_named(tmp_path: Path, damage: Callable[[Path], object], message: str) -> None:
    pack(READERS["lasot"](tmp_path / "l"), tmp_path / "p", shard_bytes=40_000)
    damage(tmp_path / "p")
    with pytest.raises(InputError, match=message):
        PackedVideos(tmp_path / "p")


def test_a_shard_cut_while_in_use_is_a_truncated_image(tmp_path: Path) -> None:
    packed = pack(READERS["lasot"](tmp_path / "l"), tmp_path / "p")
    os.truncate(tmp_path / "p/shard-00000.bin", 1500)
    with pytest.raises(InputError, match=r"bytes 0 to .*sequence cat-1, frame 0.: the image is truncated"):
        read_image(packed.frame_path(0, 0), sequence="cat-1", frame=0)
    with pytest.raises(InputError, match="the file is empty"):
        read_image(packed.frame_path(2, 0))


class Stop(Exception):
    """In place of a power cut."""


def interrupted(monkeypatch: pytest.MonkeyPatch, dataset: VideoDataset, out: Path, after: int) -> None:
    """Pack until some pictures have been read."""
    # By the picture: a thread that has to wait makes another call the first, second or third.
    read, last = packing._read, next(islice(packing._sources(dataset), after, None))

    def stopping(*arguments):
        if arguments[:2] == last[:2]:
            raise Stop
        return read(*arguments)

    monkeypatch.setattr(packing, "_read", stopping)
    with pytest.raises(Stop):
        pack_dataset(dataset, out, shard_bytes=40_000, progress=False)
    monkeypatch.setattr(packing, "_read", read)


def test_an_interrupted_packing_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, out = READERS["lasot"](tmp_path / "l"), tmp_path / "p"
    interrupted(monkeypatch, dataset, out, after=50)
    assert not (out / "index.ebt").exists()
    shards = sorted(out.glob("shard-*.bin"))
    with shards[-1].open("ab") as file:  # what had not been recorded is thrown away
        file.write(b"half a picture")
    report = pack_dataset(dataset, out, shard_bytes=40_000, progress=False)
    assert 0 < report.resumed < 72
    whole = tmp_path / "whole"
    pack_dataset(dataset, whole, shard_bytes=40_000, progress=False)
    names = sorted(file.name for file in whole.iterdir())
    assert sorted(file.name for file in out.iterdir()) == names
    for name in names:
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    assert pack_dataset(dataset, out, progress=False).pictures == 72  # done already


@pytest.mark.parametrize("bit", [3, 64 + 5, 10 * 256 + 130, 20 * 256 + 200, 25 * 256 + 255, 40 * 256 + 12])
def test_a_damaged_record_of_an_interrupted_packing_costs_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bit: int
) -> None:
    dataset, out = LaSOT(write_lasot(tmp_path / "l", frames=16), NAMES), tmp_path / "p"
    interrupted(monkeypatch, dataset, out, after=47)
    record = bytearray((out / PROGRESS_FILE).read_bytes())
    record[bit // 8] ^= 1 << bit % 8
    (out / PROGRESS_FILE).write_bytes(record)
    assert pack_dataset(dataset, out, shard_bytes=40_000, progress=False).resumed == bit // 256
    for number, picture in enumerate(PackedVideos(out).pictures()):
        assert picture.problem() == "", number


def test_records_of_older_versions_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, out = LaSOT(write_lasot(tmp_path / "l", frames=16), NAMES), tmp_path / "p"
    interrupted(monkeypatch, dataset, out, after=47)
    record = np.frombuffer((out / PROGRESS_FILE).read_bytes(), np.int64).reshape(-1, 4).copy()
    record[:, 3] &= 0xFFFFFFFF  # they had no checksum of their own
    (out / PROGRESS_FILE).write_bytes(record.tobytes())
    assert pack_dataset(dataset, out, shard_bytes=40_000, progress=False).resumed == len(record)


def test_a_changed_picture_is_refused_by_name(tmp_path: Path) -> None:
    packed = pack(READERS["lasot"](tmp_path / "l"), tmp_path / "p")
    where = packed.frame_path(1, 3)
    with (tmp_path / "p/shard-00000.bin").open("r+b") as file:
        file.seek(where.offset + where.length // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 8]))
    with pytest.raises(
        InputError, match=r"shard-00000\.bin.*sequence cat-2, frame 3.*not those that were packed"
    ):
        read_image(where, sequence="cat-2", frame=3)


def test_pictures_outside_the_shards_are_refused(tmp_path: Path) -> None:
    pack(READERS["lasot"](tmp_path / "l"), tmp_path / "p")
    meta, arrays = read_arrays(tmp_path / "p/index.ebt", "index")
    for row in ([0, 0, 2**60, 0], [1, 0, 5, 0], [0, -1, 5, 0], [-1, 0, 5, 0], [0, 2**62, 2**62, 0]):
        place = arrays["place"].copy()
        place[3] = row
        write_arrays(tmp_path / "p/index.ebt", meta, {**arrays, "place": place})
        with pytest.raises(InputError, match=r"index\.ebt places pictures outside its shards"):
            PackedVideos(tmp_path / "p")


def test_an_interrupted_packing_of_other_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(monkeypatch, READERS["lasot"](tmp_path / "l"), tmp_path / "p", after=30)
    with pytest.raises(InputError, match="unfinished packing of other data"):
        pack(READERS["got10k"](tmp_path / "g"), tmp_path / "p", shard_bytes=40_000)
    with pytest.raises(InputError, match="or with other options"):
        pack(LaSOT(tmp_path / "l", NAMES), tmp_path / "p", shard_bytes=50_000)
    pack(LaSOT(tmp_path / "l", NAMES), tmp_path / "q")
    with pytest.raises(InputError, match="already holds lasot, packed from other sequences"):
        pack(LaSOT(tmp_path / "l", NAMES[:2]), tmp_path / "q")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.tex").touch()
    with pytest.raises(InputError, match="not an empty folder"):
        pack(LaSOT(tmp_path / "l", NAMES), tmp_path / "full")
    with pytest.raises(DomainError):
        pack(LaSOT(tmp_path / "l", NAMES), tmp_path / "r", shard_bytes=0)


def test_two_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    interrupted(monkeypatch, READERS["lasot"](tmp_path / "l"), tmp_path / "p", after=30)
    with (tmp_path / "p" / PROGRESS_FILE).open("ab") as held:
        fcntl.flock(held.fileno(), fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another process is packing"):
            pack(LaSOT(tmp_path / "l", NAMES), tmp_path / "p", shard_bytes=40_000)
    assert len(pack(LaSOT(tmp_path / "l", NAMES), tmp_path / "p", shard_bytes=40_000)) == 3


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from ebm.exceptions import InputError
from ltr.dataset import LaSOT
from ltr.dataset.packing import pack_dataset
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    pack_dataset(LaSOT(sys.argv[1], ["cat-1", "cat-2", "dog-7"]), Path(sys.argv[2]), progress=False)
except InputError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit on file sizes here")
def test_a_full_disk_is_an_error_and_loses_nothing(tmp_path: Path) -> None:
    dataset = READERS["lasot"](tmp_path / "l")
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "l"), str(tmp_path / "p")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert result.returncode == 0, result.stderr
    assert "packing into" in result.stdout
    assert "make room, and give the same command again" in result.stdout
    packed = pack(dataset, tmp_path / "p")
    assert packed.frame_path(2, 23).read_bytes() == dataset.frame_path(2, 23).read_bytes()


def test_what_is_broken_is_not_packed(tmp_path: Path) -> None:
    dataset = READERS["lasot"](tmp_path / "l")
    file = tmp_path / "l/cat/cat-2/img/00000004.jpg"
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    with pytest.raises(InputError, match="sequence cat-2, frame 3.: the image is truncated"):
        pack(dataset, tmp_path / "p")
    file.write_bytes(whole)
    assert len(pack(dataset, tmp_path / "p")) == 3
    (tmp_path / "l/dog/dog-7/groundtruth.txt").write_text("1,2,3,4\n")
    with pytest.raises(InputError, match="1 broken sequences cannot be packed .dog-7"):
        pack(LaSOT(tmp_path / "l", NAMES), tmp_path / "q")


def test_every_byte_can_be_checked(tmp_path: Path) -> None:
    packed = pack(READERS["lasot"](tmp_path / "l"), tmp_path / "p")
    assert [picture.problem() for picture in packed.pictures()] == [""] * 72
    where = packed.frame_path(1, 7)
    with (tmp_path / "p/shard-00000.bin").open("r+b") as file:
        file.seek(where.offset + where.length // 2)
        file.write(b"\x01\x02\x03")
    bad = [(p.sequence, p.frame, p.problem()) for p in packed.pictures() if p.problem()]
    assert bad == [("cat-2", 7, "its bytes are not those that were packed")]


def test_pictures_of_14_bits_are_packed_as_they_are_seen(tmp_path: Path) -> None:
    """A shard has no folders, whose pictures decide what is black and white."""
    folder = tmp_path / "loose" / "walk"
    folder.mkdir(parents=True)
    for frame, top in enumerate((16383, 4000)):
        picture = np.repeat(np.linspace(0, top, 40)[None], 30, axis=0).astype(np.uint16)
        cv2.imwrite(str(folder / f"{frame}.png"), picture)
    (folder / "groundtruth.txt").write_text("1,1,9,9\n" * 2)
    loose = FolderVideos(tmp_path / "loose")
    packed = pack(loose, tmp_path / "packed")
    for frame, white in enumerate((255, round(4000 * 255 / 16383))):
        image = read_image(packed.frame_path(0, frame))
        np.testing.assert_array_equal(image, read_image(loose.frame_path(0, frame)))
        assert image.max() == white
