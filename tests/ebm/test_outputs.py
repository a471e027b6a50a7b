"""Outputs that are inputs, other outputs, or cannot be written, under every name that a path can have."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ebm.exceptions import InputError
from ebm.outputs import Output, require_outputs


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    file = tmp_path / "in/clip.mp4"
    file.write_bytes(b"a video")
    return file


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(b"an image")
    return folder


def plain(path: Path) -> Path:
    return path


def dotted(path: Path) -> Path:
    return Path(f"{path.parent}/../{path.parent.name}/./{path.name}")


def symlinked(path: Path) -> Path:
    link = path.parent.parent / "link"
    link.symlink_to(path)
    return link


def through_a_linked_folder(path: Path) -> Path:
    (path.parent.parent / "other").symlink_to(path.parent)
    return path.parent.parent / "other" / path.name


def hard_linked(path: Path) -> Path:
    link = path.parent.parent / "hard"
    os.link(path, link)
    return link


def relative(path: Path) -> Path:
    return Path(os.path.relpath(path))


SPELLINGS = [plain, dotted, symlinked, through_a_linked_folder, hard_linked, relative]


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_an_input_file_under_any_name(clip: Path, spelled: Callable[[Path], Path]) -> None:
    with pytest.raises(InputError, match="would be lost"):
        require_outputs([Output(name="--out", path=spelled(clip))], {"the video": clip})


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_a_frame_of_an_input_folder_under_any_name(frames: Path, spelled: Callable[[Path], Path]) -> None:
    with pytest.raises(InputError, match="a folder that is read"):
        require_outputs([Output(name="--csv", path=spelled(frames / "1.jpg"))], {"the video": frames})


@pytest.mark.parametrize("spelled", [plain, dotted, through_a_linked_folder, relative])
@pytest.mark.parametrize("folder", [False, True])
def test_what_is_not_there_yet_in_an_input_folder(
    frames: Path, spelled: Callable[[Path], Path], folder: bool
) -> None:
    output = Output(name="--csv", path=spelled(frames / "new") / "deeper.csv", folder=folder)
    with pytest.raises(InputError, match="a folder that is read"):
        require_outputs([output], {"the video": frames})


def test_a_link_to_nothing_that_would_come_to_be_in_the_input(frames: Path, tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(frames / "absent.jpg")
    with pytest.raises(InputError, match="a folder that is read"):
        require_outputs([Output(name="--csv", path=tmp_path / "link.csv")], {"the video": frames})


def test_what_links_in_the_input_lead_to(frames: Path, tmp_path: Path) -> None:
    """A data set is often a folder of links: what they lead to is read as well."""
    (tmp_path / "far").mkdir()
    (tmp_path / "far/image.jpg").write_bytes(b"an image")
    (frames / "3.jpg").symlink_to(tmp_path / "far/image.jpg")
    with pytest.raises(InputError, match="a folder that is read"):
        require_outputs([Output(name="--csv", path=tmp_path / "far/image.jpg")], {"the video": frames})
    (frames / "more").symlink_to(tmp_path / "far")
    with pytest.raises(InputError, match="a folder that is read"):
        require_outputs([Output(name="--csv", path=tmp_path / "far/new.csv")], {"the video": frames})


def test_a_loop_of_links_in_an_input_ends(frames: Path, tmp_path: Path) -> None:
    (frames / "again").symlink_to(frames)
    (frames / "up").symlink_to(tmp_path / "frames/again")
    require_outputs([Output(name="--out", path=tmp_path / "new/out.mp4")], {"the video": frames})
    assert not (tmp_path / "new").exists()


def test_an_output_that_is_a_loop(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(InputError, match="--out .*cannot be written"):
        require_outputs([Output(name="--out", path=tmp_path / "a")])


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_one_file_twice(clip: Path, spelled: Callable[[Path], Path]) -> None:
    with pytest.raises(InputError, match="are the same file"):
        require_outputs([Output(name="--out", path=clip), Output(name="--csv", path=spelled(clip))])


def test_one_file_twice_that_is_not_there(tmp_path: Path) -> None:
    one, other = tmp_path / "x/out", tmp_path / "x/../x/out"
    with pytest.raises(InputError, match="are the same file"):
        require_outputs([Output(name="--out", path=one), Output(name="--csv", path=other)])


def test_an_output_below_another(tmp_path: Path) -> None:
    outputs = [Output(name="--out", path=tmp_path / "a"), Output(name="--csv", path=tmp_path / "a/b.csv")]
    with pytest.raises(InputError, match="--csv .* lies below --out"):
        require_outputs(outputs)


def test_an_input_in_a_folder_that_may_be_replaced(clip: Path) -> None:
    with pytest.raises(InputError, match="may be replaced as a whole"):
        require_outputs(
            [Output(name="--out", path=clip.parent, folder=True, owned=True)], {"the video": clip}
        )
    require_outputs([Output(name="--out", path=clip.parent, folder=True)], {"the video": clip})


def test_a_folder_for_a_file_and_a_file_for_a_folder(clip: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        require_outputs([Output(name="--out", path=clip.parent)])
    with pytest.raises(InputError, match="is a file"):
        require_outputs([Output(name="--out", path=clip, folder=True)])
    with pytest.raises(InputError, match="cannot be written: Not a directory"):
        require_outputs([Output(name="--out", path=clip / "below.mp4")])


@pytest.mark.parametrize("place", ["/proc/x.mp4", "/proc/a/x.mp4", "/sys/x.mp4", "/dev/full/x"])
def test_a_place_that_cannot_be_written(place: str) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        require_outputs([Output(name="--out", path=Path(place))])


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="File name too long"):
        require_outputs([Output(name="--out", path=tmp_path / ("n" * 300))])


def test_devices_and_pipes_are_for_streams_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(InputError, match="device or a pipe"):
            require_outputs([Output(name="--out", path=path)])
        require_outputs([Output(name="--csv", path=path, stream=True)])


def test_nothing_is_written_and_no_folder_is_made(clip: Path, frames: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    require_outputs(
        [
            Output(name="--out", path=tmp_path / "a/b/c.mp4"),
            Output(name="--csv", path=frames.parent / "c.csv"),
        ],
        {"the video": frames, "the weights": clip, "absent": tmp_path / "none", "left out": None},
    )
    assert sorted(tmp_path.rglob("*")) == before
