"""All actors on the published networks against the reference's losses."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from ltr.actors.base_actor import BaseActor
from ltr.actors.bbreg import AtomActor, AtomBBKLActor
from ltr.actors.box_energy import BoxEnergyLoss
from ltr.actors.box_terms import EnergyTerm, OverlapTerm
from ltr.actors.target_classification import DensityTerm, HingeTerm
from ltr.actors.tracking import DiMPActor, DiMPSimpleActor, KLDiMPActor
from ltr.models.loss import LBHinge
from tests.ltr.actors.anchors import anchor_batch, anchor_images, anchor_network

HINGE = HingeTerm(hinge=LBHinge(threshold=0.05))
KL = BoxEnergyLoss("kld_is", (0.05, 0.05, 0.05, 0.05))

CASES: dict[str, tuple[str, Callable[[nn.Module], BaseActor], int, dict[str, float]]] = {
    "DiMPActor": (
        "dimp18",
        lambda net: DiMPActor(net, box=OverlapTerm(), classifier=HINGE),
        3,
        {
            "Loss/total": 66122.56,
            "Loss/iou": 66111.88,
            "Loss/target_clf": 0.684154,
            "Loss/test_init_clf": 1.000661,
            "Loss/test_iter_clf": 8.992231,
        },
    ),
    "KLDiMPActor, PrDiMP": (
        "prdimp18",
        lambda net: KLDiMPActor(net, box=EnergyTerm(loss=KL, weight=0.0025), classifier=DensityTerm()),
        3,
        {
            "Loss/total": 7.941039,
            "Loss/bb_ce": 60.814499,
            "Loss/loss_bb_ce": 0.152036,
            "Loss/clf_ce": 1.213381,
            "Loss/clf_ce_init": 1.468055,
            "Loss/clf_ce_iter": 5.107567,
        },
    ),
    "KLDiMPActor, SuperDiMP": (
        "super_dimp",
        lambda net: KLDiMPActor(net, box=EnergyTerm(loss=KL, weight=0.01), classifier=HINGE),
        3,
        {
            "Loss/total": 23.432163,
            "Loss/bb_ce": 1905.380,
            "Loss/loss_bb_ce": 19.053804,
            "Loss/target_clf": 0.674141,
            "Loss/test_init_clf": 0.929752,
            "Loss/test_iter_clf": 2.774466,
        },
    ),
    "DiMPSimpleActor": (
        "super_dimp_simple",
        lambda net: DiMPSimpleActor(net, box=EnergyTerm(loss=KL, weight=0.01), classifier=HINGE),
        3,
        {
            "Loss/total": 11.829903,
            "Loss/bb_ce": 153.05101,
            "Loss/loss_bb_ce": 1.530510,
            "Loss/target_clf": 0.710823,
            "Loss/test_init_clf": 1.854330,
            "Loss/test_iter_clf": 7.734241,
        },
    ),
    "AtomActor": (
        "atom_resnet18",
        lambda net: AtomActor(net, box=OverlapTerm()),
        1,
        {"Loss/total": 6418.116, "Loss/iou": 6418.116},
    ),
    "AtomBBKLActor": (
        "atom_resnet18",
        lambda net: AtomBBKLActor(net, box=EnergyTerm(loss=BoxEnergyLoss("ml_is"))),
        1,
        {"Loss/total": 4.666655, "Loss/bb_ce": 4.666655},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_published_losses(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, build, frames, expected = CASES[case]
    actor = build(anchor_network(name))
    actor.eval()
    images = iter(anchor_images(frames))
    monkeypatch.setattr("ltr.actors.network_actor.normalise_images", lambda *args, **kwargs: next(images))
    with torch.no_grad():
        loss, stats = actor(anchor_batch(frames))
    assert {key: stats[key].item() for key in expected} == pytest.approx(expected, rel=1e-3)
    assert loss.item() == pytest.approx(expected["Loss/total"], rel=1e-3)
