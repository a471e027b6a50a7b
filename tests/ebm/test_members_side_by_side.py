"""Networks side by side compute what each alone does, and can be taken apart again."""

import pytest
import torch
from torch import nn

from ebm.exceptions import ShapeError
from ebm.fitting.network import AnchoredEBM, build_model
from ebm.nn.members import MemberNets, one_of, side_by_side


def networks(count: int = 3) -> list[AnchoredEBM]:
    torch.manual_seed(0)
    return [build_model(4, 2, (8, 6), 2.0) for _ in range(count)]


def test_scores_and_gradients_are_those_of_each_alone() -> None:
    nets = networks()
    joint = side_by_side(nets)
    x, y = torch.randn(3, 5, 4), torch.randn(3, 5, 7, 2)
    scores = joint.score(joint.extract(x.flatten(0, 1)), y.flatten(0, 1)).view(3, 5, 7)
    scores.square().sum().backward()
    for k, net in enumerate(nets):
        alone = net.score(net.extract(x[k]), y[k])
        torch.testing.assert_close(scores[k], alone)
        alone.square().sum().backward()
        grads = dict(joint.named_parameters())
        for name, parameter in net.named_parameters():
            torch.testing.assert_close(grads[name].grad[k], parameter.grad, rtol=1e-4, atol=1e-5)


def test_one_of_them_is_what_was_put_in() -> None:
    nets = networks()
    joint = side_by_side(nets)
    for k, net in enumerate(nets):
        taken = one_of(joint, k)
        assert taken.state_dict().keys() == net.state_dict().keys()
        assert all(torch.equal(taken.state_dict()[name], value) for name, value in net.state_dict().items())
    with torch.no_grad():
        next(taken.parameters()).zero_()  # a copy
    assert not bool((one_of(joint, 2).feature_net[0].weight == 0).all())


def test_a_network_of_any_kind_is_kept_whole() -> None:
    convolutions = [nn.Sequential(nn.Conv1d(1, 2, 3), nn.Flatten()) for _ in range(2)]
    nets = [nn.Sequential(net, nn.Linear(4, 3)) for net in convolutions]
    joint = side_by_side(nets, whole=("0",))
    x = torch.randn(2, 5, 1, 4)
    torch.testing.assert_close(joint(x.flatten(0, 1)), torch.cat([net(part) for net, part in zip(nets, x)]))
    assert isinstance(joint[0], MemberNets)
    torch.testing.assert_close(one_of(joint, 1)(x[1]), nets[1](x[1]))
    with pytest.raises(ShapeError, match="a Conv1d cannot be put side by side"):
        side_by_side(nets)
