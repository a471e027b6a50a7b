"""The flat optimiser moves parameters exactly as torch's AdamW does, or its Adam with an L2 penalty."""

import pytest
import torch
from torch import nn

from ebm.exceptions import InputError
from ebm.fitting.optimiser import FlatAdamW


@pytest.mark.parametrize("coupled", [False, True])
def test_steps_equal_those_of_torch(coupled: bool) -> None:
    nets = [nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    flat = FlatAdamW(nets[0], weight_decay=0.1, coupled=coupled)
    groups = [
        {"params": [p for p in nets[1].parameters() if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for p in nets[1].parameters() if p.ndim < 2], "weight_decay": 0.1 * coupled},
    ]
    reference = (torch.optim.Adam if coupled else torch.optim.AdamW)(groups)
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    for step in range(5):
        rate = 0.1 / (1 + step)
        for group in reference.param_groups:
            group["lr"] = rate
        flat.zero_grad()
        reference.zero_grad()
        for net in nets:
            (net(x) - x.sum(1, keepdim=True)).square().mean().backward()
        flat.step(rate)
        reference.step()
    flat.release()
    for ours, theirs in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)
        assert ours.grad is None
        assert ours.untyped_storage().nbytes() == 4 * ours.numel()


def test_frozen_parameters_stay() -> None:
    net = nn.Linear(3, 1)
    net.weight.requires_grad_(False)
    before = net.weight.clone()
    flat = FlatAdamW(net, weight_decay=0.5)
    net(torch.ones(1, 3)).sum().backward()
    flat.step(0.1)
    assert torch.equal(net.weight, before)


@pytest.mark.parametrize("net", [nn.ReLU(), nn.Linear(2, 2).double()])
def test_what_it_cannot_train_is_named(net: nn.Module) -> None:
    with pytest.raises(InputError, match="float32 on one device, found"):
        FlatAdamW(net, weight_decay=0.0)
