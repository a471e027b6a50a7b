"""Command lines on the folder of `tests.field.trees`: what they read, and what they are told to write."""

import os
from dataclasses import dataclass
from pathlib import Path

from tests.field.trees import RUN

BOX = ["--box", "4,8,12,10"]


@dataclass(frozen=True)
class Call:
    """A command line, the names that it reads, and what it is told to write."""

    argv: list[str]
    inputs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


def video(video: str, out: str, table: str | None) -> Call:
    other = [] if table is None else ["--csv", table]
    beside = os.path.splitext(out)[0] + ".csv"
    return Call(
        ["video", "first_box", "default", video, *BOX, "--out", out, *other], (video,), (out, table or beside)
    )


def video_by_default(video: str, out: str, table: str | None) -> Call:
    stem = Path(os.path.realpath(video)).stem
    files = tuple(f"runs/videos/{stem}_first_box{suffix}" for suffix in (".mp4", ".csv"))
    other = () if table is None else ("--csv", table)
    written = files if table is None else (files[0], table)
    return Call(["video", "first_box", "default", video, *BOX, *other], (video,), written)


def track(root: str, results: str, compared: str | None) -> Call:
    argv = ["track", "first_box", "default", "--dataset", "otb", "--root", root, "--results", results]
    more = [] if compared is None else ["--compare", f"label={compared}"]
    return Call([*argv, *more], (root,), folders=(f"{results}/first_box",))


def evaluate(root: str, out: str, results: str | None) -> Call:
    argv = ["evaluate", results or "first_box", "--dataset", "otb", "--root", root, "--out", out]
    return Call(argv, (root,) if results is None else (root, results), folders=(out,))


def export(checkpoint: str, out: str, _: str | None) -> Call:
    read = (checkpoint, os.path.splitext(checkpoint)[0] + ".json") if not os.path.isdir(checkpoint) else ()
    files = (f"{out}/X_ep0001.safetensors", f"{out}/X_ep0001.json")
    return Call(["export", checkpoint, "--out", out], read, files)


def check(data: str, out: str, _: str | None) -> Call:
    return Call(["dataset", "check", f"folder:{data}", "--json", out], (data,), (out,))


def convert(data: str, out: str, _: str | None) -> Call:
    argv = ["dataset", "convert", data, "--to", "voc", "--split", "train", "--out", out]
    return Call(argv, (data, "coco/pictures"), folders=(out,))


def refine(data: str, out: str, detections: str | None) -> Call:
    argv = ["detect", "refine", data, "--detector", DETECTOR, "--branch", BRANCH, "--out", out]
    more = [] if detections is None else ["--detections", detections]
    named = (data, "coco/pictures", DETECTOR, BRANCH)
    return Call([*argv, *more], named if detections is None else (*named, detections), (out,))


def score(results: str, out: str, before: str | None) -> Call:
    argv = ["detect", "evaluate", results, "--annotations", "coco/train.json", "--out", out]
    more = [] if before is None else ["--before", before]
    tables = tuple(
        f"{out}/{name}{end}" for name in ("scores", "categories") for end in (".csv", ".md", ".tex")
    )
    inputs = ("coco/train.json", results)
    return Call([*argv, *more], inputs if before is None else (*inputs, before), tables)


def pack(data: str, out: str, _: str | None) -> Call:
    return Call(
        ["dataset", "pack", f"folder:{data}", "--out", out, "--no-progress", "--skip-broken"],
        (data,),
        (),
        (out,),
    )


def sheet(photos: str, out: str, _: str | None) -> Call:
    argv = ["generate", "--contact-sheet", out, "--textures", photos, "--size", "48x32", "--length", "2-2"]
    return Call(argv, (photos,), (out,))


def generate(photos: str, out: str, _: str | None) -> Call:
    argv = ["generate", "--out", out, "--textures", photos, "--kind", "test", "--scale", "tiny"]
    return Call(argv, (photos,), folders=(f"{out}/generated",))


def train(data: str, out: str, weights: str | None) -> Call:
    argv = ["train", "dimp", "dimp_nce_plus_small", "--datasets", f"folder:{data}", "--workspace", out]
    more = [] if weights is None else ["--backbone-weights", weights]
    inputs = (data,) if weights is None else (data, weights)
    return Call([*argv, *more], inputs, folders=(f"{out}/{RUN}",))


def regress(out: str, _: str, __: str | None) -> Call:
    return Call(["regress", "--quick", "--out", out], folders=(out,))


def toy1d(out: str, _: str, __: str | None) -> Call:
    return Call(["toy1d", "table", "--quick", "--out", out], folders=(out,))


def demo(out: str, _: str, __: str | None) -> Call:
    return Call(["demo", "--workspace", out], folders=(out,))


def demo_from_scratch(out: str, _: str, __: str | None) -> Call:
    return Call(["demo", "--from-scratch", "--workspace", out], folders=(out,))


def doctor(_: str, __: str, ___: str | None) -> Call:
    return Call(["doctor"])


COCO, FOUND = ("coco/train.json",), ("coco/found.json",)
DETECTOR, BRANCH = "net/X_ep0001.safetensors", "net/X_ep0001.json"
VIDEOS, DATA, NET = ("clip.mp4", "frames", "to_frames"), ("otb", "to_otb"), "net/X_ep0001.safetensors"
