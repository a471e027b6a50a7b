"""Correlation, its adjoint and the small layers, against published numbers and autograd."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from ebm.exceptions import ShapeError
from ltr.models.layers.activation import (
    MLU,
    BentIdentPar,
    BentIdentParDeriv,
    LeakyReluPar,
    LeakyReluParDeriv,
    softmax_reg,
)
from ltr.models.layers.distance import DistanceMap
from ltr.models.layers.filter import apply_feat_transpose, apply_filter, filter_gradient
from ltr.models.layers.normalization import InstanceL2Norm


def test_apply_filter_anchors(pattern, check_summary) -> None:
    feat = pattern((2, 3, 4, 5, 6), 0.7)
    one = apply_filter(feat, 0.1 * pattern((3, 4, 4, 4), 1.3))
    assert one.shape == (2, 3, 6, 7)
    check_summary(one, (-3.018946, 159.398221, 0.390474, -0.070029))
    two = apply_filter(feat, 0.1 * pattern((3, 2, 4, 4, 4), 1.3))
    assert two.shape == (2, 3, 2, 6, 7)
    check_summary(two, (15.795985, 319.448338, 0.390474, 0.652127))


def test_apply_feat_transpose_anchors(pattern, check_summary) -> None:
    feat = pattern((2, 3, 4, 5, 6), 0.7)
    one = apply_feat_transpose(feat, pattern((2, 3, 6, 7), 0.9, 0.5), (4, 4))
    assert one.shape == (3, 4, 4, 4)
    check_summary(one, (-13.118602, 667.011028, -3.069519, -3.790660))
    two = apply_feat_transpose(feat, pattern((2, 3, 2, 6, 7), 0.9, 0.5), (4, 4))
    assert two.shape == (3, 2, 4, 4, 4)
    check_summary(two, (-10.692095, 1290.125431, -3.554122, -2.554668))


def test_dilated_and_grouped_anchors(pattern, check_summary) -> None:
    feat = pattern((2, 3, 4, 9, 9), 0.7)
    dilated = apply_filter(feat, 0.1 * pattern((3, 4, 4, 3, 3), 1.3), {1: 2, 2: 2})
    assert dilated.shape == (2, 3, 4, 9, 9)
    check_summary(dilated, (0.02292, 166.13651, -0.038246, -0.103928))
    grouped = apply_filter(feat, 0.1 * pattern((3, 4, 2, 3, 3), 1.3))
    check_summary(grouped, (-0.41474, 145.75690, -0.092239, -0.123159))


@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (4, 4), (5, 2)], ids=str)
@pytest.mark.parametrize(("images", "sequences"), [(1, 1), (4, 1), (1, 3), (4, 3)])
def test_each_sequence_meets_its_own_filter(kernel, images, sequences, generator) -> None:
    feat = torch.randn(images, sequences, 5, 7, 6, generator=generator)
    filters = torch.randn(sequences, 5, *kernel, generator=generator)
    scores = apply_filter(feat, filters)
    for i, s in itertools.product(range(images), range(sequences)):
        padding = (kernel[0] // 2, kernel[1] // 2)
        alone = F.conv2d(feat[i, s][None], filters[s][None], padding=padding)[0, 0]
        torch.testing.assert_close(scores[i, s], alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (4, 4), (5, 2)], ids=str)
def test_transpose_is_the_gradient(kernel, generator) -> None:
    feat = torch.randn(3, 2, 4, 6, 5, generator=generator, dtype=torch.float64)
    filters = torch.randn(2, 3, 4, *kernel, generator=generator, dtype=torch.float64, requires_grad=True)
    scores = apply_filter(feat, filters)
    upstream = torch.randn(scores.shape, generator=generator, dtype=torch.float64)
    (expected,) = torch.autograd.grad((scores * upstream).sum(), filters)
    torch.testing.assert_close(apply_feat_transpose(feat, upstream, kernel), expected)
    torch.testing.assert_close(apply_feat_transpose(feat, upstream, kernel, training=False), expected)


@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (4, 2)], ids=str)
def test_grouped_transpose_is_the_gradient(kernel, generator) -> None:
    feat = torch.randn(3, 2, 6, 5, 4, generator=generator, dtype=torch.float64)
    filters = torch.randn(2, 4, 3, *kernel, generator=generator, dtype=torch.float64, requires_grad=True)
    scores = apply_filter(feat, filters)
    upstream = torch.randn(scores.shape, generator=generator, dtype=torch.float64)
    (expected,) = torch.autograd.grad((scores * upstream).sum(), filters)
    torch.testing.assert_close(apply_feat_transpose(feat, upstream, kernel, groups=2), expected)
    for groups in (0, 3, 4):
        with pytest.raises(ShapeError, match=f"cannot be split into {groups} groups"):
            apply_feat_transpose(feat, upstream, kernel, groups=groups)


def test_filter_gradient_is_that_of_the_squared_residual(generator) -> None:
    feat = torch.randn(2, 2, 3, 5, 5, generator=generator, dtype=torch.float64)
    filters = torch.randn(2, 3, 4, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    label = torch.randn(2, 2, 6, 6, generator=generator, dtype=torch.float64)
    loss = 0.5 * (apply_filter(feat, filters) - label).square().sum()
    torch.testing.assert_close(filter_gradient(feat, filters, label), torch.autograd.grad(loss, filters)[0])


def test_channels_last_features_give_the_same_scores(generator) -> None:
    feat = torch.randn(6, 8, 9, 7, generator=generator)
    last = feat.contiguous(memory_format=torch.channels_last).unflatten(0, (2, 3))
    filters = torch.randn(3, 8, 4, 4, generator=generator)
    torch.testing.assert_close(apply_filter(last, filters), apply_filter(feat.unflatten(0, (2, 3)), filters))


def test_misfits_are_refused_with_both_shapes() -> None:
    with pytest.raises(ShapeError, match=r"\(2, 4, 3, 3\).*\(1, 3, 4, 5, 5\)"):
        apply_filter(torch.zeros(1, 3, 4, 5, 5), torch.zeros(2, 4, 3, 3))
    with pytest.raises(ShapeError, match=r"6, 6"):
        apply_feat_transpose(torch.zeros(1, 1, 4, 5, 5), torch.zeros(1, 1, 5, 5), 4)


def test_distance_map_anchors(check_summary) -> None:
    bins = DistanceMap(5, 1.0)(torch.tensor([[2.25, 3.5]]), (6, 7))
    assert bins.shape == (1, 5, 6, 7)
    check_summary(bins, (42.0, 42.0, 0.0, 0.716517))
    torch.testing.assert_close(
        bins[0, :, 2, 3], torch.tensor([0.440983, 0.559017, 0, 0, 0]), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(bins[0, :, 0, 0], torch.tensor([0.0, 0, 0, 0, 1]))


@pytest.mark.parametrize("num_bins", [1, 2, 30])
def test_interpolation_equals_the_bins_times_their_values(num_bins, generator) -> None:
    distance = DistanceMap(num_bins, 0.3)
    center = torch.tensor([[2.25, 3.5], [0.0, 9.0], [4.0, 4.0]], dtype=torch.float64)
    table = torch.randn(num_bins, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    dense = torch.einsum("kc,bkhw->cbhw", table, distance(center, (6, 7)))
    quick = distance.interpolate(table, center, (6, 7))
    torch.testing.assert_close(quick, dense)
    weight = torch.randn(dense.shape, generator=generator, dtype=torch.float64)
    expected = torch.autograd.grad((dense * weight).sum(), table)[0]
    torch.testing.assert_close(torch.autograd.grad((quick * weight).sum(), table)[0], expected)


def test_norm_anchors(pattern, check_summary) -> None:
    feat = pattern((6, 4, 5, 6), 0.7)
    check_summary(InstanceL2Norm(scale=0.5)(feat), (0.396290, 324.022726, 0.0, 0.427132))
    fixed = InstanceL2Norm(size_average=False, scale=2.0)(feat)
    check_summary(fixed, (0.144705, 118.316369, 0.0, 0.155967))


def test_activation_anchors() -> None:
    x = torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0])
    expected = [
        (LeakyReluPar()(x, 0.3), [-0.6, -0.15, 0, 0.5, 2]),
        (LeakyReluParDeriv()(x, 0.3), [0.3, 0.3, 0.65, 1, 1]),
        (BentIdentPar(0.5)(x, 0.3), [-0.867376, -0.283688, 0, 0.366312, 1.732624]),
        (BentIdentParDeriv(0.5)(x, 0.3), [0.336950, 0.493475, 0.65, 0.806525, 0.963049]),
        (MLU(0.05)(x), [-0.05, -0.049998, 0, 0.5, 2]),
        (softmax_reg(x, 0, 0.5), [0.010889, 0.048802, 0.080461, 0.132658, 0.594532]),
    ]
    for actual, wanted in expected:
        torch.testing.assert_close(actual, torch.tensor(wanted), rtol=1e-4, atol=1e-6)


def test_softmax_with_a_reserve_survives_large_logits() -> None:
    shares = softmax_reg(torch.tensor([1000.0, 999.0]), 0, 0.0)
    torch.testing.assert_close(shares, torch.tensor([1000.0, 999.0]).softmax(0))
