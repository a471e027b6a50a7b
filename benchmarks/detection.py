"""Processor time of refining boxes, of detecting with refinement, and of training steps, each by a baseline.

Both sides run in turns in the same run, on one thread:

- refinement of 100 boxes, Algorithm S1 with 10 steps, by a plain loop that asks autograd for every gradient
  and scores every candidate once more;
- detection with refinement, by the detector alone, from the same pictures;
- a training step of NCE+, features included, by one of IoU-Net with as many samples;
- the same of DSM and of ML-MCMC-4, by steps whose gradients autograd finds on the whole maps.

Without --data and --detector the light detector has random weights and the pictures are noise: then nearly
every region is a hypothesis of every class, which is the most that refinement can have to do.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ebm.boxes import rect_to_rel, rel_to_rect
from ebm.tasks.detection.branch import ConfidenceBranch, rects_of
from ebm.tasks.detection.data.opening import open_detection_set
from ebm.tasks.detection.data.training import load_sample
from ebm.tasks.detection.detectors import FasterRCNNDetector, TorchvisionDetector
from ebm.tasks.detection.energy import PyramidEnergy
from ebm.tasks.detection.light import LightRecipe, build_light
from ebm.tasks.detection.loading import is_detector_file, load_detector
from ebm.tasks.detection.prediction import Found, ascended, plain_detections, refined
from ebm.tasks.detection.recipes import BranchRecipe, find_recipe
from ebm.tasks.detection.sights import see
from ebm.tasks.detection.training import Labels, build_branch, gradient_of, noise_of

NAMES = ("car", "person", "cat", "train", "bus")


def in_turns(sides: Sequence[Callable[[int], object]], repeats: int) -> list[float]:
    """Median processor seconds of every side, in turns; the first of each does not count."""
    times = np.empty((repeats + 1, len(sides)))
    for repeat, row in enumerate(times):
        for place, side in enumerate(sides):
            start = time.thread_time()
            side(repeat)
            row[place] = time.thread_time() - start
    return [float(value) for value in np.median(times[1:], axis=0)]


def branch_recipe(method: str, schedule: str) -> BranchRecipe:
    """The recipe of a method with a branch."""
    recipe = find_recipe(method, schedule)
    assert isinstance(recipe, BranchRecipe)
    return recipe


def drawn_boxes(height: int, width: int, count: int, columns: int, generator: torch.Generator) -> Found:
    """Boxes of all sizes and classes in one picture."""
    shape = torch.tensor([width, height])
    corner = 0.7 * torch.rand(count, 2, generator=generator) * shape
    size = (0.6 * torch.randn(count, 2, generator=generator)).exp() * 0.25 * shape
    boxes = torch.cat((corner, corner + size), 1)
    column = torch.randint(1, columns, (count,), generator=generator)
    return Found(torch.zeros(count, dtype=torch.long), boxes, torch.ones(count), column)


def plain_ascent(model: PyramidEnergy, recipe: BranchRecipe, found: Found) -> Tensor:
    """Algorithm S1 as it is written: autograd at every place, every candidate scored; xywh ``(R, 4)``."""
    rule, rects = recipe.refine, rects_of(found.boxes)
    score, size = model.of_boxes(found.image, found.column), rects[:, 2:]
    position, extent = rule.step_length if isinstance(rule.step_length, tuple) else 2 * (rule.step_length,)
    step = torch.tensor([position, position, extent, extent]).expand(len(rects), 4)
    y = rect_to_rel(rects, size)
    for _ in range(rule.steps):
        at = y.detach().requires_grad_()
        before = score(rel_to_rect(at, size))
        (slope,) = torch.autograd.grad(before.sum(), at)
        with torch.no_grad():
            candidate = at + step * slope
            rises = (score(rel_to_rect(candidate, size)) > before)[:, None]
            y, step = torch.where(rises, candidate, at), torch.where(rises, step, rule.decay * step)
    return rel_to_rect(y.detach(), size)


def time_ascent(
    branch: ConfidenceBranch,
    recipe: BranchRecipe,
    detector: TorchvisionDetector,
    picture: Tensor,
    repeats: int,
) -> tuple[float, float, float]:
    """Seconds here and of the plain loop, and the largest difference of their boxes, px."""
    batch = detector.prepare([picture])
    model = PyramidEnergy(branch, detector.features(batch))
    height, width = batch.sizes[0]
    found = drawn_boxes(height, width, 100, len(detector.columns), torch.Generator().manual_seed(0))
    ours, plain = in_turns(
        [lambda _: ascended(model, recipe, found), lambda _: plain_ascent(model, recipe, found)], repeats
    )
    ends = rects_of(ascended(model, recipe, found).boxes), plain_ascent(model, recipe, found)
    return ours, plain, float((ends[0] - ends[1]).abs().max())


def time_detection(
    branch: ConfidenceBranch,
    recipe: BranchRecipe,
    detector: TorchvisionDetector,
    pictures: list[Tensor],
    repeats: int,
    together: int = 1,
) -> tuple[float, float, float]:
    """Seconds a picture with refinement and without, some `together`; hypotheses of a picture."""
    label = torch.arange(len(detector.columns)) - 1
    counts = []

    def chosen(repeat: int) -> list[Tensor]:
        first = repeat * together
        return [pictures[place % len(pictures)] for place in range(first, first + together)]

    def alone(repeat: int) -> None:
        plain_detections(see(detector, chosen(repeat), label).hypotheses)

    def with_branch(repeat: int) -> None:
        seen = see(detector, chosen(repeat), label)
        counts.append(sum(len(own.column) for own in seen.hypotheses) / together)
        refined(branch, recipe, seen.pyramid, seen.hypotheses)

    after, before = in_turns([with_branch, alone], repeats)
    return after / together, before / together, float(np.mean(counts))


class ByAutograd(PyramidEnergy):
    """An energy of another type is not known in closed form."""


Side = tuple[str, type[PyramidEnergy]]


def time_training(
    detector: TorchvisionDetector,
    pictures: list[Tensor],
    schedule: str,
    sides: tuple[Side, Side],
    repeats: int,
) -> tuple[float, float]:
    """Seconds of a step of two methods on four pictures of three boxes, with as many samples as NCE+ has."""
    draws = torch.Generator().manual_seed(0)
    chosen = [pictures[place % len(pictures)] for place in range(4)]
    own = [drawn_boxes(*picture.shape[1:], 3, len(detector.columns), draws) for picture in chosen]
    image = torch.arange(4).repeat_interleave(3)
    labels = Labels(image, torch.cat([one.column for one in own]), torch.cat([one.boxes for one in own]))

    def stepping(method: str, energy: type[PyramidEnergy]) -> Callable[[int], object]:
        recipe = branch_recipe(method, schedule)
        samples = branch_recipe("nce+", schedule).method.num_samples
        loss = replace(recipe.method, num_samples=samples).build_loss()
        branch = build_branch(recipe, detector, 0).train()
        optimiser = recipe.optimisation.optimiser(branch)

        def step(repeat: int) -> None:
            batch = detector.prepare(chosen)
            model = energy(branch, detector.features(batch))
            optimiser.zero_grad(set_to_none=True)
            noise = noise_of(0, repeat, batch.tensors.device)
            gradient_of(model, loss, labels, noise, recipe.rois_per_pass)
            if recipe.optimisation.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(branch.parameters(), recipe.optimisation.clip_norm)
            optimiser.step()

        return step

    here, baseline = in_turns([stepping(*side) for side in sides], repeats)
    return here, baseline


STEPS: dict[str, tuple[Side, Side]] = {
    "a step of NCE+ / of IoU-Net": (("nce+", PyramidEnergy), ("iou-net", PyramidEnergy)),
    "a step of DSM / by autograd": (("dsm", PyramidEnergy), ("dsm", ByAutograd)),
    "a step of ML-MCMC-4 / by autograd": (("ml-mcmc-4", PyramidEnergy), ("ml-mcmc-4", ByAutograd)),
}


def opened(args: argparse.Namespace) -> tuple[TorchvisionDetector, list[Tensor]]:
    """The detector and pictures of the size that it takes."""
    torch.manual_seed(0)
    if args.detector is None:
        recipe = LightRecipe()
        detector: TorchvisionDetector = FasterRCNNDetector(
            build_light(recipe, NAMES, "random")[0], ("", *NAMES), recipe.rule
        )
    else:
        name = str(args.detector)
        detector = load_detector(name, None if is_detector_file(name) else "random")
    if args.data is None:
        sides = detector.resizing.size(4 * 160, 4 * 120)[::-1]
        return detector, [torch.rand(3, *sides) for _ in range(2)]
    images = open_detection_set(args.data, "val")[0].images[: args.pictures]
    return detector, [load_sample(image, detector.resizing).picture for image in images]


def peak() -> str:
    """The most memory that the process has had."""
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale:.0f} MiB"


def main(argv: list[str] | None = None) -> None:
    """Measure all three and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detector", type=Path, metavar="FILE", help="or a name, then with random weights")
    parser.add_argument("--data", type=Path, metavar="DATA", help="pictures of its val split")
    parser.add_argument("--pictures", type=int, default=8, metavar="N")
    parser.add_argument("--repeats", type=int, default=5, metavar="N")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    detector, pictures = opened(args)
    schedule = "light" if args.detector is None or args.detector.suffix else "paper"
    recipe = branch_recipe("nce+", schedule)
    branch = build_branch(recipe, detector, 0).eval()
    with torch.no_grad():
        branch.fc_conf.weight.mul_(100)  # as steep as a trained one: steps are taken and refused
    print(f"one thread, {args.repeats} repeats in turns; seconds of processor time")
    print(f"{'':<44}{'here':>9}{'baseline':>10}{'ratio':>7}  peak memory so far")

    def tell(name: str, here: float, baseline: float) -> None:
        print(f"{name:<44}{here:>9.3f}{baseline:>10.3f}{here / baseline:>7.2f}  {peak()}", flush=True)

    ours, plain, difference = time_ascent(branch, recipe, detector, pictures[0], args.repeats)
    tell("100 boxes refined / a plain loop", ours, plain)
    after, before, count = time_detection(branch, recipe, detector, pictures, args.repeats)
    tell("a picture, refined / the detector alone", after, before)
    after, before, _ = time_detection(branch, recipe, detector, pictures, args.repeats, 4)
    tell("one of four, refined / the detector alone", after, before)
    training = detector, pictures, schedule
    for name, sides in STEPS.items():
        tell(name, *time_training(*training, sides, args.repeats))
    print(
        f"Largest difference between the refinements: {difference:.5f} px. {count:.0f} hypotheses a picture."
    )
    if difference > 0.1:
        raise SystemExit("error: the refinements disagree.")


if __name__ == "__main__":
    main()
