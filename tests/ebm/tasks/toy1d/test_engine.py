"""The batched engine of the 1D study equals the library's losses, whatever the backend and the grouping."""

import pytest
import torch
from torch import Tensor

from ebm.exceptions import DomainError, InputError, ShapeError, UnknownNameError
from ebm.losses.conditional import CNCELoss
from ebm.losses.functional import cnce, kld_is, ml_is, nce
from ebm.nn import ToyEnergyNet
from ebm.proposals import GaussianMixtureProposal
from ebm.tasks.toy1d import fused as fused_module
from ebm.tasks.toy1d.batched import BatchedSteps, Comparison, Layers, jet
from ebm.tasks.toy1d.draws import Draws
from ebm.tasks.toy1d.engine import train_ensemble
from ebm.tasks.toy1d.fused import FusedSteps, fused_unavailable
from ebm.tasks.toy1d.methods import METHODS, method
from ebm.tasks.toy1d.optimisation import Optimisation

needs_compiler = pytest.mark.skipif(bool(fused_unavailable()), reason=f"no C compiler: {fused_unavailable()}")
BACKENDS = [BatchedSteps, pytest.param(FusedSteps, marks=needs_compiler)]


def _network(seed: int) -> tuple[ToyEnergyNet, Tensor]:
    torch.manual_seed(seed)
    net = ToyEnergyNet()
    with torch.no_grad():  # larger than at initialisation, so that tanh saturates somewhere
        for parameter in net.parameters():
            parameter.mul_(2)
    return net, torch.nn.utils.parameters_to_vector(net.parameters()).detach()[None].clone()


def _data(batch: int = 7) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(1, batch, generator=generator) * 6 - 3
    return x, torch.sin(x)


def _flat_gradient(loss: Tensor, net: ToyEnergyNet) -> Tensor:
    parameters = list(net.parameters())
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    return torch.cat(
        [torch.zeros_like(p).flatten() if g is None else g.flatten() for p, g in zip(parameters, gradients)]
    )


def test_flat_weights_are_the_module_s_parameters_in_order() -> None:
    net, weights = _network(0)
    x, y = _data()
    candidates = torch.linspace(-3, 3, 11).expand(1, 7, 11)
    expected = net(x[0, :, None], candidates[0, ..., None])
    torch.testing.assert_close(jet(Layers.of(weights), x, candidates, 0)[0][0], expected)


def test_jet_derivatives_are_autograd_s() -> None:
    net, weights = _network(0)
    x, y = _data()
    at = y[0, :, None, None].clone().requires_grad_()
    f = net(x[0, :, None], at)
    (slope,) = torch.autograd.grad(f.sum(), at, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), at)
    found = jet(Layers.of(weights), x, y[..., None], 2)
    torch.testing.assert_close(found[1][0], slope[..., 0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[2][0], curvature[..., 0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("steps", BACKENDS)
@pytest.mark.parametrize("name", ["ml-is", "kld-is", "nce", "nce+", "cnce"])
@pytest.mark.parametrize("samples", [1, 100, 1024])
def test_candidate_losses_equal_the_library_s(steps: type[BatchedSteps], name: str, samples: int) -> None:
    net, weights = _network(0)
    x, y = _data()
    chosen = method(name, num_samples=samples)
    table = Draws(chosen).table(1, y, torch.Generator().manual_seed(2))
    candidates = y[..., None] + table.offsets
    how: Comparison = "pairs" if name == "cnce" else "softmax"
    value, gradient = steps().candidate_step(
        weights, x, candidates, table.log_q[None], table.coefficient[None], how
    )
    f = net(x[0, :, None], candidates[0, ..., None])
    expected = _library_loss(name, f, table.offsets, chosen.sigmas, chosen.label_sigma)
    assert value.item() == pytest.approx(expected.item(), rel=2e-5, abs=2e-5)
    wanted = _flat_gradient(expected, net)
    torch.testing.assert_close(gradient[0], wanted, rtol=1e-3, atol=2e-5 * float(wanted.abs().max()))


def _library_loss(
    name: str, f: Tensor, offsets: Tensor, sigmas: tuple[float, ...] | None, label: float | None
) -> Tensor:
    assert sigmas is not None
    if name == "cnce":
        return cnce(f)
    log_q = GaussianMixtureProposal(sigmas, target_dim=1).log_prob_offset(offsets[..., None]).expand_as(f)
    if name == "kld-is":
        assert label is not None
        log_p = GaussianMixtureProposal([label], target_dim=1).log_prob_offset(offsets[..., None])
        return kld_is(f, log_q, log_p.expand_as(f))
    return ml_is(f[:, 0], f[:, 1:], log_q[:, 1:]) if name == "ml-is" else nce(f, log_q)


@pytest.mark.parametrize("steps", BACKENDS)
def test_own_candidates_per_input_are_kept_apart(steps: type[BatchedSteps]) -> None:
    net, weights = _network(3)
    x, y = _data()
    table = Draws(method("nce", num_samples=33)).table(y.shape[1], y, torch.Generator().manual_seed(2))
    candidates = y[..., None] + table.offsets
    _, gradient = steps().candidate_step(
        weights, x, candidates, table.log_q[None], table.coefficient[None], "softmax"
    )
    log_q = GaussianMixtureProposal([0.1, 0.8], target_dim=1).log_prob_offset(table.offsets[..., None])
    wanted = _flat_gradient(nce(net(x[0, :, None], candidates[0, ..., None]), log_q), net)
    torch.testing.assert_close(gradient[0], wanted, rtol=1e-3, atol=2e-5 * float(wanted.abs().max()))


@pytest.mark.parametrize("steps", BACKENDS)
def test_pairs_are_weighted_corrected_and_exact_far_from_zero(steps: type[BatchedSteps]) -> None:
    """Logits of up to +-100, candidates that miss a full vector, and a density of the noise in the logit."""
    net, weights = _network(0)
    with torch.no_grad():
        net.joint[-1].weight.mul_(600)
    weights = torch.nn.utils.parameters_to_vector(net.parameters()).detach()[None].clone()
    x, y = _data()
    candidates = torch.cat((y[..., None], torch.linspace(-3, 3, 37).expand(1, 7, 37)), -1)
    generator = torch.Generator().manual_seed(3)
    ratio, weight = (torch.rand(1, 7, 38, generator=generator) for _ in range(2))
    ratio[..., 0] = weight[..., 0] = 0
    value, gradient = steps().candidate_step(weights, x, candidates, ratio, weight, "pairs")
    f = net.double()(x[0, :, None].double(), candidates[0, ..., None].double())
    logits = f[:, :1] - f + ratio[0].double()
    assert logits.abs().max() > 80
    expected = -(weight[0].double() * torch.nn.functional.logsigmoid(logits)).sum(-1).mean()
    assert value.item() == pytest.approx(expected.item(), rel=2e-5)
    wanted = _flat_gradient(expected, net).float()
    torch.testing.assert_close(gradient[0], wanted, rtol=1e-3, atol=2e-5 * float(wanted.abs().max()))


@pytest.mark.parametrize("shared", [True, False])
def test_pairs_draw_as_the_librarys_loss_does(shared: bool) -> None:
    """What `CNCELoss` scores: the same offsets from the same generator, the label first."""
    chosen = method("cnce", num_samples=9)
    _, y = _data()
    table = Draws(chosen).table(1 if shared else y.shape[1], y, torch.Generator().manual_seed(2))
    proposal = GaussianMixtureProposal(chosen.sigmas or (), target_dim=1)
    loss = CNCELoss(proposal, 9, share_across_batch=shared)
    drawn = loss.sample(y[0, :, None], generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(y[0, :, None] + table.offsets, drawn.y[..., 0])
    assert drawn.log_back is None
    assert table.coefficient.sum(1).tolist() == pytest.approx([1.0] * len(table.coefficient))


@pytest.mark.parametrize("steps", BACKENDS)
def test_slope_step_is_the_double_backward_of_autograd(steps: type[BatchedSteps]) -> None:
    net, weights = _network(4)
    x, y = _data()
    noise = torch.randn(1, 7, 90, generator=torch.Generator().manual_seed(5))
    noised, target = y[..., None] + 0.2 * noise, noise / 0.2
    at = noised[0, ..., None].clone().requires_grad_()
    (slope,) = torch.autograd.grad(net(x[0, :, None], at).sum(), at, create_graph=True)
    expected = (slope[..., 0] + target[0]).square().mean()
    value, gradient = steps().slope_step(weights, x, noised, target)
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)
    wanted = _flat_gradient(expected, net)
    torch.testing.assert_close(gradient[0], wanted, rtol=1e-3, atol=1e-5 * float(wanted.abs().max()))


@pytest.mark.parametrize("steps", BACKENDS)
def test_langevin_follows_the_gradient_plus_noise(steps: type[BatchedSteps]) -> None:
    net, weights = _network(6)
    x, y = _data()
    noise = torch.randn(1, 3, 7, 21, generator=torch.Generator().manual_seed(5))
    found = steps().langevin(weights, x, y[..., None].expand(-1, -1, 21), noise, 0.05)
    at = y[0, :, None].expand(-1, 21).clone()
    for draw in noise[0]:
        at.requires_grad_()
        (slope,) = torch.autograd.grad(net(x[0, :, None], at[..., None]).sum(), at)
        at = (at + 0.5 * 0.05**2 * slope + 0.05 * draw).detach()
    torch.testing.assert_close(found[0], at, rtol=1e-5, atol=1e-5)


def test_backends_train_to_the_same_weights() -> None:
    if fused_unavailable():
        pytest.skip(fused_unavailable())
    x, y = _data(70)
    for name in METHODS[:-1]:
        kwargs = {"seeds": [0, 7], "epochs": 2}
        chosen = method(name, num_samples=None if name == "sm" else 40)
        plain = train_ensemble(chosen, x[0], y[0], backend="plain", **kwargs)  # type: ignore[arg-type]
        fused = train_ensemble(chosen, x[0], y[0], backend="fused", **kwargs)  # type: ignore[arg-type]
        # The last bias cancels in most losses: its gradient is rounding, which Adam scales up.
        torch.testing.assert_close(plain.weights[:, :-1], fused.weights[:, :-1], rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(plain.losses, fused.losses, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["nce+", "cnce", "sm", "ml-mcmc-2"])
@pytest.mark.parametrize("shared", [True, False])
def test_a_seed_s_result_does_not_depend_on_its_company(name: str, shared: bool) -> None:
    x, y = _data(40)
    changes = {} if name == "sm" else {"num_samples": 20}
    if name in ("nce+", "cnce"):
        changes["share_across_batch"] = shared
    chosen = method(name, **changes)
    together = train_ensemble(chosen, x[0], y[0], seeds=[3, 4, 5], epochs=1, threads=2)
    alone = train_ensemble(chosen, x[0], y[0], seeds=[4], epochs=1)
    torch.testing.assert_close(together.weights[1], alone.weights[0], rtol=1e-5, atol=1e-6)


def test_training_lowers_the_loss_and_reports_every_epoch() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(300, generator=generator) * 6 - 3
    y = torch.sin(x) + 0.1 * torch.randn(300, generator=generator)
    seen: list[tuple[int, Tensor]] = []
    ensemble = train_ensemble(
        method("nce", num_samples=64),
        x,
        y,
        seeds=[0, 1],
        epochs=12,
        optimisation=Optimisation(learning_rate=1e-2),
        on_epoch=lambda e, loss: seen.append((e, loss)),
    )
    assert [epoch for epoch, _ in seen] == list(range(1, 13))
    assert (seen[-1][1] < seen[0][1] - 0.3).all()
    torch.testing.assert_close(ensemble.losses, seen[-1][1])


def test_scores_on_a_grid_are_the_network_s() -> None:
    x, y = _data(40)
    ensemble = train_ensemble(method("nce", num_samples=16), x[0], y[0], seeds=[0, 1], epochs=1)
    grid_x, grid_y = torch.linspace(-3, 3, 37), torch.linspace(-2, 2, 21)
    expected = ensemble.network(1)(grid_x[:, None], grid_y[None, :, None].expand(37, -1, -1))
    torch.testing.assert_close(ensemble.scores_of(1, grid_x, grid_y), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"seeds": []}, DomainError, "0 seeds"),
        ({"epochs": 0}, DomainError, "epochs"),
        ({"batch_size": 0}, DomainError, "batch_size"),
        ({"x": torch.zeros(3)}, ShapeError, "shape"),
        ({"y": torch.full((5,), float("nan"))}, DomainError, "finite"),
        ({"backend": "numba"}, UnknownNameError, "fused"),
        ({"backend": "fused", "device": "meta"}, DomainError, "plain"),
    ],
)
def test_what_cannot_be_trained_is_named(
    change: dict[str, object], error: type[Exception], words: str
) -> None:
    arguments: dict[str, object] = {
        "x": torch.zeros(5),
        "y": torch.zeros(5),
        "seeds": [0],
        "epochs": 1,
    } | change
    with pytest.raises(error, match=words):
        train_ensemble(method("nce", num_samples=16), **arguments)  # type: ignore[arg-type]


def test_without_a_compiler_the_plain_steps_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused_module, "_COMPILERS", ("no-such-compiler",))
    fused_module.fused_unavailable.cache_clear()
    fused_module._library.cache_clear()
    try:
        assert "no-such-compiler" in fused_unavailable()
        with pytest.raises(InputError, match="backend='plain'"):
            FusedSteps()
        x, y = _data()
        assert (
            train_ensemble(method("nce", num_samples=16), x[0], y[0], seeds=[0], epochs=1)
            .weights.isfinite()
            .all()
        )
    finally:
        monkeypatch.undo()
        fused_module.fused_unavailable.cache_clear()
        fused_module._library.cache_clear()
