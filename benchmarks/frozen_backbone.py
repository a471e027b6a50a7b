"""What training the light box branch costs with its frozen backbone as it is, and through the folded copy.

    python benchmarks/frozen_backbone.py [--batch 16] [--side 256] [--repeats 5]

One thread, bfloat16, channels last, as the setting trains: a reference and two frames of every sample go
through the backbone, then the box branch goes forwards and backwards. Timed in turns in one run, in
processor time, so that other programs do not count; medians.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from ebm.nn.still import StillBackbone
from ltr.models.bbreg.atom import ATOMnet, atomnet_lite
from ltr.train_settings.bbreg.atom_nce_plus_lite import LIGHT_BACKBONE, RECIPE

FRAMES = 3  # a reference and two


def box_branch(net: ATOMnet, maps: list[Tensor], batch: int, side: int) -> None:
    """Forwards and backwards, every box's score weighing the same."""
    boxes = torch.tensor([side / 3, side / 3, side / 4.5, side / 4.5])
    samples = boxes.expand(batch, RECIPE.box.num_samples + 1, 4)
    total = torch.zeros(())
    with torch.autocast("cpu", torch.bfloat16):
        vectors = net.bb_regressor.get_modulation([m[:batch] for m in maps], boxes.expand(batch, 4))
        for frame in range(1, FRAMES):
            part = [m[frame * batch : (frame + 1) * batch] for m in maps]
            scores = net.bb_regressor.predict_iou(vectors, net.bb_regressor.get_iou_feat(part), samples)
            total = total + scores.float().mean()
    torch.autograd.backward(total)


def timed(call: Callable[[], object]) -> float:
    """Seconds of processor time."""
    began = time.process_time()
    call()
    return time.process_time() - began


def main(argv: list[str] | None = None) -> int:
    """Time and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=RECIPE.batch_size, help="samples of a step")
    parser.add_argument("--side", type=int, default=256, help="of a crop, px")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = atomnet_lite(backbone_pretrained=False).to(memory_format=torch.channels_last)
    net.feature_extractor.freeze(LIGHT_BACKBONE)
    net.train()
    images = torch.randn(FRAMES * args.batch, 3, args.side, args.side)
    images = images.contiguous(memory_format=torch.channels_last)
    still, names = StillBackbone(), net.bb_regressor_layer
    found: dict[str, Tensor] = {}

    @torch.autocast("cpu", torch.bfloat16)
    @torch.no_grad()
    def as_it_is() -> None:
        net.feature_extractor(images, names)

    @torch.autocast("cpu", torch.bfloat16)
    @torch.no_grad()
    def folded() -> None:
        found.update(still(net.feature_extractor, images, names))

    folded()  # makes the copy
    calls = {"backbone as it is": as_it_is, "backbone, folded copy": folded}
    calls["box branch"] = lambda: box_branch(net, [found[n].float() for n in names], args.batch, args.side)
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(args.repeats):
        for name, call in calls.items():
            seconds[name].append(timed(call))
    plain, fast, branch = (statistics.median(seconds[name]) for name in calls)
    for name, values in seconds.items():
        print(f"{name:<24}{statistics.median(values):.3f} s  ({', '.join(f'{v:.3f}' for v in values)})")
    print(
        f"backbone {plain / fast:.2f} times as fast, the step {(plain + branch) / (fast + branch):.2f} times"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
