"""Foreign packages under our names are found, named, and told how to be kept out."""

import base64
import hashlib
import os
import subprocess
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from types import SimpleNamespace

import pytest

from ebmtrack import provenance, start
from ebmtrack.provenance import HOME, PACKAGES, faults, inspect


def record_line(site: Path, file: Path) -> str:
    content = file.read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{file.relative_to(site)},sha256={digest},{len(content)}"


def install(site: Path, name: str, files: dict[str, str]) -> None:
    """What an installer leaves: the files, over whatever was there, and a RECORD of them."""
    for path, content in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(content)
    info = site / f"{name}.dist-info"
    info.mkdir()
    lines = [record_line(site, site / path) for path in files]
    (info / "RECORD").write_text("\n".join([*lines, f"{info.name}/RECORD,,"]))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site-packages with EBMTrack in it, alone on the path, and nothing imported from it."""
    site = tmp_path / "site-packages"
    modules = {f"{name}/{file}": f"# {name}\n" for name in PACKAGES for file in ("__init__.py", "core.py")}
    install(site, "ebmtrack-0.1.0", modules)
    monkeypatch.setattr(sys, "path", [str(site)])
    monkeypatch.setattr(sys, "meta_path", [PathFinder])  # without the finder of an editable installation
    for name in PACKAGES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return site


def test_the_tree_under_test_is_sound() -> None:
    assert faults(by_content=True) == []
    for name, line in zip(PACKAGES, inspect(), strict=False):
        assert line.split() == [name, str(HOME / name / "__init__.py")]


def test_an_untouched_installation_is_sound(site: Path) -> None:
    assert faults(site) == faults(site, by_content=True) == []


def test_whoever_has_overwritten_a_file_is_named(site: Path) -> None:
    install(site, "otherkit-2.0", {"ebm/__init__.py": "# of another project\n", "ebm/extra.py": ""})
    (fault,) = faults(site)
    assert fault.fatal
    assert "otherkit 2.0 has overwritten 1 file (ebm/__init__.py)" in str(fault)
    assert "pip uninstall otherkit" in fault.remedy


def test_the_other_order_leaves_us_whole_and_is_a_note(tmp_path: Path, site: Path) -> None:
    ours = {"ebm/__init__.py": (site / "ebm/__init__.py").read_text()}
    install(site, "otherkit-2.0", {**ours, "ebm/extra.py": ""})
    assert faults(site, by_content=True) == []
    notes = [line for line in inspect(site) if line.startswith("note")]
    assert len(notes) == 1
    assert "otherkit 2.0 has 2 files in ebm" in notes[0]


def test_files_that_went_with_the_other_package_are_missed(site: Path) -> None:
    (site / "ltr/core.py").unlink()
    (site / "ebm/__init__.py").unlink()
    told = " ".join(map(str, faults(site)))
    assert "1 file (ltr/core.py) of EBMTrack is missing" in told
    assert f"{site}/ebm/__init__.py is missing" in told
    assert all(fault.fatal for fault in faults(site))


def test_a_change_of_equal_size_is_seen_by_its_hash_and_stops_nothing(site: Path) -> None:
    content = (site / "ltr/core.py").read_text()
    (site / "ltr/core.py").write_text(content.swapcase())
    assert faults(site) == []
    (fault,) = faults(site, by_content=True)
    assert "1 file (ltr/core.py)" in fault.what
    assert not fault.fatal


@pytest.mark.parametrize("form", ["package", "module", "namespace"])
def test_what_pythonpath_puts_first_is_named_with_the_way_out(
    form: str, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "ltr").mkdir(parents=True)
    if form == "package":
        (checkout / "ltr/__init__.py").touch()
    elif form == "module":
        (checkout / "ltr").rmdir()
        (checkout / "ltr.py").touch()
    else:  # a folder of data: it wins only where no package of the name is on the path
        for file in (site / "ltr").iterdir():
            file.unlink()
    monkeypatch.setenv("PYTHONPATH", str(checkout))
    monkeypatch.setattr(sys, "path", [str(checkout), *sys.path])
    fault = next(fault for fault in faults(site) if fault.what.startswith("'import ltr'"))
    assert fault.fatal
    assert str(checkout) in fault.what
    assert f"take {checkout} out of it" in fault.remedy


def test_a_folder_beside_the_user_is_named(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ebm").mkdir()
    (tmp_path / "ebm/__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    (fault,) = faults(site)
    assert "current folder" in fault.remedy


def test_a_checkout_behind_ours_is_a_note(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "checkout/ltr").mkdir(parents=True)
    (tmp_path / "checkout/ltr/__init__.py").touch()
    monkeypatch.setattr(sys, "path", [str(site), str(tmp_path / "checkout")])
    assert faults(site) == []
    assert any(f"{tmp_path}/checkout/ltr is on Python's path too" in line for line in inspect(site))


def test_two_opencvs_and_two_releases_are_notes(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "opencv_python-5.0.0.93", {"cv2/__init__.py": ""})
    install(site, "opencv_python_headless-5.0.0.93", {"cv2/__init__.py": ""})
    (tmp_path / "old/ebmtrack-0.0.9.dist-info").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(site), str(tmp_path / "old")])
    told = "\n".join(inspect(site))
    assert "opencv_python 5.0.0.93 and opencv_python_headless 5.0.0.93 have both installed" in told
    assert "pip uninstall opencv-python opencv-python-headless" in told
    assert "Several releases of EBMTrack" in told


def test_one_opencv_is_nothing_to_tell(site: Path) -> None:
    install(site, "opencv_contrib_python_headless-5.0.0.93", {"cv2/__init__.py": ""})
    assert len(inspect(site)) == len(PACKAGES)


@pytest.mark.parametrize("command", [["video", "--help"], ["doctor"], []])
def test_the_command_refuses_to_run_foreign_files(
    command: list[str], site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(start, "faults", lambda: faults(site))
    monkeypatch.setattr(start, "inspect", lambda: inspect(site))
    install(site, "otherkit-2.0", {"ebm/__init__.py": "# of another project\n"})
    assert start.main(command) == 2
    said = capsys.readouterr()
    assert "otherkit 2.0 has overwritten" in (said.out if command == ["doctor"] else said.err)


def test_a_file_changed_by_hand_is_a_warning(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (site / "ltr/core.py").write_text("# tried something here")
    monkeypatch.setattr(start, "faults", lambda: faults(site))
    command = SimpleNamespace(main=lambda arguments: 7)
    with monkeypatch.context() as context:
        context.setattr(start, "importlib", SimpleNamespace(import_module=lambda name: command))
        assert start.main(["video"]) == 7
    assert capsys.readouterr().err.startswith("warning: 1 file (ltr/core.py)")


def test_a_record_that_cannot_be_read_is_no_fault(site: Path) -> None:
    (site / "ebmtrack-0.1.0.dist-info/RECORD").write_text("nonsense\n,,\n")
    assert faults(site) == []
    assert provenance.faults(site, by_content=True) == []


@pytest.mark.parametrize(
    "script",
    ["pytracking/run_tracker.py", "pytracking/run_video.py", "pytracking/evaluate.py", "ltr/run_training.py"],
)
def test_a_script_of_the_clone_runs_the_clone_whatever_pythonpath_holds(script: str, tmp_path: Path) -> None:
    for name in PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('another project was loaded')")
    done = subprocess.run(
        [sys.executable, str(HOME / script), "--help"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")
