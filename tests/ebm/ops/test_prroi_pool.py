"""Precise RoI pooling against hand-made values, numerical quadrature and finite differences."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.ops import roi_align

from ebm.exceptions import DomainError, ShapeError
from ebm.ops.prroi_pool import PrRoIPool2D, prroi_pool2d, prroi_pool_per_image

PATHS = ["dense", "windowed"]


def surface(features: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The bilinear surface ``(C, len(y), len(x))`` of a map ``(C, H, W)``, written from its definition."""
    height, width = features.shape[1:]
    hat_x = (1 - (x[:, None] - torch.arange(width)).abs()).clamp(min=0)
    hat_y = (1 - (y[:, None] - torch.arange(height)).abs()).clamp(min=0)
    return hat_y @ features @ hat_x.T


def quadrature(features: Tensor, box: Tensor, bins: tuple[int, int], points: int = 400) -> Tensor:
    """Bin means ``(C, ph, pw)`` by `points` x `points` midpoints per bin."""
    x0, y0, x1, y1 = box.tolist()
    at = lambda a, b, n: a + (b - a) * (torch.arange(n * points, dtype=box.dtype) + 0.5) / (n * points)  # noqa: E731
    values = surface(features, at(x0, x1, bins[1]), at(y0, y1, bins[0]))
    return values.reshape(-1, bins[0], points, bins[1], points).mean((2, 4))


@pytest.mark.parametrize("path", PATHS)
def test_published_anchor_values(path: str) -> None:
    features = torch.arange(20.0).reshape(1, 1, 4, 5)
    rois = torch.tensor([[0, 4.0, 4, 20, 24], [0, -8.0, -8, 8, 8]])
    pooled = prroi_pool2d(features, rois, 2, 1 / 8, path=path)
    expected = torch.tensor([[[[6.625, 7.625], [12.875, 13.875]]], [[[0, 0.25], [1.25, 3.0]]]])
    torch.testing.assert_close(pooled, expected)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "box",
    [
        (1.3, 2.1, 6.7, 5.2),  # inside
        (-2.4, -1.0, 3.3, 4.5),  # partly outside, top left
        (5.5, 4.2, 12.0, 9.9),  # partly outside, bottom right
        (3.21, 3.4, 3.27, 3.41),  # much smaller than a cell
        (-5.0, -5.0, -2.0, -1.5),  # wholly outside
        (-9.0, 2.0, 20.0, 3.0),  # wider than the map
        (2.0, 1.0, 5.0, 4.0),  # on the grid
    ],
)
def test_agrees_with_quadrature(box: tuple[float, ...], path: str, generator: torch.Generator) -> None:
    features = torch.randn(3, 7, 9, dtype=torch.float64, generator=generator)
    corners = torch.tensor(box, dtype=torch.float64)
    pooled = prroi_pool_per_image(features[None], corners[None, None], (3, 5), path=path)[0, 0]
    torch.testing.assert_close(pooled, quadrature(features, corners, (3, 5)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("path", PATHS)
def test_agrees_with_densely_sampled_roi_align_inside_the_map(path: str, generator: torch.Generator) -> None:
    features = torch.randn(2, 4, 12, 14, dtype=torch.float64, generator=generator)
    rois = torch.tensor([[0, 8.0, 8, 60, 70], [1, 20.0, 3, 100, 88], [1, 33.3, 40, 45.1, 84]]).double()
    sampled = roi_align(features, rois, (4, 3), 1 / 8, sampling_ratio=96, aligned=False)
    torch.testing.assert_close(
        prroi_pool2d(features, rois, (4, 3), 1 / 8, path=path), sampled, atol=2e-4, rtol=0
    )


@pytest.mark.parametrize("path", PATHS)
def test_a_ramp_is_pooled_to_bin_centres(path: str) -> None:
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    pooled = prroi_pool_per_image(ramp, torch.tensor([[[8.0, 8.0, 40.0, 24.0]]]), (1, 4), 1 / 8, path=path)
    torch.testing.assert_close(pooled.flatten(), torch.tensor([1.5, 2.5, 3.5, 4.5]))


@pytest.mark.parametrize("path", PATHS)
def test_boxes_without_area_give_zeros_and_no_gradient(path: str) -> None:
    features = torch.ones(1, 2, 6, 6, dtype=torch.float64, requires_grad=True)
    boxes = torch.tensor([[[2.0, 1, 2, 4], [1, 3, 4, 3], [4, 1, 2, 3], [1, 5, 4, 2], [3, 3, 3, 3]]]).double()
    boxes.requires_grad_()
    pooled = prroi_pool_per_image(features, boxes, 2, path=path)
    first = torch.autograd.grad(pooled.sum(), (features, boxes), create_graph=True)
    second = torch.autograd.grad(sum(g.sum() for g in first), (features, boxes), allow_unused=True)
    assert pooled.count_nonzero() == 0
    assert all(g is None or g.count_nonzero() == 0 for g in (*first, *second))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("listed", [False, True])
def test_first_and_second_derivatives(path: str, listed: bool, generator: torch.Generator) -> None:
    features = torch.randn(2, 2, 4, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    # Corners and bin edges keep away from integers, where the second derivative jumps.
    boxes = torch.tensor([[0.3, 0.6, 3.1, 2.4], [1.2, -1.3, 6.35, 2.7], [0.2, 0.3, 0.7, 0.8]]).double()
    boxes = torch.stack((boxes, boxes + 0.11)).requires_grad_()

    def pool(f: Tensor, b: Tensor) -> Tensor:
        if not listed:
            return prroi_pool_per_image(f, b, 2, path=path)
        image = torch.tensor([1.0, 0, 0, 1, 1, 0]).double()[:, None]
        return prroi_pool2d(f, torch.cat((image, b.flatten(0, 1)), 1), 2, path=path)

    assert torch.autograd.gradcheck(pool, (features, boxes))
    assert torch.autograd.gradgradcheck(pool, (features, boxes))


def random_rois(count: int, maps: int, extent: float, generator: torch.Generator) -> Tensor:
    corner = torch.rand(count, 2, generator=generator) * extent
    size = torch.rand(count, 2, generator=generator) ** 3 * extent
    image = torch.randint(maps, (count, 1), generator=generator)
    return torch.cat((image, corner - 0.3 * size, corner + size), 1)


@pytest.mark.parametrize("shape", [(1, 3, 18, 18), (3, 2, 50, 77), (4, 3, 9, 12)])
def test_all_ways_to_pool_agree_with_gradients(shape: tuple[int, ...], generator: torch.Generator) -> None:
    features = torch.randn(shape, generator=generator).double()
    rois = random_rois(40, shape[0], 8.0 * shape[3], generator).double()
    results = []
    for path in ("auto", "dense", "windowed", "one by one"):
        f, r = features.clone().requires_grad_(), rois.clone().requires_grad_()
        if path == "one by one":
            pooled = torch.cat(
                [
                    prroi_pool_per_image(f[i : i + 1], row[None, None, 1:], (3, 2), 1 / 8)[0]
                    for i, row in zip(rois[:, 0].long(), r)
                ]
            )
        else:
            pooled = prroi_pool2d(f, r, (3, 2), 1 / 8, path=path)
        grad_f, grad_r = torch.autograd.grad((pooled * torch.arange(6.0).reshape(3, 2)).sum(), (f, r))
        results.append((pooled.detach(), grad_f, grad_r[:, 1:]))
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], atol=1e-8, rtol=1e-8)


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch, generator: torch.Generator) -> None:
    features = torch.randn(5, 2, 6, 6, generator=generator)
    boxes = random_rois(15, 1, 6.0, generator)[:, 1:].reshape(5, 3, 4)
    whole = [prroi_pool_per_image(features, boxes, 2, path=path) for path in PATHS]
    monkeypatch.setattr("ebm.ops.prroi_pool.CPU_BLOCK", 160)
    monkeypatch.setattr("ebm.ops.roi_windows.WINDOW_BLOCK", 40)
    parts = [prroi_pool_per_image(features, boxes, 2, path=path) for path in PATHS]
    torch.testing.assert_close(parts, whole)


@pytest.mark.parametrize(("size", "error"), [(8.0, 1e-5), (1.0, 1e-5), (0.1, 3e-5), (0.01, 3e-4)])
def test_float32_stays_close_for_small_boxes(size: float, error: float, generator: torch.Generator) -> None:
    features = torch.randn(1, 8, 36, 36, generator=generator)
    corner = 2 + 25 * torch.rand(1, 200, 2, generator=generator)
    boxes = torch.cat((corner, corner + size), -1)
    exact = prroi_pool_per_image(features.double(), boxes.double(), 5)
    torch.testing.assert_close(prroi_pool_per_image(features, boxes, 5).double(), exact, atol=error, rtol=0)


@given(
    corner=st.tuples(st.floats(0, 5), st.floats(0, 5)),
    size=st.tuples(st.floats(0.05, 3), st.floats(0.05, 3)),
    plane=st.tuples(st.floats(-2, 2), st.floats(-2, 2), st.floats(-2, 2)),
    path=st.sampled_from(PATHS),
)
@settings(max_examples=60, deadline=None)
def test_a_plane_is_pooled_to_its_value_at_bin_centres(
    corner: tuple[float, float], size: tuple[float, float], plane: tuple[float, float, float], path: str
) -> None:
    a, b, c = plane
    y, x = torch.meshgrid(torch.arange(9.0).double(), torch.arange(9.0).double(), indexing="ij")
    (x0, y0), (w, h) = corner, size
    box = torch.tensor([[[x0, y0, x0 + w, y0 + h]]], dtype=torch.float64)
    pooled = prroi_pool_per_image((a * x + b * y + c)[None, None], box, 2, path=path)[0, 0, 0]
    for i, j in itertools.product(range(2), range(2)):
        assert pooled[i, j].item() == pytest.approx(
            a * (x0 + w * (j + 0.5) / 2) + b * (y0 + h * (i + 0.5) / 2) + c, abs=1e-9
        )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_and_half_precision_are_pooled_in_float32(
    dtype: torch.dtype, generator: torch.Generator
) -> None:
    features = torch.randn(1, 4, 8, 8, generator=generator).to(dtype)
    boxes = torch.tensor([[[1.1, 0.7, 5.2, 6.9]]], requires_grad=True)
    plain = prroi_pool_per_image(features.float(), boxes, 3)
    with torch.autocast("cpu", torch.bfloat16):
        pooled = prroi_pool_per_image(features, boxes, 3)
        listed = prroi_pool2d(features, torch.nn.functional.pad(boxes[0], (1, 0)), 3)
    assert pooled.dtype == listed.dtype == torch.float32
    torch.testing.assert_close(pooled, plain)
    torch.testing.assert_close(listed[None], plain)
    assert torch.autograd.grad(pooled.sum(), boxes)[0].isfinite().all()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("maps", [1, 2])
def test_no_boxes_give_an_empty_result_that_backpropagates(path: str, maps: int) -> None:
    features = torch.ones(maps, 3, 6, 6, requires_grad=True)
    listed = prroi_pool2d(features, torch.zeros(0, 5), (2, 3), path=path)
    per_image = prroi_pool_per_image(features, torch.zeros(maps, 0, 4), (2, 3), path=path)
    assert listed.shape == (0, 3, 2, 3)
    assert per_image.shape == (maps, 0, 3, 2, 3)
    (grad,) = torch.autograd.grad(listed.sum() + per_image.sum(), features)
    assert grad.count_nonzero() == 0


def test_memory_format_changes_nothing(generator: torch.Generator) -> None:
    features = torch.randn(2, 3, 7, 8, generator=generator)
    boxes = random_rois(6, 1, 8.0, generator)[:, 1:].reshape(2, 3, 4)
    plain = prroi_pool_per_image(features, boxes, 2)
    channels_last = features.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(prroi_pool_per_image(channels_last, boxes, 2), plain, rtol=0, atol=0)


@pytest.mark.parametrize("size", [12, 60])
def test_compiles_in_one_graph(size: int, generator: torch.Generator) -> None:
    features = torch.randn(2, 3, size, size, generator=generator)
    rois = random_rois(6, 2, float(size), generator)
    boxes = rois[:, 1:].reshape(2, 3, 4)

    def pool(f: Tensor, b: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
        return prroi_pool_per_image(f, b, 2), prroi_pool2d(f, r, 2)

    compiled = torch.compile(pool, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(features, boxes, rois), pool(features, boxes, rois))


def test_module_is_the_function_with_its_sizes(generator: torch.Generator) -> None:
    features = torch.randn(1, 3, 8, 8, generator=generator)
    rois = random_rois(4, 1, 60.0, generator)
    pool = PrRoIPool2D(3, 2, 1 / 8)
    torch.testing.assert_close(pool(features, rois), prroi_pool2d(features, rois, (3, 2), 1 / 8))
    torch.testing.assert_close(pool.per_image(features, rois[None, :, 1:])[0], pool(features, rois))
    assert not list(pool.parameters())


def test_nan_corner_is_refused_or_shows() -> None:
    boxes = torch.tensor([[[0.0, 0, 2, 2], [0, float("nan"), 2, 2]]])
    with pytest.raises(DomainError, match=r"boxes\[0, 1, 1\] is nan"):
        prroi_pool_per_image(torch.ones(1, 1, 4, 4), boxes, 2)
    for path in PATHS:
        pooled = prroi_pool_per_image(torch.ones(1, 1, 4, 4), boxes, 2, validate=False, path=path)
        assert pooled[0, 0].isfinite().all()
        assert pooled[0, 1].isnan().all()


@pytest.mark.parametrize(
    ("features", "rois", "size", "error", "message"),
    [
        ((2, 3, 4), (1, 5), 2, ShapeError, r"\(N, C, H, W\), got \(2, 3, 4\)"),
        ((1, 1, 4, 4), (1, 4), 2, ShapeError, r"\(R, 5\), got \(1, 4\)"),
        ((1, 1, 4, 4), (1, 5), 0, DomainError, "must be positive"),
    ],
)
def test_misuse_is_named(
    features: tuple[int, ...], rois: tuple[int, ...], size: int, error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        prroi_pool2d(torch.zeros(features), torch.zeros(rois), size)


def test_missing_map_and_mismatched_batch_are_named() -> None:
    with pytest.raises(DomainError, match="name maps 0 to 3, but there are 2"):
        prroi_pool2d(torch.zeros(2, 1, 4, 4), torch.tensor([[0.0, 0, 0, 1, 1], [3, 0, 0, 1, 1]]), 2)
    with pytest.raises(ShapeError, match="2 feature maps but boxes for 3"):
        prroi_pool_per_image(torch.zeros(2, 1, 4, 4), torch.zeros(3, 1, 4), 2)
    with pytest.raises(TypeError, match="features on cpu, boxes on meta"):
        prroi_pool_per_image(torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 4, device="meta"), 2)
    with pytest.raises(DomainError, match="path must be"):
        prroi_pool2d(torch.zeros(2, 1, 4, 4), torch.zeros(1, 5), 2, path="fast")
