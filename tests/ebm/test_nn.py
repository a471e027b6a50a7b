"""Networks: the split first layer is the concatenated one, sizes are the papers'."""

import math

import pytest
import torch
from torch import Tensor, nn

from ebm.exceptions import DomainError, ShapeError
from ebm.models import EnergyModel
from ebm.nn import (
    ConditionalEBM,
    MLPEnergyHead,
    SplitLinear,
    SplitMLP,
    ToyEnergyNet,
    ToyEnergyNetP1,
    ToyGaussianNet,
    members,
    mlp,
)
from ebm.nn.layers import affine_buffer

TOY = [ToyEnergyNet, ToyEnergyNetP1, ToyGaussianNet]


def side_by_side(x: Tensor, y: Tensor) -> Tensor:
    """The concatenation ``(B, M, ...)`` that the networks avoid."""
    return torch.cat((x[:, None].expand(-1, y.shape[1], -1), y), -1)


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_a_split_layer_is_a_linear_layer_on_the_concatenation(generator: torch.Generator) -> None:
    layer = SplitLinear(3, 2, 5).double()
    plain = nn.Linear(5, 5).double()
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(4, 3, dtype=torch.float64, generator=generator)
    y = torch.randn(4, 6, 2, dtype=torch.float64, generator=generator)
    torch.testing.assert_close(layer.join(layer.project(x), y), plain(side_by_side(x, y)))


@pytest.mark.parametrize("sizes", [(1,), (7, 2), (7, 5, 1)])
def test_a_split_network_is_the_network_on_the_concatenation(
    sizes: tuple[int, ...], generator: torch.Generator
) -> None:
    split = SplitMLP(3, 2, sizes, nn.Tanh).double()
    plain = mlp((5, *sizes), nn.Tanh, activate_last=False).double()
    plain.load_state_dict(dict(zip(plain.state_dict(), split.state_dict().values(), strict=True)))
    x = torch.randn(4, 3, dtype=torch.float64, generator=generator)
    y = torch.randn(4, 6, 2, dtype=torch.float64, generator=generator)
    torch.testing.assert_close(split(split.project(x), y), plain(side_by_side(x, y)))


@pytest.mark.parametrize("y_dims", [(), (4,), (4, 6)])
def test_the_energy_head_and_its_gradients_are_those_of_the_concatenated_form(
    y_dims: tuple[int, ...], generator: torch.Generator
) -> None:
    head = MLPEnergyHead(5, y_dims, (8, 3), nn.Tanh, target_dim=2).double()
    plain = mlp((5 + (2, *y_dims)[-1], 8, 3, 1), nn.Tanh, activate_last=False).double()
    plain.load_state_dict(dict(zip(plain.state_dict(), head.joint.state_dict().values(), strict=True)))
    x = torch.randn(3, 5, dtype=torch.float64, generator=generator)
    y = torch.randn(3, 7, 2, dtype=torch.float64, generator=generator, requires_grad=True)
    ours = head(head.project(x), y)
    theirs = plain(side_by_side(x, head.y_net(y)))[..., 0]
    torch.testing.assert_close(ours, theirs)
    weight = torch.randn(3, 7, dtype=torch.float64, generator=generator)
    wanted = torch.autograd.grad((theirs * weight).sum(), [y, *plain.parameters()])
    got = torch.autograd.grad((ours * weight).sum(), [y, *head.joint.parameters()])
    torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.SiLU])
@pytest.mark.parametrize("y_dims", [(), (4, 6)])
def test_the_heads_closed_gradient_is_autograds(
    y_dims: tuple[int, ...], activation: type[nn.Module], generator: torch.Generator
) -> None:
    head = MLPEnergyHead(5, y_dims, (8, 3), activation, target_dim=2).double()
    assert head.knows_gradient
    projected = head.project(torch.randn(3, 5, dtype=torch.float64, generator=generator))
    y = torch.randn(3, 7, 2, dtype=torch.float64, generator=generator, requires_grad=True)
    wanted = head(projected, y)
    score, gradient = head.value_and_gradient(projected, y.detach())
    torch.testing.assert_close(score, wanted)
    torch.testing.assert_close(gradient, *torch.autograd.grad(wanted.sum(), y))


def test_a_head_of_other_layers_does_not_claim_its_gradient() -> None:
    assert not MLPEnergyHead(5, (4,), (8,), nn.Tanh).knows_gradient
    joined = members.side_by_side([MLPEnergyHead(5, (4,), (8,)) for _ in range(2)], [])
    assert not joined.knows_gradient


def test_inputs_are_projected_once_per_input_whatever_the_candidates() -> None:
    rows: list[int] = []
    net = mlp((1, 5))
    net[0].register_forward_hook(lambda module, args, out: rows.append(out.shape[0]))
    model = ConditionalEBM(net, MLPEnergyHead(5, (4,), (6,), target_dim=2), 2)
    features = model.extract(torch.randn(3, 1))
    assert features.shape == (3, 6)
    assert model.score(features, torch.randn(3, 50, 2)).shape == (3, 50)
    assert rows == [3]


def test_parameter_counts_of_the_papers_networks() -> None:
    assert count(ToyEnergyNet()) == 20 + 110 + 20 + 210 + 110 + 110 + 11 == 591
    assert count(ToyEnergyNetP1()) == 2 * (20 + 110) + 210 + 110 + 11
    assert count(ToyGaussianNet()) == 20 + 110 + 2 * (110 + 110 + 11)
    y_branch = 32 + 17 * 32 + 33 * 64 + 65 * 128
    assert count(MLPEnergyHead(2048)) == y_branch + 2177 * 2048 + 2049


def test_the_toy_network_is_the_released_one_written_out(generator: torch.Generator) -> None:
    net = ToyEnergyNet()
    state = net.state_dict()
    assert sorted(state) == sorted(
        f"{layer}.{part}"
        for layer in ("x_net.0", "x_net.2", "y_net.0", "joint.0", "joint.1", "joint.2", "joint.3")
        for part in ("weight", "bias")
    )
    x = torch.randn(4, 1, generator=generator)
    y = torch.randn(4, 6, 1, generator=generator)

    def layer(name: str, value: Tensor) -> Tensor:
        return value @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    g = layer("x_net.2", layer("x_net.0", x).relu()).relu()
    u = layer("joint.0", side_by_side(g, layer("y_net.0", y).tanh())).tanh()
    u = layer("joint.1", u).tanh() + u
    u = layer("joint.2", u).tanh() + u
    torch.testing.assert_close(net(x, y), layer("joint.3", u)[..., 0])


def test_the_toy_network_has_second_derivatives_in_y() -> None:
    net, x = ToyEnergyNet(), torch.randn(3, 1)
    y = torch.randn(3, 1, 1, requires_grad=True)
    (slope,) = torch.autograd.grad(net(x, y).sum(), y, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), y)
    assert (bend != 0).all()


def test_the_gaussian_network_scores_are_its_log_density(generator: torch.Generator) -> None:
    net = ToyGaussianNet()
    x, y = torch.randn(4, 1, generator=generator), torch.randn(4, 3, 1, generator=generator)
    mean, log_var = net.extract(x)
    normal = torch.distributions.Normal(mean, (0.5 * log_var).exp())
    torch.testing.assert_close(net(x, y), normal.log_prob(y[..., 0]))


@pytest.mark.parametrize("make", TOY, ids=lambda f: f.__name__)
def test_every_toy_network_is_an_energy_model(make: type[EnergyModel]) -> None:
    net = make()
    net(torch.randn(5, 1), torch.randn(5, 4, 1)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    assert net(torch.randn(5, 1), torch.randn(5, 1)).shape == (5,)
    assert net(torch.randn(0, 1), torch.randn(0, 4, 1)).shape == (0, 4)
    with pytest.raises(ShapeError, match=r"x of shape \(B, 1\)"):
        net(torch.randn(5), torch.randn(5, 4, 1))


def test_standardised_targets_move_the_score_with_them(generator: torch.Generator) -> None:
    head = MLPEnergyHead(3, (4,), (5,), target_dim=2)
    net = nn.Identity()
    plain = ConditionalEBM(net, head, 2)
    scaled = ConditionalEBM(net, head, 2, y_scale=[10.0, 2.0], y_shift=torch.tensor([3.0, -1.0]))
    x, y = torch.randn(4, 3, generator=generator), torch.randn(4, 6, 2, generator=generator)
    raw = torch.tensor([3.0, -1.0]) + y * torch.tensor([10.0, 2.0])
    torch.testing.assert_close(scaled(x, raw), plain(x, y))
    assert {"y_scale", "y_shift"} <= set(scaled.state_dict())


def test_a_head_of_ones_own_gets_the_features_themselves() -> None:
    class Bump(nn.Module):
        def forward(self, features: Tensor, y: Tensor) -> Tensor:
            return -0.5 * (y - features[:, None]).square().sum(-1)

    model = ConditionalEBM(nn.Identity(), Bump(), 2)
    x = torch.tensor([[1.0, 2.0]])
    torch.testing.assert_close(model(x, torch.tensor([[1.0, 4.0]])), torch.tensor([-2.0]))


def test_half_precision_under_autocast_keeps_working() -> None:
    model = ConditionalEBM(nn.Identity(), MLPEnergyHead(3, (4,), (5,)), 1)
    x, y = torch.randn(4, 3), torch.randn(4, 6, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = model(x, y)
    torch.testing.assert_close(low.float(), model(x, y), atol=0.05, rtol=0.05)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 6, 2), (3, 6, 1)])
def test_candidates_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    net = ToyEnergyNet()
    with pytest.raises(ShapeError):
        net.score(net.extract(torch.randn(4, 1)), torch.randn(shape))


def test_errors_name_the_argument() -> None:
    with pytest.raises(ShapeError, match="joint_dims"):
        MLPEnergyHead(3, (4,), ())
    with pytest.raises(ShapeError, match="sizes"):
        SplitMLP(3, 2, ())
    with pytest.raises(DomainError, match="layer size"):
        mlp((3, 0))
    with pytest.raises(DomainError, match="feature_dim"):
        MLPEnergyHead(0)
    with pytest.raises(ShapeError, match=r"features of shape \(B, 3\)"):
        MLPEnergyHead(3).project(torch.randn(4, 5))
    with pytest.raises(DomainError, match="y_scale"):
        ConditionalEBM(nn.Identity(), MLPEnergyHead(3), 1, y_scale=0.0)
    with pytest.raises(ShapeError, match="y_shift"):
        ConditionalEBM(nn.Identity(), MLPEnergyHead(3), 1, y_shift=[0.0, 1.0])
    with pytest.raises(DomainError, match="y_shift"):
        affine_buffer("y_shift", math.nan, 2)
