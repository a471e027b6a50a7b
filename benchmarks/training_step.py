"""Time of a DiMP-18 training step in bfloat16 and channels-last memory, over that of the plain step.

Run: ``python benchmarks/training_step.py [--threads 1] [--repeats 5] [--device cuda]``. All steps start from
the same weights and see the same batch; they are timed in turns in one run. A step is forward, backward,
clipping and Adam of the published network with its losses. Printed are the medians (CPU time with one thread,
so that other programs do not count; wall time otherwise), their ratio to the plain step, the first loss and
how far it is off, and the cosine of the classifier's gradient to the plain one. The box branch is left out of
the cosine: it normalises over the two sequences of the batch, where the sign of a difference decides.

How much bfloat16 brings is the machine's matter: it pays on processors with matrix units for it (lscpu:
amx_bf16) and on GPUs; with avx512_bf16 alone, convolutions were seen to take longer than in float32.
"""

import argparse
import copy
import statistics
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ebm.boxes import box_iou
from ltr.actors.box_terms import OverlapTerm
from ltr.actors.network_actor import Precision
from ltr.actors.target_classification import HingeTerm
from ltr.actors.tracking import DiMPActor
from ltr.models.loss import LBHinge
from ltr.models.target_classifier.labels import gaussian_label_function
from ltr.models.tracking.dimpnet import dimpnet18
from ltr.trainers.optimiser import ParameterGroup, build_adam

SIDE, STRIDE, FRAMES, BOXES = 288, 16, 3, 8  # px, px, train and test frames, proposals a frame
GROUPS = {
    "classifier.filter_initializer": 5e-5,
    "classifier.filter_optimizer": 5e-4,
    "classifier.feature_extractor": 5e-5,
    "bb_regressor": 1e-3,
    "feature_extractor": 2e-4,
}


KINDS: dict[str, tuple[Precision, bool]] = {  # precision, channels last
    "fp32, channels first": ("fp32", False),
    "fp32, channels last": ("fp32", True),
    "bf16, channels last": ("bf16", True),
}


def network(seed: int) -> nn.Module:
    """DiMP-18 with the arguments of the published setting, from random weights."""
    torch.manual_seed(seed)
    return dimpnet18(
        filter_size=4,
        backbone_pretrained=False,
        optim_iter=5,
        clf_feat_norm=True,
        final_conv=True,
        optim_init_step=0.9,
        optim_init_reg=0.1,
        init_gauss_sigma=0.9,
        num_dist_bins=100,
        bin_displacement=0.1,
        mask_init_factor=3.0,
        target_mask_act="sigmoid",
        score_act="relu",
    )


def made_batch(sequences: int, seed: int, device: torch.device) -> dict[str, Tensor]:
    """Bright squares on smooth noise, with boxes, labels and proposals around them."""
    generator = torch.Generator().manual_seed(seed)

    def frames() -> tuple[Tensor, Tensor]:
        coarse = torch.rand(FRAMES * sequences, 3, 18, 18, generator=generator) * 160
        images = nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear")
        corner = 80 + 80 * torch.rand(FRAMES * sequences, 2, generator=generator)
        boxes = torch.cat((corner, torch.full_like(corner, 58.0)), dim=1)
        for image, (x, y, w, h) in zip(images, boxes.int().tolist()):
            image[:, y : y + h, x : x + w] += 80
        shape = (FRAMES, sequences)
        return images.byte().unflatten(0, shape), boxes.unflatten(0, shape)

    train_images, train_anno = frames()
    test_images, test_anno = frames()
    noise = 0.2 * torch.randn(FRAMES, sequences, BOXES, 4, generator=generator)
    size = test_anno[:, :, None, 2:] * noise[..., 2:].exp()
    centre = test_anno[:, :, None, :2] + test_anno[:, :, None, 2:] * (0.5 + noise[..., :2])
    proposals = torch.cat((centre - size / 2, size), dim=-1)
    label = gaussian_label_function(test_anno.flatten(0, 1), 0.05, 4, SIDE // STRIDE, SIDE)
    batch = {
        "train_images": train_images,
        "train_gain": torch.ones(FRAMES, sequences),
        "train_anno": train_anno,
        "test_images": test_images,
        "test_gain": torch.ones(FRAMES, sequences),
        "test_anno": test_anno,
        "test_label": label.unflatten(0, (FRAMES, sequences)),
        "test_proposals": proposals,
        "proposal_iou": 2 * box_iou(proposals, test_anno[:, :, None]) - 1,
    }
    return {name: value.to(device) for name, value in batch.items()}


class Step:
    """A network, its losses and its optimiser, in one number format and memory layout."""

    def __init__(self, net: nn.Module, precision: Precision, channels_last: bool) -> None:
        net = copy.deepcopy(net)
        if channels_last:
            net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.actor = DiMPActor(
            net,
            box=OverlapTerm(),
            classifier=HingeTerm(hinge=LBHinge(threshold=0.05)),
            precision=precision,
            channels_last=channels_last,
        )
        self.actor.train()
        self.optimizer = build_adam(net, [ParameterGroup(path=p, lr=lr) for p, lr in GROUPS.items()])

    def __call__(self, batch: dict[str, Tensor]) -> float:
        """Make one step; its loss."""
        self.optimizer.zero_grad(set_to_none=True)
        loss, _ = self.actor(batch)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.actor.net.parameters(), 1e3)
        self.optimizer.step()
        return float(loss.detach())

    def gradient(self) -> Tensor:
        """The gradient of the classifier in the last step, flat, float64."""
        parts = [p.grad.flatten() for p in self.actor.net.classifier.parameters() if p.grad is not None]
        return torch.cat(parts).double()


@dataclass(frozen=True, kw_only=True)
class Found:
    """Seconds of a step, its first loss, and the cosine of the classifier's gradient to the plain one."""

    seconds: float
    loss: float
    cosine: float


def measure(sequences: int, repeats: int, device: torch.device) -> list[Found]:
    """What was found of each of `KINDS`."""
    net, batch = network(0).to(device), made_batch(sequences, 1, device)
    steps = [Step(net, precision, channels_last) for precision, channels_last in KINDS.values()]
    losses = [step(batch) for step in steps]
    gradients = [step.gradient() for step in steps]
    clock = time.process_time if device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    times: list[list[float]] = [[] for _ in steps]
    for _ in range(repeats):
        for step, seconds in zip(steps, times):
            start = clock()
            step(batch)  # reads the loss, so that a GPU has finished
            seconds.append(clock() - start)
    return [
        Found(
            seconds=statistics.median(values),
            loss=loss,
            cosine=float(nn.functional.cosine_similarity(gradients[0], gradient, dim=0)),
        )
        for values, loss, gradient in zip(times, losses, gradients)
    ]


def main(argv: list[str] | None = None) -> int:
    """Print the two times and their ratio; 1 if the losses differ by more than 2 %."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=2, help="sequences of 6 frames (default: 2)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args(argv)
    if options.threads:
        torch.set_num_threads(options.threads)
    found = measure(options.batch, options.repeats, torch.device(options.device))
    print(f"DiMP-18, batch {options.batch}, {options.device}, {torch.get_num_threads()} thread(s)")
    plain = found[0]
    for name, one in zip(KINDS, found):
        print(
            f"  {name:<21} {one.seconds:7.3f} s  ratio {one.seconds / plain.seconds:4.2f}  "
            f"loss {one.loss:.4f} ({one.loss / plain.loss - 1:+.2%})  cosine {one.cosine:.4f}"
        )
    return int(any(abs(one.loss / plain.loss - 1) > 0.02 for one in found))


if __name__ == "__main__":
    raise SystemExit(main())
