"""The doctor's report."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ebm.extras import explain_missing
from ltr.admin.checkpoint_io import write_checkpoint
from pytracking import doctor
from pytracking.cli import main


def test_the_report_names_roots_their_origin_and_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "OTB").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EBMTRACK_OTB", str(tmp_path / "OTB"))
    monkeypatch.setenv("EBMTRACK_LASOT", str(tmp_path / "absent"))
    monkeypatch.delenv("EBMTRACK_COCO", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert main(["doctor"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert lines["otb"].endswith(": found")
    assert "EBMTRACK_OTB" in lines["otb"]
    assert lines["lasot"].endswith("NO SUCH FOLDER")
    assert lines["coco"].endswith("not configured")
    assert torch.__version__.partition("+")[0] in lines["torch"]
    assert lines["pytracking"].endswith("__init__.py")


def test_checkpoints_are_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EBMTRACK_WORKSPACE", str(tmp_path))
    folder = tmp_path / "checkpoints/ltr/dimp"
    for name in ("sound", "old", "changed"):
        write_checkpoint(folder / name / "Net_ep0001.pth.tar", {"net": {"w": torch.zeros(300)}})
    torch.save({"net": {"w": torch.zeros(3)}}, folder / "old" / "Net_ep0001.pth.tar")
    changed = folder / "changed" / "Net_ep0001.pth.tar"
    content = bytearray(changed.read_bytes())
    content[1000] ^= 1
    changed.write_bytes(content)
    assert main(["doctor"]) == 0
    lines = {line.split(":")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["dimp/sound"].endswith(", checksum holds")
    assert lines["dimp/old"].endswith(", no checksum, but the CRC-32 of its parts holds")
    assert lines["dimp/changed"].endswith(", DAMAGED; use an earlier epoch")


def test_what_trackers_take_from_the_weights_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EBMTRACK_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("EBMTRACK_NETWORKS", str(tmp_path / "networks"))
    info = {
        "density_temperature": 1.5,
        "tracker_measured": {
            "target_not_found_threshold": 0.3,
            "box_refinement_step_length": [1e-3, 4e-3],
            "box_refinement_iter": 10,
        },
    }
    fields = {"net": {"w": torch.zeros(3)}}
    write_checkpoint(tmp_path / "networks" / "mine.pth.tar", fields | {"net_info": info})
    write_checkpoint(tmp_path / "checkpoints/ltr/dimp/plain/Net_ep0001.pth.tar", fields)
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    told = (
        "trackers take from it: target_not_found_threshold 0.3, box_refinement_step_length (0.001, 0.004), "
        "density_temperature 1.5"
    )
    (line,) = (line for line in said.splitlines() if "mine.pth.tar" in line)
    assert line.endswith(f"checksum holds; {told}")
    (plain,) = (line for line in said.splitlines() if line.startswith("dimp/plain"))
    assert plain.endswith("checksum holds")


def test_a_broken_paths_file_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "paths.toml").write_text("[datasets\n")
    assert main(["doctor"]) == 2
    assert "paths.toml" in capsys.readouterr().err


def test_an_installed_package_that_does_not_load_is_named_with_its_usual_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = "raise ImportError('libGL.so.1: cannot open shared object file')"
    (tmp_path / "cv2").mkdir()
    (tmp_path / "cv2/__init__.py").write_text(fault)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    monkeypatch.setattr(doctor, "LOADED", {"cv2": doctor.LOADED["cv2"]})
    (line,) = doctor._unusable()
    assert line.startswith("cv2 is installed and does not load (libGL.so.1: ")
    assert "libgl1" in line


def test_without_the_trackers_the_rest_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def paths() -> Iterator[str]:
        raise explain_missing("trackers", "cv2")
        yield

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "_paths", paths)
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "pip install 'ebmtrack[track]'" in told.partition("[paths]")[2].partition("[checkpoints]")[0]
