"""A run with a page, beside the test that visits it."""

import csv
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from pytracking.evaluation.video_outcome import Outcome
from pytracking.evaluation.video_run import VideoSink, track_video
from pytracking.evaluation.video_tables import csv_table
from pytracking.evaluation.video_writer import VideoWriter
from pytracking.page.facts import PageOptions
from pytracking.page.screen import PageScreen
from pytracking.tracker.first_box import FirstBox
from tests.pytracking.page.visitor import Beside, ListSource

__all__ = ["Run"]


class Run:
    """A run of the tracker that repeats its boxes, beside the test."""

    def __init__(
        self, folder: Path, images: list[np.ndarray | None], box: Any = None, **options: Any
    ) -> None:
        shown = options.pop("shown", True)
        self.table = folder / "out.csv"
        self._source, self._box = ListSource(images, options.pop("pace", 0.0)), box
        self._page = PageScreen(
            PageOptions(**{"title": "clip", "with_ids": True, "count": len(images), **options}), shown=shown
        )
        self.url = self._page.url
        self._run = Beside(self._track)

    def _track(self) -> Outcome:
        with self._page, ExitStack() as files:
            writer = VideoWriter(self.table.with_suffix(".mp4"), 10)
            sink = VideoSink(writer, [csv_table(self.table, files, with_ids=True)], files)
            if self._box is not None:
                self._page.wait_until_opened()
            found = track_video(FirstBox(), self._source, self._box, "clip", sink, self._page)
            self._page.end("That was all.")
        return found

    def result(self) -> Outcome:
        found: Outcome = self._run.result()
        return found

    def rows(self) -> list[tuple[str, str, float, str]]:
        """Frame, id, x and state."""
        with self.table.open() as file:
            return [(row["frame"], row["id"], float(row["x"]), row["state"]) for row in csv.DictReader(file)]

    def server_dies(self) -> None:
        """End the server without a word, as a tunnel that is cut would; the run is left to itself."""
        self._page._server.close()
