"""Archives that a server rejects, each for its own reason."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pytracking.leaderboards.box_text import rounding_cost
from pytracking.leaderboards.checks import check_archive
from pytracking.leaderboards.findings import is_rejected, said
from pytracking.leaderboards.packing import pack_results
from pytracking.leaderboards.servers import SERVERS, targets_of
from tests.once import made_once
from tests.pytracking.leaderboards.made import change, make_benchmark, make_results

Content = dict[str, bytes]
Edit = Callable[[Content], None]

CLIP = "clip_3.txt"
GOT = "GOT-10k_Test_000007/GOT-10k_Test_000007"


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A good archive for every server."""

    def pack(folder: Path) -> None:
        for name, server in SERVERS.items():
            sequences = make_benchmark(name)
            sources = make_results(folder / name, sequences, max(server.runs))
            pack_results(sources, server, sequences, folder / f"{name}.zip", tracker="drift")

    folder = made_once(tmp_path_factory, "packed", pack)
    return {name: folder / f"{name}.zip" for name in SERVERS}


def line(number: int, new: str) -> Callable[[bytes], bytes]:
    """Replace a line, counted from 1; ``None``-like empty text stays an empty line."""

    def edit(data: bytes) -> bytes:
        lines = data.decode().splitlines()
        lines[number - 1] = new
        return ("\n".join(lines) + "\n").encode()

    return edit


def text(name: str, edit: Callable[[bytes], bytes]) -> Edit:
    def change_one(content: Content) -> None:
        content[name] = edit(content[name])

    return change_one


def drop(*names: str) -> Edit:
    return lambda content: [content.pop(name) for name in names] and None


def add(name: str, data: bytes = b"1,2,3,4\n") -> Edit:
    return lambda content: content.update({name: data})


def under(folder: str) -> Edit:
    """All files in a folder more, as a zip of the folder has them."""

    def edit(content: Content) -> None:
        moved = {f"{folder}/{name}": data for name, data in content.items()}
        content.clear()
        content.update(moved)

    return edit


def every(ending: str, edit: Callable[[bytes], bytes]) -> Edit:
    def change_all(content: Content) -> None:
        content.update({name: edit(data) for name, data in content.items() if name.endswith(ending)})

    return change_all


def swapped(data: bytes) -> bytes:
    rows = [row.split(",") for row in data.decode().splitlines()]
    return "".join(f"{y},{x},{h},{w}\n" for x, y, w, h in rows).encode()


def corners(data: bytes) -> bytes:
    rows = np.loadtxt(data.decode().splitlines(), delimiter=",")
    rows[:, 2:] += rows[:, :2]
    return "".join(",".join(f"{value:.2f}" for value in row) + "\n" for row in rows).encode()


BROKEN = {
    # what is done to a good archive: server, edit, code, words of the message
    "a file is missing": ("trackingnet", drop(CLIP), "missing-file", "clip_3.txt: it is not there"),
    "a file too many": ("trackingnet", add("clip_999.txt"), "extra-file", "clip_999.txt.*does not know"),
    "a read-me": ("trackingnet", add("README.md"), "extra-file", "README.md"),
    "a Mac's leavings": ("trackingnet", add("__MACOSX/._clip_3.txt"), "extra-file", "your system has put"),
    "a folder around all": (
        "trackingnet",
        under("drift"),
        "extra-folder",
        "drift/clip_0.txt is; files lie at the top",
    ),
    "an empty folder": ("trackingnet", add("drift/", b""), "extra-folder", "without a folder"),
    "one line short": (
        "trackingnet",
        text(CLIP, lambda d: d[: d[:-1].rfind(b"\n") + 1]),
        "line-count",
        "4 lines, .* 5 frames",
    ),
    "one line more": (
        "trackingnet",
        text(CLIP, lambda d: d + b"1,2,3,4\n"),
        "line-count",
        "6 lines, .* 5 frames",
    ),
    "only the first line": (
        "trackingnet",
        every(".txt", lambda d: d.split(b"\n")[0]),
        "line-count",
        "1 lines",
    ),
    "tabs": (
        "trackingnet",
        text(CLIP, lambda d: d.replace(b",", b"\t")),
        "delimiter",
        "commas part the numbers",
    ),
    "blanks": (
        "trackingnet",
        text(CLIP, lambda d: d.replace(b",", b" ")),
        "delimiter",
        "commas part the numbers",
    ),
    "semicolons": (
        "trackingnet",
        text(CLIP, lambda d: d.replace(b",", b";")),
        "delimiter",
        "commas part the numbers",
    ),
    "NaN": ("trackingnet", text(CLIP, line(3, "nan,nan,nan,nan")), "not-finite", "line 3 holds NaN"),
    "infinity": (
        "trackingnet",
        text(CLIP, line(2, "1,2,inf,4")),
        "not-finite",
        "line 2 holds NaN or infinity",
    ),
    "no width": ("trackingnet", text(CLIP, line(4, "1,2,0,4")), "no-area", "line 4 is 1,2,0,4"),
    "a negative height": ("trackingnet", text(CLIP, line(5, "1,2,3,-4")), "no-area", "line 5 is 1,2,3,-4"),
    "a polygon": (
        "trackingnet",
        text(CLIP, lambda d: b"1,2,3,2,3,4,1,4\n" * 5),
        "columns",
        "8 values.*polygon",
    ),
    "a score behind": (
        "trackingnet",
        text(CLIP, lambda d: d.replace(b"\n", b",0.9\n")),
        "columns",
        "5 values",
    ),
    "a heading": ("trackingnet", text(CLIP, line(1, "x,y,w,h")), "number", "line 1 is 'x,y,w,h'"),
    "an empty file": ("trackingnet", text(CLIP, lambda d: b""), "empty", "it is empty"),
    "an empty line": ("trackingnet", text(CLIP, line(2, "")), "blank-line", "empty line|line 2 is empty"),
    "a byte-order mark": (
        "trackingnet",
        text(CLIP, lambda d: b"\xef\xbb\xbf" + d),
        "not-text",
        "byte-order mark",
    ),
    "UTF-16": (
        "trackingnet",
        text(CLIP, lambda d: d.decode().encode("utf-16")),
        "not-text",
        "byte-order mark",
    ),
    "another first box": (
        "trackingnet",
        text(CLIP, line(1, "300,300,9,9")),
        "first-box",
        "first line is 300,300,9,9, the initial box",
    ),
    "columns swapped": ("trackingnet", text(CLIP, swapped), "first-box", "columns are swapped"),
    "corners": ("trackingnet", text(CLIP, corners), "first-box", "two corners"),
    "LaSOT at the top": (
        "lasot",
        lambda c: [c.update({n.split("/")[1]: c.pop(n)}) for n in list(c)] and None,
        "folder",
        "files lie in the folder TRACKER_tracking_result",
    ),
    "LaSOT, a class as folder": ("lasot", under("LaSOT"), "extra-folder", "LaSOT/drift_tracking_result"),
    "GOT-10k without times": (
        "got10k",
        drop(f"{GOT}_time.txt"),
        "missing-time",
        "000007_time.txt: it is not there",
    ),
    "GOT-10k, a column of times for three runs": (
        "got10k",
        text(f"{GOT}_time.txt", lambda d: b"0.1\n" * 5),
        "time-columns",
        r"1 column\(s\) for 3 run\(s\)",
    ),
    "GOT-10k, times too short": (
        "got10k",
        text(f"{GOT}_time.txt", lambda d: b"0.1,0.1,0.1\n" * 4),
        "time-lines",
        "4 lines for 5 frames",
    ),
    "GOT-10k, a negative time": (
        "got10k",
        text(f"{GOT}_time.txt", line(2, "0.1,-1,0.1")),
        "time-values",
        "line 2 is no time",
    ),
    "GOT-10k, two runs": (
        "got10k",
        lambda c: [c.pop(n) for n in list(c) if n.endswith("_003.txt")] and None,
        "runs",
        "it has 2 runs; GOT-10k test takes 1 or 3",
    ),
    "GOT-10k, a run missing once": (
        "got10k",
        drop(f"{GOT}_003.txt"),
        "missing-file",
        "000007_003.txt: it is not there",
    ),
    "GOT-10k, flat": (
        "got10k",
        lambda c: [c.update({n.split("/")[1]: c.pop(n)}) for n in list(c)] and None,
        "folder",
        "folders of the sequences lie at the top",
    ),
    "GOT-10k, a folder around all": (
        "got10k",
        under("GOT-10k"),
        "extra-folder",
        "GOT-10k/GOT-10k_Test_000001/",
    ),
    "eval-ai, JSON": ("eval-ai", add("results.json", b"{}"), "extra-file", "results.json"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_archive_is_rejected_for_the_right_reason(
    name: str, packed: dict[str, Path], tmp_path: Path
) -> None:
    server, edit, code, words = BROKEN[name]
    broken = change(packed[server], tmp_path / "broken.zip", edit)
    report = check_archive(broken, SERVERS[server], targets_of(SERVERS[server], make_benchmark(server)))
    assert is_rejected(report.findings)
    assert code in {finding.code for finding in report.findings if finding.fatal}
    lines = [shown for shown in said(report.findings) if f"[{code}]" in shown]
    assert any(re.search(words, shown) for shown in lines), lines


def test_whole_numbers_are_a_warning_that_says_what_they_cost(
    packed: dict[str, Path], tmp_path: Path
) -> None:
    def cut(data: bytes) -> bytes:
        rows = np.loadtxt(data.decode().splitlines(), delimiter=",").astype(int)
        return "".join(",".join(map(str, row)) + "\n" for row in rows).encode()

    broken = change(packed["trackingnet"], tmp_path / "whole.zip", every(".txt", cut))
    targets = targets_of(SERVERS["trackingnet"], make_benchmark("trackingnet"))
    report = check_archive(broken, SERVERS["trackingnet"], targets)
    assert not is_rejected(report.findings)
    assert {finding.code for finding in report.findings} == {"rounded", "first-rounded"}
    assert any(
        "511 file(s) are whole numbers" in shown and "% of overlap" in shown
        for shown in said(report.findings)
    )


def test_the_cost_of_whole_numbers_is_that_of_the_fractions_they_lost() -> None:
    boxes = np.tile((10.0, 10.0, 100.0, 100.0), (20000, 1))
    nearest, cut = rounding_cost([boxes])
    # To first order the lost share is the mean move of the near and of the far edge over the side, twice: of
    # fractions in -0.5..0.5 1/4 and 1/3 px, of fractions in 0..1 1/2 and 1 px.
    assert nearest == pytest.approx(100 * 2 * (1 / 4 + 1 / 3) / 100, rel=0.03)
    assert cut == pytest.approx(100 * 2 * (1 / 2 + 1) / 100, rel=0.03)
    assert rounding_cost([boxes * 10])[0] == pytest.approx(nearest / 10, rel=0.03)


def test_a_box_that_stands_still_is_no_rounding() -> None:
    from pytracking.leaderboards.box_text import parse_boxes

    assert parse_boxes("a", b"1,2,3,4\n" * 9)[1] == []
    assert [finding.code for finding in parse_boxes("a", b"1,2,3,4\n" + b"2,2,3,4\n" * 9)[1]] == ["rounded"]


def test_a_kind_of_fault_is_one_line_however_many_files_have_it(
    packed: dict[str, Path], tmp_path: Path
) -> None:
    broken = change(packed["trackingnet"], tmp_path / "flat.zip", under("drift"))
    report = check_archive(
        broken, SERVERS["trackingnet"], targets_of(SERVERS["trackingnet"], make_benchmark("trackingnet"))
    )
    lines = said(report.findings)
    assert len(report.findings) >= 511
    assert len(lines) == 1
    assert "and " in lines[0]
    assert lines[0].endswith("more.")


def test_without_the_data_set_the_count_and_the_archive_itself_are_compared(
    packed: dict[str, Path], tmp_path: Path
) -> None:
    few = change(packed["trackingnet"], tmp_path / "few.zip", drop(CLIP))
    report = check_archive(few, SERVERS["trackingnet"], [])
    assert [finding.code for finding in report.findings] == ["count"]
    assert "--root" in report.unchecked
    short = change(
        packed["got10k"], tmp_path / "short.zip", text(f"{GOT}_002.txt", lambda d: d + b"1,2,3,4\n")
    )
    report = check_archive(short, SERVERS["got10k"], targets_of(SERVERS["got10k"]))
    assert [finding.code for finding in report.findings] == ["line-count"]
