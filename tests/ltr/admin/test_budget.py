"""What a file makes a program build: no larger than the weights in it, and these finite."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from ebm.exceptions import InputError
from ltr.admin.budget import MemoryBudget
from ltr.admin.checkpoint_io import network_fields, write_checkpoint
from ltr.admin.loading import load_network
from ltr.admin.model_constructor import NetConstructor
from ltr.admin.state_dicts import load_strictly
from ltr.models.tracking.dimpnet import dimpnet_small


def test_tensors_count_before_they_are_made() -> None:
    with MemoryBudget(1000):
        nn.Linear(20, 30)
        torch.arange(100.0)
        torch.zeros((10, 10))
        with pytest.raises(RuntimeError, match="larger than the weights"):
            torch.empty(10**6, 10**6)
    torch.empty(2000)  # outside of it nothing is counted


@pytest.mark.parametrize(
    "make",
    [
        lambda n: torch.rand(n, n),
        lambda n: torch.ones((n, n)),
        lambda n: torch.zeros(size=(n, n)),
        lambda n: torch.full((n, n), 7),
        lambda n: torch.randint(3, 5, [n, n]),
        lambda n: torch.eye(n),
        lambda n: torch.arange(n * n),
    ],
)
def test_every_way_to_make_a_tensor_counts(make: Callable[[int], torch.Tensor]) -> None:
    with MemoryBudget(1600):
        assert make(40).numel() == 1600
        with pytest.raises(RuntimeError, match="larger than the weights"):
            make(2)


def test_a_network_larger_than_the_weights_is_never_built(tmp_path: Path) -> None:
    torch.manual_seed(0)
    fields = network_fields(dimpnet_small(optim_iter=2))
    fields["constructor"] = NetConstructor(
        "dimpnet_small", "ltr.models.tracking.dimpnet", (), {"out_feature_dim": 40_000}
    )
    write_checkpoint(tmp_path / "large.pth.tar", fields)
    with pytest.raises(InputError, match="build no network: it would be far larger than the weights"):
        load_network(tmp_path / "large.pth.tar")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_named(value: float) -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    state = {name: tensor.clone() for name, tensor in before.items()}
    state["1.running_var"][1] = value
    with pytest.raises(InputError, match=r"^The checkpoint holds NaN .* in 1\.running_var; use another file"):
        load_strictly(net, state, "The checkpoint")
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
