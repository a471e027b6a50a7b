"""Command: check a dataset for missing and broken sequences, pack it into shards, convert annotations."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ebm.command import CommandParser, local_path, run_command
from ebm.exceptions import InputError
from ebm.files import expanded
from ebm.outputs import Output, require_outputs
from ltr.dataset.tools.faults import first_few

if TYPE_CHECKING:
    from ltr.data.video import VideoDataset
    from ltr.dataset.tools.faults import Report

__all__ = ["build_parser", "main", "show_report"]

WITH_SPLITS = ("lasot", "got10k", "coco", "photos")
_EXAMPLES = """\
examples:
  ebmtrack dataset check lasot
      every sequence that is missing or broken, by name; seconds, images are not decoded
  ebmtrack dataset check got10k --root /data/GOT-10k/train --deep --json got10k.json
      decode every image too, and write the findings to a file
  ebmtrack dataset check folder:/data/my_videos
      a folder of videos of your own, a .csv table or a .json file in the manner of COCO
  ebmtrack dataset check VOC2007 --split train
      pictures with boxes: a folder of COCO, of Pascal VOC or of YOLO; without --split all of it
  ebmtrack dataset pack lasot --out /ssd/lasot
      check, and copy the images into a few large files, which are read faster; then set
      lasot = "/ssd/lasot"
  ebmtrack dataset convert MOT16-02/gt/gt.txt --out mot02
      a video folder for each target; also texts with decimal commas, polygons or UTF-16, and tables of
      Excel, into new files
  ebmtrack dataset convert VOC2007 --split train --out voc_as_coco
  ebmtrack dataset convert annotations/instances_val2017.json --to yolo --split val --out coco_as_yolo
      pictures with boxes for 'ebmtrack detect', between COCO, Pascal VOC and YOLO
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = CommandParser(
        prog="ebmtrack dataset",
        description="Check a dataset, pack it, or convert annotations of other programs.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="check|pack|convert")
    check = actions.add_parser("check", help="name what is missing or broken; exit code 1 if anything is")
    check.add_argument("--deep", action="store_true", help="read and decode every image")
    check.add_argument(
        "--json", type=local_path, metavar="FILE", help="write the findings there too; - for stdout"
    )
    check.add_argument("--notes", action="store_true", help="list every note instead of a summary")
    pack = actions.add_parser("pack", help="copy a dataset into shards that are read faster")
    pack.add_argument(
        "--out", type=local_path, required=True, metavar="DIR", help="new folder for the shards"
    )
    pack.add_argument(
        "--shard-gb", type=float, default=1.0, metavar="GB", help="size of a shard (default: 1)"
    )
    pack.add_argument(
        "--progress", action=argparse.BooleanOptionalAction, default=True, help="show a progress bar"
    )
    pack.add_argument(
        "--allow-missing", action="store_true", help="pack the sequences that are there, if not all are"
    )
    pack.add_argument(
        "--skip-broken",
        action="store_true",
        help="leave out, by name, sequences that are missing or cannot be read",
    )
    _add_convert(actions)
    _add_place(check, pack)
    return parser


def _add_place(*actions: argparse.ArgumentParser) -> None:
    """Which data set, and where it lies."""
    for action in actions:
        action.add_argument(
            "name",
            help="lasot, got10k, trackingnet, coco, imagenetvid, folder:PATH, a path; checked: otb, otb50, "
            "uav, uav123_10fps, uav20l, nfs, lasot_extension_subset, tpl, tpl_nootb, vot, got10k_val, "
            "got10k_test, trackingnet_test",
        )
        action.add_argument(
            "--root", type=local_path, metavar="DIR", help="where it lies (default: as configured)"
        )
        action.add_argument("--split", help="part of it, for datasets that have some")


def _add_convert(actions: "argparse._SubParsersAction[CommandParser]") -> None:
    """The action ``convert``."""
    convert = actions.add_parser("convert", help="write annotations of another program anew as ours")
    convert.add_argument(
        "source",
        type=local_path,
        metavar="SOURCE",
        help="MOT's gt.txt, a text of boxes, a table; a detection set: COCO's json, a folder of VOC or YOLO",
    )
    convert.add_argument(
        "--out", type=local_path, required=True, metavar="NEW", help="a file or folder not there yet"
    )
    convert.add_argument(
        "--images", type=local_path, metavar="DIR", help="of MOT or COCO (default: where they usually lie)"
    )
    convert.add_argument("--copy", action="store_true", help="copy pictures instead of linking to them")
    convert.add_argument(
        "--to",
        choices=("coco", "voc", "yolo"),
        help="form of pictures with boxes (default: COCO's, from VOC and YOLO)",
    )
    convert.add_argument("--split", help="part of a folder of pictures with boxes, e.g. train")


def _locate(name: str, root: Path | None, split: str | None) -> tuple[Path, str | None]:
    """Place and layout of what was named.

    Raises:
        InputError: if it is not there.
        UnknownNameError: if it is neither a known dataset nor a path.
    """
    from ebm.lookup import unknown_name
    from ebm.tasks.detection.data.opening import detection_format
    from ltr.admin.environment import require_dataset_root
    from ltr.dataset.opening import KINDS

    if split and name in KINDS and name not in WITH_SPLITS:
        raise InputError(f"{name} has no splits; leave --split out.")
    if name in KINDS:
        return require_dataset_root(name, root), name
    path = expanded(name.removeprefix("folder:"))
    parts = ("coco", "voc", "yolo") if path.is_dir() else ("yolo",)
    if split and detection_format(path) not in parts:
        raise InputError(f"--split goes with a dataset's name, one of {', '.join(WITH_SPLITS)}.")
    if root is not None:
        raise InputError(
            f"--root goes with a dataset's name, one of {', '.join(KINDS)}, and {name} is none; to check a "
            "folder of your own, name it alone."
        )
    if not path.exists() and "/" not in name and not name.startswith("folder:"):
        raise unknown_name("dataset", name, KINDS, "Your own videos: folder:PATH.")
    return path, None


def _check(options: argparse.Namespace) -> int:
    from ltr.dataset.opening import read_places
    from ltr.dataset.tools.layouts import check_dataset

    path, kind = _locate(options.name, options.root, options.split)
    if options.json is not None and str(options.json) != "-":
        require_outputs(
            [Output(name="--json", path=options.json, stream=True)], {"the data set": read_places(path)}
        )
    return show_report(check_dataset(path, kind, options.split, options.deep), options)


def show_report(report: "Report", options: argparse.Namespace) -> int:
    """Print the report of a check, or write it, as the options say; returns the exit code."""
    import json

    from ebm.files import write_json

    if options.json is not None and str(options.json) == "-":
        print(json.dumps(report.to_json(), indent=1))
    else:
        print(report.to_text(options.notes))
        if options.json is not None:
            write_json(options.json, report.to_json())
    return 1 if report.faults else 0


def _pack(options: argparse.Namespace) -> int:
    from ltr.dataset.chosen import WithoutSequences
    from ltr.dataset.opening import open_dataset, open_path, places_of
    from ltr.dataset.packing import pack_dataset
    from ltr.dataset.tools.readable import unpackable

    path, kind = _locate(options.name, options.root, options.split)

    def opened(allow_missing: bool) -> "VideoDataset":
        chosen = {"split": options.split} if options.split else {}
        if allow_missing:
            chosen["allow_missing"] = True
        return open_path(path, **chosen) if kind is None else open_dataset(kind, path, **chosen)

    dataset = opened(True)
    require_outputs(
        [Output(name="--out", path=options.out, folder=True, owned=True)],
        {"the data set": places_of(path, dataset)},
    )
    report, broken = unpackable(dataset, path, kind, options.split)
    if report.faults:
        print(f"{report.to_text()}\n", file=sys.stderr)
    if broken and not options.skip_broken:
        raise InputError(
            f"nothing was packed, since {len(broken)} sequence{'s' * (len(broken) != 1)} cannot be read: "
            f"{first_few(sorted(broken))}. "
            "Repair them, or leave them out with --skip-broken."
        )
    if not (options.allow_missing or options.skip_broken):
        dataset = opened(False)
    left_out = broken | set(getattr(dataset, "missing", ()))
    if left_out:
        dataset = WithoutSequences(dataset, broken)
        print(f"left out: {', '.join(sorted(left_out))}")
    size = max(1, round(options.shard_gb * 1e9))
    done = pack_dataset(dataset, options.out, shard_bytes=size, progress=options.progress)
    key = kind or "datasets"
    use = f'{key} = "{options.out}"' if kind else f"--datasets folder:{options.out}"
    print(f"{options.out}: {done}\nuse it: {use}")
    return 0


def _convert(options: argparse.Namespace) -> int:
    from ebm.tasks.detection.data.opening import detection_format
    from ltr.dataset.tools.convert import convert

    pictures = options.source.is_dir() or detection_format(options.source) == "yolo"
    if pictures or options.to or options.split:
        from ebm.tasks.detection.data.converting import convert_set

        converted = convert_set(
            options.source,
            options.out,
            options.to,
            options.split,
            pictures=options.images,
            copy=options.copy,
        )
        print(converted)
        return 1 if len(converted.problems) else 0
    print(convert(options.source, options.out, options.images, options.copy))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0; 1 if a check found faults or rows could not be converted, 2 for an input that cannot be used, 130
        after Ctrl-C.
    """
    return run_command(
        build_parser(), _run, argv, interrupted="the same command goes on with what was packed."
    )


def _run(options: argparse.Namespace) -> int:
    return {"check": _check, "pack": _pack, "convert": _convert}[options.action](options)


if __name__ == "__main__":
    sys.exit(main())
