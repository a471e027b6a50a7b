"""The files that a tracked video leaves: which were asked for, where they are, and what writes them."""

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ebm.command import local_path
from ebm.outputs import Output, require_outputs
from pytracking.evaluation.draw_option import DEFAULT_PARTS, add_draw_option

if TYPE_CHECKING:
    from pytracking.evaluation.video_tables import FrameTable

__all__ = ["VideoOutputs", "add_output_options"]


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Where the mp4, the tables and the crops are written."""
    group = parser.add_argument_group("outputs")
    group.add_argument(
        "--out",
        type=local_path,
        metavar="FILE.mp4",
        help="default: videos/<name>_<tracker>.mp4 in the workspace",
    )
    group.add_argument("--csv", type=local_path, metavar="FILE.csv", help="default: beside the mp4")
    group.add_argument(
        "--mot", type=local_path, metavar="FILE.txt", help="also write the MOT benchmarks' text format"
    )
    group.add_argument(
        "--json", type=local_path, metavar="FILE.json", help="also write COCO-style JSON with track ids"
    )
    group.add_argument(
        "--crops", type=local_path, metavar="DIR", help="also cut the targets out of every frame, as JPEG"
    )
    add_draw_option(group)


@dataclass(frozen=True, kw_only=True)
class VideoOutputs:
    """Files of one run; None where one was not asked for.

    Attributes:
        video: the mp4.
        csv: beside it, or where it was asked for.
        mot: in the MOT benchmarks' format.
        json: COCO-style.
        crops: a folder.
        page: of ``--debug-page``.
        drawn: what the mp4 shows of the targets.
    """

    video: Path
    csv: Path
    mot: Path | None
    json: Path | None
    crops: Path | None
    page: Path | None
    drawn: tuple[str, ...] = DEFAULT_PARTS

    @classmethod
    def asked_for(cls, args: argparse.Namespace, default: Path) -> "VideoOutputs":
        """What was parsed; the mp4 is `default` where none was named."""
        video = args.out or default
        return cls(
            video=video,
            csv=args.csv or video.parent / f"{video.stem}.csv",
            mot=args.mot,
            json=args.json,
            crops=args.crops,
            page=args.debug_page,
            drawn=args.draw,
        )

    @property
    def named(self) -> dict[str, Path]:
        """What there will be besides the mp4, by the word for it."""
        found = {
            "Table": self.csv,
            "MOT": self.mot,
            "JSON": self.json,
            "Crops": self.crops,
            "Page": self.page,
        }
        return {word: path for word, path in found.items() if path is not None}

    def require(self, inputs: "Mapping[str, Path | Sequence[Path] | None]") -> None:
        """Refuse outputs that are inputs, or each other; see `require_outputs`."""
        streams = {"--csv": self.csv, "--mot": self.mot}
        outputs = [Output(name="the video --out", path=self.video)]
        outputs += [
            Output(name=f"the table {option}", path=path, stream=True)
            for option, path in streams.items()
            if path is not None
        ]
        for option, file in {"--json": self.json, "--debug-page": self.page}.items():
            outputs += [] if file is None else [Output(name=f"the file {option}", path=file)]
        if self.crops is not None:
            outputs.append(Output(name="the folder --crops", path=self.crops, folder=True))
        require_outputs(outputs, inputs)

    def tables(self, stack: ExitStack, video: str, *, with_ids: bool) -> "list[FrameTable]":
        """What takes the rows of every frame.

        Args:
            stack: closes them.
            video: name of the video.
            with_ids: whether targets have ids.
        """
        from pytracking.evaluation.track_files import CocoFile, CropFolder
        from pytracking.evaluation.video_tables import csv_table, mot_table

        tables: list[FrameTable] = [
            csv_table(self.csv, stack, with_ids=with_ids, with_deviations="density" in self.drawn)
        ]
        if self.mot is not None:
            tables.append(mot_table(self.mot, stack))
        if self.json is not None:
            tables.append(CocoFile(self.json, video, stack))
        if self.crops is not None:
            tables.append(CropFolder(self.crops, video))
        return tables
