"""Speed of densities given pictures, one thread, each line beside its baseline in the same run.

Run: ``OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE python benchmarks/pictures.py [--rounds 20] [--full]``.

- refined prediction beside the direct one: pixels to backbone to head, and Algorithm S2 on the same features;
  of it, what the energy's first product with these features takes alone;
- energies of 1024 targets beside that of one, pixels included: every picture's own, and a grid they share;
- the feature cache beside bare loops over the decoder and the backbone, on files that are written first.

``--full`` takes one step of the papers' recipes (ResNet-50, batches of 32, M = 1024): seconds and memory.

Seconds are of the processor; both sides of a ratio take turns, and the median of the rounds counts.
"""

import argparse
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ebm.baselines.build import build_baseline
from ebm.fitting.network import features_energy
from ebm.images.cache import BATCH, FeatureCache
from ebm.images.features import Extractor, FeatureRecipe
from ebm.images.reading import read_picture
from ebm.predict import refine
from ebm.tasks.images.age import TASK as AGE
from ebm.tasks.images.pose import TASK as POSE

HIDDEN = 512


def ratio(one: Callable[[], Any], baseline: Callable[[], Any], rounds: int) -> tuple[float, float, float]:
    """Median seconds of both, which take turns, and how many times longer the first takes."""
    one(), baseline()
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for seconds, call in zip(taken, (one, baseline)):
            start = time.process_time()
            call()
            seconds.append(time.process_time() - start)
    first, second = (statistics.median(seconds) for seconds in taken)
    return first, second, first / second


def told(name: str, found: tuple[float, float, float]) -> None:
    """One line."""
    print(f"{name:58s} {1e3 * found[0]:9.2f} ms {1e3 * found[1]:9.2f} ms  {found[2]:6.3f}", flush=True)


def predictions(extractor: Extractor, rounds: int) -> None:
    """Refinement, and many targets, in batches of 1 and 32."""
    width = extractor.width
    torch.manual_seed(0)
    direct = build_baseline("l2", width, hidden=(HIDDEN,)).eval()
    energy = features_energy(width, 1, HIDDEN, 3.0).eval().requires_grad_(False)
    for count in (1, 32):
        pixels = np.random.default_rng(0).integers(0, 255, (count, 128, 128, 3)).astype(np.uint8)

        def features(pixels: Any = pixels) -> Tensor:
            return extractor(pixels).mean(1)

        def plain() -> Tensor:
            with torch.no_grad():
                return direct.predict(features())

        def refined() -> Tensor:
            x = features()
            with torch.no_grad():
                start = direct.predict(x)
            # All five steps are taken: none ends for want of improvement.
            return refine(energy, x, start, method="s2", steps=5, step_length=0.03, tol_improve=0.0).y

        def joined() -> None:
            x = features()
            with torch.no_grad():
                direct.predict(x), energy.extract(x)

        own = torch.randn(count, 1024, 1, generator=torch.Generator().manual_seed(0))
        grid = torch.linspace(-3, 3, 1024)[:, None].repeat(count, 1, 1)

        def energies(targets: Tensor) -> Tensor:
            with torch.no_grad():
                return energy.score(energy.extract(features()), targets)

        told(f"refined beside direct, batch {count}", ratio(refined, plain, rounds))
        told(f"of that, the features' product, batch {count}", ratio(joined, plain, rounds))
        for name, targets in (("1024 targets of its own", own), ("a grid of 1024 targets", grid)):
            found = ratio(partial(energies, targets), partial(energies, own[:, :1]), rounds)
            told(f"{name}, beside one, batch {count}", found)


def cache(extractor: Extractor, folder: Path, count: int, rounds: int) -> None:
    """The cache beside the bare loops."""
    random = np.random.default_rng(0)
    paths = [folder / f"{k}.jpg" for k in range(count)]
    for path in paths:
        coarse = Image.fromarray(random.integers(0, 255, (25, 25, 3)).astype(np.uint8))
        coarse.resize((200, 200)).save(path, quality=90)

    def bare() -> None:
        for k in range(0, count, BATCH):
            extractor(np.stack([read_picture(path, 128).pixels for path in paths[k : k + BATCH]]))

    def cached() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            FeatureCache(extractor, Path(place)).features(paths)

    told(f"cache of {count} pictures beside decoder and backbone", ratio(cached, bare, rounds))


def full() -> None:
    """One step of the papers' recipes, each in a process of its own: memory is told of whole processes."""
    context = multiprocessing.get_context("spawn")
    for task in ("age", "pose"):
        with ProcessPoolExecutor(1, context) as pool:
            seconds, peak = pool.submit(full_step, task).result()
        print(f"{task}: a step of {seconds:.1f} s (4 pictures to choose on included), {peak:.2f} GB at most")


def full_step(name: str) -> tuple[float, float]:
    """Seconds of a further step of the papers' recipe, and the most memory that the process took, GB."""
    from ebm.images.labelled import Labelled
    from ebm.images.reading import Frame
    from ebm.tasks.images.task import Parts
    from ebm.tasks.images.tuned import fit_backbone, full_recipe

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # features of noise through random weights have outliers
    task = {"age": AGE, "pose": POSE}[name]
    recipe = full_recipe(task)
    random = np.random.default_rng(0)
    shape = (36, recipe.features.size, recipe.features.size, 3)
    frames = [Frame(str(k), one) for k, one in enumerate(random.integers(0, 255, shape).astype(np.uint8))]
    y = random.normal(30, 10, (36, len(task.targets)))
    names = tuple(map(str, range(36)))
    whole = Labelled(Path(), names, tuple(frames), y, task.targets, tuple(range(36)))
    parts = Parts(whole.chosen(range(32)), whole.chosen(range(32, 36)), whole.chosen(range(32, 36)))
    taken = []
    for epochs in (1, 2):
        start = time.process_time()
        fit_backbone(task, replace(recipe, epochs=epochs), parts, "ml-is", weights="random")
        taken.append(time.process_time() - start)
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return taken[1] - taken[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--pictures", type=int, default=256)
    parser.add_argument("--weights", default=None, help="of the backbone; 'random' needs no package")
    parser.add_argument("--full", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.full:
        full()
        return
    extractor = Extractor(FeatureRecipe(), args.weights)
    print(f"{'':58s} {'':>12s} {'baseline':>12s}   ratio")
    predictions(extractor, args.rounds)
    with tempfile.TemporaryDirectory() as folder:
        cache(extractor, Path(folder), args.pictures, max(1, args.rounds // 5))


if __name__ == "__main__":
    main()
