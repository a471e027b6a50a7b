"""Time of precise RoI pooling, and its ratio to two baselines measured in the same run.

Run: ``OMP_NUM_THREADS=1 python benchmarks/prroi_pool.py [--device cuda] [--case NAME]``. Baselines:
"gathered" evaluates the same integral on a copy of the map per box; "roi_align" is torchvision's operator
with 8 x 8 samples per bin, an approximation without gradient in the boxes.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import roi_align

from ebm.ops.prroi_pool import prroi_pool2d, prroi_pool_per_image
from ebm.ops.roi_windows import bin_weights


@dataclass(frozen=True, kw_only=True)
class Case:
    """One workload: N maps ``(channels, cells, cells)`` with P boxes each, `bins` x `bins`.

    Boxes have sides of `smallest` to `largest` of the map's; a feature pyramid assigns its boxes to levels
    so that they are small beside the map, a tracker's search area is three to six targets wide.
    """

    maps: int
    boxes: int
    cells: int
    channels: int
    bins: int
    repeats: int = 60
    smallest: float = 0.1
    largest: float = 0.35


CASES = {
    "frame 18": Case(maps=1, boxes=10, cells=18, channels=256, bins=3),
    "frame 36": Case(maps=1, boxes=10, cells=36, channels=256, bins=5),
    "frame 44": Case(maps=1, boxes=10, cells=44, channels=256, bins=5),
    "training 18": Case(maps=12, boxes=129, cells=18, channels=256, bins=5, repeats=4),
    "training small": Case(maps=12, boxes=129, cells=16, channels=64, bins=5, repeats=8),
    "pyramid 200": Case(
        maps=2, boxes=128, cells=200, channels=256, bins=7, repeats=3, smallest=0.02, largest=0.14
    ),
}


def gathered(features: Tensor, boxes: Tensor, bins: int, scale: float) -> Tensor:
    """The baseline: one copy of the map per box, ``(R, C, H, W)``, then an einsum; same results."""
    n, p = boxes.shape[:2]
    copies = features.repeat_interleave(p, 0)
    flat = boxes.reshape(-1, 4) * scale
    height, width = features.shape[2:]
    rows = bin_weights(flat[:, 1], flat[:, 3], bins, torch.arange(height, device=flat.device))
    cols = bin_weights(flat[:, 0], flat[:, 2], bins, torch.arange(width, device=flat.device))
    return torch.einsum("rah,rchw,rbw->rcab", rows, copies, cols).unflatten(0, (n, p))


def milliseconds(run: Callable[[], object], repeats: int, device: torch.device) -> float:
    """Median time of `run`, ms, after two runs to warm up."""
    times = []
    for turn in range(repeats + 2):
        start = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if turn >= 2:
            times.append(1e3 * (time.perf_counter() - start))
    return sorted(times)[len(times) // 2]


def workload(case: Case, device: torch.device) -> tuple[Tensor, Tensor]:
    """Channels-last maps ``(N, C, H, W)`` and boxes ``(N, P, 4)`` xyxy px around the middle."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(case.maps, case.channels, case.cells, case.cells, generator=generator)
    side = 8.0 * case.cells
    corner = side * (0.3 + 0.1 * torch.rand(case.maps, case.boxes, 2, generator=generator))
    span = case.largest - case.smallest
    size = side * (case.smallest + span * torch.rand(case.maps, case.boxes, 2, generator=generator))
    features = features.to(device).contiguous(memory_format=torch.channels_last)
    return features, torch.cat((corner, corner + size), -1).to(device)


def forward_and_backward(pool: Callable[[Tensor, Tensor], Tensor], features: Tensor, boxes: Tensor) -> None:
    """One evaluation and the gradient in whichever input asks for it."""
    pooled = pool(features, boxes).contiguous()
    wanted = [tensor for tensor in (features, boxes) if tensor.requires_grad]
    torch.autograd.grad(pooled, wanted, torch.ones_like(pooled))


def measure(case: Case, device: torch.device) -> dict[str, tuple[float, float, float]]:
    """Per method: ms forward, forward + gradient in boxes, forward + gradient in features (NaN: has none)."""
    features, boxes = workload(case, device)
    image = torch.arange(case.maps, device=device).repeat_interleave(case.boxes)[:, None].float()
    methods: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "ours": lambda f, b: prroi_pool_per_image(f, b, case.bins, 1 / 8),
        "ours, listed": lambda f, b: prroi_pool2d(
            f, torch.cat((image, b.flatten(0, 1)), 1), case.bins, 1 / 8
        ),
        "gathered": lambda f, b: gathered(f, b, case.bins, 1 / 8),
        "roi_align": lambda f, b: roi_align(
            f, torch.cat((image, b.flatten(0, 1)), 1), (case.bins, case.bins), 1 / 8, 8, True
        ),
    }
    if case.cells**2 * case.channels * case.maps * case.boxes * 4 > 8e9:
        del methods["gathered"]  # a copy of a map this large per box does not fit
    results = {}
    for name, pool in methods.items():
        with torch.no_grad():
            plain = milliseconds(lambda pool=pool: pool(features, boxes).contiguous(), case.repeats, device)
        moving, trained = boxes.clone().requires_grad_(), features.clone().requires_grad_()
        box = float("nan")
        if name != "roi_align":
            run = lambda pool=pool, b=moving: forward_and_backward(pool, features, b)  # noqa: E731
            box = milliseconds(run, case.repeats, device)
        run = lambda pool=pool, f=trained: forward_and_backward(pool, f, boxes)  # noqa: E731
        results[name] = (plain, box, milliseconds(run, case.repeats, device))
    return results


def main(argv: list[str] | None = None) -> None:
    """Print one block per workload."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--case", choices=CASES, action="append", help="default: all")
    args = parser.parse_args(argv)
    device = torch.device(args.device)
    for label in args.case or CASES:
        case = CASES[label]
        print(f"{label}: {case.maps} maps of {case.channels} x {case.cells} x {case.cells}, ", end="")
        print(f"{case.boxes} boxes each, {case.bins} x {case.bins} bins, {torch.get_num_threads()} thread(s)")
        results = measure(case, device)
        for name, (plain, box, feature) in results.items():
            ratios = ", ".join(
                f"{results[base][0] / plain:.1f}x of {base}"
                for base in ("gathered", "roi_align")
                if name.startswith("ours") and base in results
            )
            line = (
                f"  {name:13s} forward {plain:9.3f} ms   + boxes {box:9.3f} ms   + features {feature:9.3f} ms"
            )
            print(f"{line}   {'speed ' + ratios if ratios else ''}")


if __name__ == "__main__":
    main()
