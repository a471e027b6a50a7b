"""Speed of the video generator on one core, beside drawing one layer of one frame at a time."""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ltr.dataset.generated import TRAIN_SCENE, Renderer, Scene, sample_scene
from ltr.dataset.generated.canvas import sampling_grid
from ltr.dataset.generated.jobs import VideoJob, run_video_job
from ltr.dataset.generated.posing import PosedBody
from ltr.dataset.generated.sensor import expose
from ltr.dataset.generated.sprites import make_sprites

_CHUNK = 16


def plain_drawing(scene: Scene, device: torch.device) -> Tensor:
    """The baseline: frame by frame, every part of every actor warped over the whole frame and blended.

    Motion blur is left out, which favours the baseline.
    """
    renderer = Renderer(scene, device)
    width, height = scene.size
    sprites = [make_sprites(a.body, tuple(np.abs(a.track.scale).mean(axis=0)), device) for a in scene.actors]
    images = []
    for frame in range(scene.length):
        time_ = np.array([float(frame)])
        ground = renderer.ground.seen(scene.camera.at(time_), 1)
        image = ground[:, :3]
        for actor, parts in zip(scene.actors, sprites):
            posed = PosedBody(actor.body, renderer.pose(actor, time_))
            to_body = np.linalg.inv(posed.pose.matrix)
            for sprite, (matrix, offset) in zip(parts, posed.parts):
                back = np.linalg.inv(matrix) / np.array(sprite.margin)[:, None]
                both = back @ to_body
                shift = both @ (0.5 - posed.pose.offset)[..., None] - back @ offset[..., None]
                grid = sampling_grid(np.concatenate((both, shift), axis=2), 0, 0, width, height, device)
                layer = F.grid_sample(sprite.image, grid, align_corners=False)
                image = image * (1.0 - layer[:, 3:]) + layer[:, :3]
        light = ground[:, 3, :, :, None] if renderer.ground.lit else None
        images.append(expose(scene, image.permute(0, 2, 3, 1).contiguous(), light, np.array([frame])))
    return torch.cat(images)


def batched_drawing(scene: Scene, device: torch.device) -> Tensor:
    """What the generator does."""
    renderer = Renderer(scene, device)
    starts = range(0, scene.length, _CHUNK)
    return torch.cat([renderer.draw(np.arange(i, min(i + _CHUNK, scene.length)))[0] for i in starts])


def _seconds(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()  # one thread: what a core spends, whoever else is on the machine


def _measure(scenes: list[Scene], draw: object, device: torch.device) -> float:
    start = _seconds(device)
    frames = sum(len(draw(scene, device)) for scene in scenes)  # type: ignore[operator]
    return frames / (_seconds(device) - start)


def _files(count: int, size: tuple[int, int]) -> float:
    """Frames per second from seed to JPEG file, everything included."""
    config = replace(TRAIN_SCENE, frame_sizes=(size,))
    with tempfile.TemporaryDirectory() as folder:
        jobs = [
            VideoJob(
                root=Path(folder), layout="got10k", name=str(i), category="person", seed=i, config=config
            )
            for i in range(count)
        ]
        start = time.process_time()
        frames = sum(run_video_job(job)["frames"] for job in jobs)
        return frames / (time.process_time() - start)


def main(argv: list[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=24)
    parser.add_argument("--size", type=int, nargs=2, default=(320, 240), metavar=("W", "H"))
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    device, size = torch.device(args.device), tuple(args.size)
    scenes = [sample_scene(seed, replace(TRAIN_SCENE, frame_sizes=(size,))) for seed in range(args.videos)]
    for draw in (plain_drawing, batched_drawing):  # warm up
        draw(scenes[0], device)
    plain, batched = (_measure(scenes, draw, device) for draw in (plain_drawing, batched_drawing))
    print(f"{args.videos} videos of {size[0]} x {size[1]} px on {device}, one thread")
    print(f"painting and drawing, one layer of one frame at a time   {plain:8.1f} frames/s")
    print(f"painting and drawing, batched                            {batched:8.1f} frames/s")
    print(f"ratio batched / one at a time                            {batched / plain:8.2f}")
    if device.type == "cpu":
        whole = _files(args.videos, size)
        print(f"from seed to JPEG files, everything included             {whole:8.1f} frames/s and core")
    return 0


if __name__ == "__main__":
    sys.exit(main())
