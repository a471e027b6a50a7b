"""Progress bars: what they leave in a log."""

import io
import re
from pathlib import Path

import pytest

from ebm import bars
from ebm.bars import progress_bar, terminal_bar

ROOT = Path(__file__).resolve().parents[2]


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    own = Clock()
    monkeypatch.setattr(bars, "time", own)
    return own


def walk(bar: object, clock: Clock, seconds: int) -> None:
    """A step a second, each of which is drawn."""
    for _ in range(seconds):
        clock.now += 1.0
        bar.update()
        bar.refresh()


def test_a_log_has_a_line_every_half_minute_and_one_of_the_end(clock: Clock) -> None:
    log = io.StringIO()
    with progress_bar(total=200, desc="videos", file=log) as bar:
        walk(bar, clock, 200)
    lines = log.getvalue().splitlines()
    assert [int(re.search(r"(\d+)/200", line)[1]) for line in lines] == [30, 60, 90, 120, 150, 180, 200]
    assert all(line.startswith("videos: ") for line in lines)
    assert "\r" not in log.getvalue()


def test_a_short_bar_leaves_its_end_or_nothing(clock: Clock) -> None:
    log = io.StringIO()
    assert list(progress_bar(range(5), desc="kept", file=log)) == [0, 1, 2, 3, 4]
    assert list(progress_bar(range(5), desc="gone", file=log, leave=False)) == [0, 1, 2, 3, 4]
    (line,) = log.getvalue().splitlines()
    assert line.startswith("kept: 100%")


def test_bars_above_each_other_write_whole_lines(clock: Clock) -> None:
    log = io.StringIO()
    with progress_bar(total=60, desc="outer", file=log) as outer:
        for _ in range(2):
            with progress_bar(total=31, desc="inner", file=log, leave=False) as inner:
                walk(inner, clock, 31)
            outer.update(30)
            outer.refresh()
    lines = log.getvalue().splitlines()
    assert [line.split(":")[0] for line in lines[:4]] == ["inner", "outer", "inner", "outer"]
    assert len(lines) <= 5  # the end of the outer one may be new in its rate alone
    assert not re.search(r"[\r\x1b]|\n\n", log.getvalue())


def test_a_terminal_has_a_bar_that_moves() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    assert list(progress_bar(range(3), file=screen)) == [0, 1, 2]
    assert screen.getvalue().startswith("\r  0%")


def test_a_bar_for_terminals_alone_writes_nothing_into_a_log(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    log = io.StringIO()
    with progress_bar(total=100, file=log, disable=None) as bar:
        walk(bar, clock, 100)
    assert log.getvalue() == ""
    assert list(terminal_bar(range(3), total=3)) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_no_other_file_makes_bars() -> None:
    files = [file for package in ("ebm", "ltr", "pytracking") for file in (ROOT / package).rglob("*.py")]
    makers = {file.relative_to(ROOT).as_posix() for file in files if "tqdm(" in file.read_text("utf-8")}
    assert makers == {"ebm/bars.py"}
