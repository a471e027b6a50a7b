"""Sections of trackers.ini, as the toolkit's reader finds them."""

import configparser
import shlex
from pathlib import Path

import pytest

from ebm.exceptions import InputError
from pytracking.vot.ini import (
    Entry,
    entry_of,
    needs_boxes,
    require_name,
    section_change,
    workspace_change,
)
from pytracking.vot.python_tracker import VOTTracker

OPTIONS = {"checkpoint": "/a b/100%/net.pth.tar", "when_lost": "empty"}


def add_section(path: Path, entry: Entry, *, replace: bool = False) -> str:
    return section_change(path, entry, replace=replace).write()


def section(path: Path, name: str) -> dict[str, str]:
    parser = configparser.ConfigParser()  # with interpolation, as the toolkit reads it
    parser.read(path)
    return dict(parser[name])


def test_a_tracker_of_the_python_api(tmp_path: Path) -> None:
    ini = tmp_path / "trackers.ini"
    entry = entry_of("Ours", "python", "dimp", "nce_plus", OPTIONS | {"compat": "true"}, timeout=90)
    assert add_section(ini, entry) == "added"
    found = section(ini, "Ours")
    assert found["command"] == f"{VOTTracker.__module__}:{VOTTracker.__name__}"
    assert (found["protocol"], found["timeout"], found["convert"]) == ("python", "90", "rectangle")
    assert found["arg_checkpoint"] == "/a b/100%/net.pth.tar"
    assert found["arg_compat"] == "true"


def test_a_tracker_that_is_a_program(tmp_path: Path) -> None:
    ini = tmp_path / "trackers.ini"
    for protocol, timeout in (("trax", True), ("folder", False)):
        entry = entry_of(
            protocol,
            protocol,
            "dimp",
            "nce_plus",
            OPTIONS | {"compat": "true"},
            timeout=90,
            python="/py thon",
        )  # type: ignore[arg-type]
        add_section(ini, entry)
        found = section(ini, protocol)
        words = shlex.split(found["command"])
        assert words[0] == "/py thon"
        assert words[1].endswith("pytracking/run_vot.py")
        assert words[2:6] == ["dimp", "nce_plus", "--protocol", protocol]
        assert words[6:] == [
            "--checkpoint", OPTIONS["checkpoint"], "--when-lost", "empty", "--compat",
        ]  # fmt: skip
        assert ("timeout" in found) is timeout
        assert "convert" not in found


def test_what_the_program_is_given_it_understands() -> None:
    from pytracking.run_vot import build_parser

    options = {
        "weights": "net",
        "device": "cpu",
        "seed": "3",
        "polygon": "union",
        **OPTIONS,
        "compat": "true",
    }
    command = entry_of("x", "trax", "dimp", "nce_plus", options, timeout=1).values["command"]
    args = build_parser().parse_args(shlex.split(command)[2:])
    assert (args.weights, args.device, args.seed, args.polygon) == ("net", "cpu", 3, "union")
    assert (args.when_lost, args.compat, args.protocol) == ("empty", True, "trax")


def test_other_trackers_and_comments_stay(tmp_path: Path) -> None:
    ini = tmp_path / "trackers.ini"
    ini.write_text("# mine\n[NCC]\nprotocol = trax\ncommand = ncc\n[Last]\ncommand = last")
    first = entry_of("Ours", "trax", "dimp", "nce_plus", {}, timeout=90)
    assert [add_section(ini, first), add_section(ini, first)] == ["added", "unchanged"]
    other = entry_of("Ours", "trax", "dimp", "nce_plus", {}, timeout=91)
    before = ini.read_text()
    with pytest.raises(InputError, match="--replace"):
        add_section(ini, other)
    assert ini.read_text() == before
    assert add_section(ini, other, replace=True) == "replaced"
    assert section(ini, "Ours")["timeout"] == "91"
    assert ini.read_text().startswith(
        "# mine\n[NCC]\nprotocol = trax\ncommand = ncc\n[Last]\ncommand = last\n"
    )
    middle = entry_of("NCC", "folder", "dimp", "nce_plus", {}, timeout=1)
    add_section(ini, middle, replace=True)
    assert section(ini, "NCC")["protocol"] == "folder"
    assert section(ini, "Last") == {"command": "last"}
    assert section(ini, "Ours")["timeout"] == "91"


def test_what_is_no_ini_file_and_no_name(tmp_path: Path) -> None:
    ini = tmp_path / "trackers.ini"
    ini.write_text("protocol = trax\n")
    with pytest.raises(InputError, match="no ini file"):
        add_section(ini, entry_of("Ours", "trax", "dimp", "nce_plus", {}, timeout=90))
    with pytest.raises(InputError, match="letters, digits"):
        require_name("DiMP/NCE+")
    assert require_name("DiMP-NCE_1") == "DiMP-NCE_1"


def test_a_workspace_is_written_once(tmp_path: Path) -> None:
    assert workspace_change(tmp_path, "vots2026/main").write() == "added"
    assert workspace_change(tmp_path, "vots2026/main").write() == "unchanged"
    assert (tmp_path / "config.yaml").read_text() == 'registry:\n- ./trackers.ini\nstack: "vots2026/main"\n'
    with pytest.raises(InputError, match="says something else"):
        workspace_change(tmp_path, "vots2026/main", tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("stack", "boxes"), [(None, True), ("vot2018/shortterm", False), ("vot2020/shortterm", True)]
)
def test_polygons_are_left_to_our_rule(stack: str | None, boxes: bool) -> None:
    assert needs_boxes(stack) is boxes
    entry = entry_of("x", "python", "first_box", "default", {}, timeout=1, boxes=boxes)
    assert ("convert" in entry.values) is boxes
