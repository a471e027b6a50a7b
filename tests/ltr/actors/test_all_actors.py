"""Every actor on its small network: a batch is learned by heart, in any precision and with distractors."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from ebm.exceptions import UnknownNameError
from ltr.actors.base_actor import BaseActor
from ltr.actors.bbreg import AtomActor, AtomBBKLActor
from ltr.actors.box_energy import BoxEnergyLoss
from ltr.actors.box_terms import EnergyTerm, OverlapTerm
from ltr.actors.network_actor import NetworkActor
from ltr.actors.target_classification import DensityTerm, HingeTerm
from ltr.actors.tracking import DiMPActor, DiMPSimpleActor, KLDiMPActor
from ltr.models.bbreg.atom import atom_resnet_small
from ltr.models.loss import LBHinge
from ltr.models.tracking.dimpnet import dimpnet_small, dimpnet_small_simple, klcedimpnet_small
from tests.ltr.actors.batches import small_batch

HINGE = HingeTerm(hinge=LBHinge(threshold=0.05))
KL = EnergyTerm(loss=BoxEnergyLoss("kld_is", (0.1, 0.1, 0.1, 0.1)), weight=0.1)
ML = EnergyTerm(loss=BoxEnergyLoss("ml_is"))

ACTORS: dict[str, Callable[..., NetworkActor]] = {
    "AtomActor": lambda **o: AtomActor(atom_resnet_small(), box=OverlapTerm(), **o),
    "AtomBBKLActor": lambda **o: AtomBBKLActor(atom_resnet_small(), box=ML, **o),
    "DiMPActor": lambda **o: DiMPActor(dimpnet_small(), box=OverlapTerm(), classifier=HINGE, **o),
    "KLDiMPActor": lambda **o: KLDiMPActor(
        klcedimpnet_small(gauss_sigma=1.0), box=KL, classifier=DensityTerm(), **o
    ),
    "DiMPSimpleActor": lambda **o: DiMPSimpleActor(dimpnet_small_simple(), box=KL, classifier=HINGE, **o),
}


@pytest.fixture(params=ACTORS)
def build(request) -> Callable[..., NetworkActor]:
    torch.manual_seed(0)
    return ACTORS[request.param]


def test_one_batch_is_learned_by_heart(build, generator) -> None:
    actor = build()
    batch = small_batch(9, generator)
    optimizer = torch.optim.Adam(actor.net.parameters(), lr=2e-3)
    actor.train()
    seen = []
    for _ in range(10):
        optimizer.zero_grad()
        loss, stats = actor(batch)
        loss.backward()
        optimizer.step()
        seen.append({name: value.item() for name, value in stats.items()})
    assert seen[-1]["Loss/total"] < 0.8 * seen[0]["Loss/total"] or (
        seen[0]["Loss/total"] - seen[-1]["Loss/total"] > 1.0  # likelihoods may be negative
    )
    for name in ("Loss/iou", "Loss/bb_ce"):
        if name in seen[0]:
            assert seen[-1][name] < seen[0][name]
    without = [name for name, p in actor.net.named_parameters() if p.grad is None]
    assert without == []


def test_statistics_are_detached_and_the_loss_is_float32_in_bf16(build, generator) -> None:
    batch = small_batch(9, generator)
    actor = build()
    actor.eval()
    exact, _ = actor(batch)
    actor.precision = "bf16"
    rough, stats = actor(batch)
    assert rough.dtype == torch.float32
    assert rough.item() == pytest.approx(exact.item(), rel=0.1, abs=0.05)
    assert stats["Loss/total"].item() == rough.item()
    assert all(v.dtype == torch.float32 and not v.requires_grad and v.dim() == 0 for v in stats.values())


def test_a_batch_without_a_single_box_trains_the_rest(build, generator) -> None:
    batch = small_batch(9, generator)
    batch["test_anno"][..., 0] = 99999.0
    batch["gt_log_density"].fill_(-torch.inf)
    actor = build()
    actor.train()
    loss, stats = actor(batch)
    loss.backward()
    assert loss.isfinite()
    assert all(stats[name].item() == 0 for name in ("Loss/iou", "Loss/bb_ce") if name in stats)
    assert all(p.grad is None or p.grad.isfinite().all() for p in actor.net.parameters())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*CUDA is not available.*:UserWarning")
def test_nothing_strays_to_another_device(build, generator) -> None:
    """Tensors without content on a device that need not be there: mixing it with the CPU is an error."""
    try:
        with FakeTensorMode():
            torch.empty(1, device="cuda").uniform_()
    except RuntimeError:
        pytest.skip(f"torch {torch.__version__} asks the driver even for tensors without content")
    batch = small_batch(9, generator)
    with FakeTensorMode():
        with torch.device("cuda"):
            actor = build()
        actor.train()
        loss, stats = actor(
            {name: torch.empty(v.shape, dtype=v.dtype, device="cuda") for name, v in batch.items()}
        )
        assert {value.device.type for value in (loss, *stats.values())} == {"cuda"}


def test_a_precision_that_does_not_exist_is_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean .*'bf16'"):
        AtomActor(nn.Identity(), box=OverlapTerm(), precision="bf15")


def test_every_actor_is_tried_here() -> None:
    def leaves(cls: type) -> set[str]:
        below = {name for sub in cls.__subclasses__() for name in leaves(sub)}
        return below | ({cls.__name__} if cls.__module__.startswith("ltr.") else set())

    assert leaves(BaseActor) - {"BaseActor", "NetworkActor", "TargetActor", "BoxActor"} == set(ACTORS)
