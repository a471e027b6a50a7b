"""Results in the files and folders that other toolkits leave, each written in its exact layout."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import EBMError, InputError
from pytracking.analysis.gathering import gather_sources
from pytracking.analysis.result_names import trackers_in
from pytracking.analysis.result_trees import result_sets
from pytracking.analysis.sources import FolderSource, find_sources
from pytracking.evaluation.data import Sequence
from pytracking.evaluation.result_files import read_result
from tests.pytracking.analysis.image_free import without_images

NAMES = ("Deer", "Jogging_1", "Jogging_2", "Human4_2")
BOXES = np.array([[10.25, 20, 30, 40], [11.5, 21, 30, 40], [13, 22.75, 31, 41]])


def otb(*names: str) -> list[Sequence]:
    return [without_images(name, "otb", BOXES.round()) for name in names or NAMES]


def lines(separator: str = ",", end: str = "\n", boxes: np.ndarray = BOXES) -> str:
    return end.join(separator.join(f"{value:g}" for value in row) for row in boxes) + end


def written(folder: Path, names: tuple[str, ...] = NAMES, suffix: str = ".txt") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}{suffix}").write_text(lines())
    return folder


def sources(path: Path | str, root: Path = Path("none")) -> list[FolderSource]:
    found = find_sources(str(path), root)
    assert all(isinstance(source, FolderSource) for source in found)
    return found  # type: ignore[return-value]


def holds_all(source: FolderSource, sequences: list[Sequence]) -> bool:
    return all(np.allclose(source.boxes(sequence), BOXES) for sequence in sequences)


@pytest.mark.parametrize(
    "text",
    [lines(), lines("\t"), lines(" "), lines(", "), lines("  \t"), lines(end="\r\n"), "\ufeff" + lines()],
    ids=["commas", "tabs", "blanks", "comma and blank", "mixed", "CRLF", "BOM"],
)
def test_texts_of_any_separator(tmp_path: Path, text: str) -> None:
    (tmp_path / "Deer.txt").write_bytes(text.encode())
    np.testing.assert_allclose(read_result(tmp_path / "Deer.txt"), BOXES)


def test_polygons_become_their_bounding_boxes(tmp_path: Path) -> None:
    (tmp_path / "Deer.txt").write_text("1,2,11,2,11,8,1,8\n2,3,12,4,11,9,1,8\n")
    np.testing.assert_array_equal(read_result(tmp_path / "Deer.txt"), [[1, 2, 10, 6], [1, 3, 11, 6]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no boxes"),
        ("1,2,3\n", "neither a box nor a polygon"),
        ("1,2,3,4\n5,6,7\n", "line 2"),
        ("a,b,c,d\n", "line 1"),
        ("1\n2\n", "neither a box nor a polygon"),
    ],
)
def test_texts_that_are_no_result(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "Deer.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        read_result(tmp_path / "Deer.txt")


@pytest.mark.parametrize(
    "names",
    [
        ("deer", "jogging-1", "jogging-2", "human4-2"),
        ("Deer", "Jogging.1", "Jogging.2", "Human4.2"),
        ("Deer", "Jogging-1", "Jogging-2", "Human4"),
        ("DEER", "Jogging_1", "jogging 2", "human4_2"),
    ],
)
def test_the_names_that_toolkits_have_for_otb(tmp_path: Path, names: tuple[str, ...]) -> None:
    (source,) = sources(written(tmp_path / "ATOM", names))
    assert all(source.has(sequence) for sequence in otb())
    assert holds_all(source, otb())


def test_two_files_that_may_be_one_sequence(tmp_path: Path) -> None:
    (source,) = sources(written(tmp_path / "ATOM", ("jogging-1", "jogging.1")))
    with pytest.raises(InputError, match=r"jogging-1\.txt and jogging\.1\.txt may both"):
        source.boxes(otb("Jogging_1")[0])


def test_the_tag_of_uav_may_be_there_or_not(tmp_path: Path) -> None:
    (bare,) = sources(written(tmp_path / "a", ("bike1", "car1_1")))
    (tagged,) = sources(written(tmp_path / "b", ("uav_bike1", "uav_car1_1")))
    for dataset, name in (("uav", "uav_car1_1"), ("uav123_10fps", "car1_1"), ("uav20l", "car1_1")):
        sequence = without_images(name, dataset, BOXES)
        assert bare.has(sequence)
        assert tagged.has(sequence)


def test_names_that_end_in_the_trackers(tmp_path: Path) -> None:
    written(tmp_path / "results", ("bike1", "bird1_1"), "_KCF.txt")
    (one,) = sources(tmp_path / "results")
    assert one.label == "results"
    assert one.has(without_images("bird1_1", "uav123_10fps", BOXES))
    written(tmp_path / "results", ("bike1", "bird1_1"), "_ECO.txt")
    assert [source.label for source in sources(tmp_path / "results")] == ["ECO", "KCF"]
    assert trackers_in(["nfs_Gymnastics.txt", "nfs_Skydiving.txt", "uav_bike1.txt"]) == []
    assert trackers_in(["Jogging_1.txt", "Jogging_2.txt", "Deer.txt"]) == []


def test_trees_of_pytracking(tmp_path: Path) -> None:
    for run in range(3):
        written(tmp_path / "results/dimp" / f"dimp50_{run:03d}")
    runs = sources("dimp/dimp50", tmp_path / "results")
    assert [source.label for source in runs] == ["dimp/dimp50"] * 3
    assert len({source.tracker for source in runs}) == 1
    written(tmp_path / "results/atom/default")
    assert [source.label for source in sources("atom/default", tmp_path / "results")] == ["atom/default"]
    whole = sources(tmp_path / "results")
    assert sorted(source.label for source in whole) == ["default", "dimp50", "dimp50", "dimp50"]


def test_results_of_pysot(tmp_path: Path) -> None:
    for tracker in ("siamrpn_r50", "siammask"):
        written(tmp_path / "results/OTB100" / tracker, ("Deer", "Jogging-1", "Jogging-2", "Human4-2"))
    found = sources(tmp_path / "results/OTB100")
    assert sorted(source.label for source in found) == ["siammask", "siamrpn_r50"]
    assert all(holds_all(source, otb()) for source in found)


def test_results_of_got10k_by_run(tmp_path: Path) -> None:
    names = ("GOT-10k_Val_000001", "GOT-10k_Val_000002")
    for name in names:
        folder = tmp_path / "GOT-10k/SiamFC" / name
        folder.mkdir(parents=True)
        for run in (1, 2, 3):
            (folder / f"{name}_{run:03d}.txt").write_text(lines(boxes=BOXES + run))
        (folder / f"{name}_time.txt").write_text("0.01,0.01,0.01\n" * 3)
    found = sources(tmp_path / "GOT-10k/SiamFC")
    assert [(source.label, source.run) for source in found] == [("SiamFC", f"_00{n}") for n in (1, 2, 3)]
    assert len({source.tracker for source in found}) == 1
    sequence = without_images(names[1], "got10k_val", BOXES)
    np.testing.assert_allclose(found[2].boxes(sequence), BOXES + 3)
    assert not found[0].has(without_images("GOT-10k_Val_000003", "got10k_val", BOXES))


def test_what_shares_a_folder_is_gathered(tmp_path: Path) -> None:
    for run in (1, 2):
        for name in ("a", "b"):
            (tmp_path / "SiamFC" / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / "SiamFC" / name / f"{name}_{run:03d}.txt").write_text(lines())
    for tracker in ("KCF", "ECO"):
        written(tmp_path / "flat", ("bike1", "bird1_1"), f"_{tracker}.txt")
    words = [str(tmp_path / "SiamFC"), str(tmp_path / "flat")]
    found = gather_sources(words, tmp_path / "none")
    assert [source.label for source in found] == ["SiamFC", "SiamFC", "ECO", "KCF"]
    with pytest.raises(InputError, match="is named twice"):
        gather_sources([*words, words[0]], tmp_path / "none")


def zipped(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


@pytest.mark.parametrize("inside", ["", "ATOM/", "results/otb/ATOM/"])
def test_zips(tmp_path: Path, inside: str) -> None:
    path = zipped(tmp_path / "ATOM.zip", {f"{inside}{name}.txt": lines() for name in NAMES})
    (source,) = sources(path)
    assert source.label == "ATOM"
    assert holds_all(source, otb())


def test_a_zip_for_the_got10k_server(tmp_path: Path) -> None:
    name = "GOT-10k_Test_000001"
    members = {f"{name}/{name}_{run:03d}.txt": lines() for run in (1, 2, 3)}
    path = zipped(tmp_path / "mine.zip", {**members, f"{name}/{name}_time.txt": "0.01\n"})
    assert [(item.label, item.run) for item in result_sets(path)] == [("mine", f"_00{n}") for n in (1, 2, 3)]


def test_tars(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "raw.tar.gz", "w:gz") as archive:
        for name in NAMES:
            member = tarfile.TarInfo(f"SiamFC/{name}.txt")
            member.size = len(lines())
            archive.addfile(member, io.BytesIO(lines().encode()))
    (source,) = sources(tmp_path / "raw.tar.gz")
    assert (source.label, holds_all(source, otb())) == ("raw", True)


@pytest.mark.parametrize("name", ["../Deer.txt", "/tmp/Deer.txt", "a/../../Deer.txt", "..\\Deer.txt"])
def test_a_zip_with_a_path_outside_itself(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / "bad.zip", {name: lines()})
    with pytest.raises(InputError, match="a path outside the archive; nothing was unpacked"):
        sources(path)


def test_a_zip_of_a_thousandfold_expansion(tmp_path: Path) -> None:
    path = zipped(tmp_path / "bomb.zip", {"Deer.txt": "0" * 20_000_000})
    with pytest.raises(InputError, match="claims to hold 20000000 bytes"):
        sources(path)


def test_a_tar_with_a_link(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        member = tarfile.TarInfo("Deer.txt")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(InputError, match="a link or a device"):
        sources(tmp_path / "bad.tar")


def test_a_cut_off_archive(tmp_path: Path) -> None:
    path = zipped(tmp_path / "cut.zip", {"Deer.txt": lines()})
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match="no whole archive"):
        sources(path)


def test_a_folder_without_results(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/README.md").write_text("none")
    with pytest.raises(InputError, match=r"holds no results: .*there is README\.md"):
        sources(tmp_path / "docs")


def test_one_label_for_several_trackers(tmp_path: Path) -> None:
    for tracker in ("a", "b"):
        written(tmp_path / "all" / tracker)
    with pytest.raises(InputError, match="holds the trackers a, b"):
        sources(f"mine={tmp_path / 'all'}")


def test_matlab_files_of_otb_and_uav123(tmp_path: Path) -> None:
    io_ = pytest.importorskip("scipy.io", reason="SciPy reads .mat files; it is not installed")
    run = {"res": BOXES, "type": "rect", "len": 3, "fps": 20.5, "startFrame": 1}
    cell = np.empty((1, 1), dtype=object)
    cell[0, 0] = run
    (tmp_path / "OPE").mkdir()
    for name in ("deer", "jogging-1"):  # results_OPE_CVPR13/deer_KCF.mat
        io_.savemat(tmp_path / "OPE" / f"{name}_KCF.mat", {"results": cell})
    (source,) = sources(tmp_path / "OPE")
    assert holds_all(source, otb("Deer", "Jogging_1"))
    io_.savemat(tmp_path / "bike1.mat", {"results": [run]})
    np.testing.assert_allclose(read_result(tmp_path / "bike1.mat"), BOXES)
    io_.savemat(tmp_path / "plain.mat", {"boxes": BOXES})
    np.testing.assert_allclose(read_result(tmp_path / "plain.mat"), BOXES)
    several = np.empty((1, 2), dtype=object)
    several[0, 0] = several[0, 1] = run
    io_.savemat(tmp_path / "tre.mat", {"results": several})
    with pytest.raises(InputError, match="2 tracks"):
        read_result(tmp_path / "tre.mat")
    io_.savemat(tmp_path / "affine.mat", {"results": [{**run, "type": "ivtAff"}]})
    with pytest.raises(InputError, match="'ivtAff'"):
        read_result(tmp_path / "affine.mat")
    (tmp_path / "broken.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    with pytest.raises(EBMError, match=r"broken\.mat"):
        read_result(tmp_path / "broken.mat")
