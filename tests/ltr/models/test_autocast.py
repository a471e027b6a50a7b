"""Every network under bf16 autocast: close to full precision, because what must be exact is kept so."""

from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from ltr.models.bbreg import atom_iou_net
from ltr.models.bbreg.atom import ATOMnet, atom_resnet_small
from ltr.models.meta import steepestdescent
from ltr.models.target_classifier import initializer
from ltr.models.target_classifier.score_objectives import ActivatedSquares, SoftmaxCrossEntropy
from ltr.models.tracking.dimpnet import dimpnet_small, dimpnet_small_simple, klcedimpnet_small
from tests.ltr.models.test_losses import gaussian_labels
from tests.ltr.models.test_networks import shipped

SMALL = {f.__name__: f for f in (dimpnet_small, dimpnet_small_simple, klcedimpnet_small, atom_resnet_small)}
PUBLISHED = ["atom_resnet18", "dimp18", "L2dimpnet18_defaults", "prdimp18"]
DEEP = ["atom_resnet50", "dimp50", "prdimp50", "super_dimp_simple"]
NETWORKS = [*SMALL, *PUBLISHED, *(pytest.param(name, marks=pytest.mark.slow) for name in DEEP)]
SIZE = 128


def blobs(generator: torch.Generator) -> Tensor:
    """Images ``(2, 1, 3, 3, SIZE, SIZE)`` with large structures and a little noise."""
    rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    images = 0.1 * torch.randn(6, 3, SIZE, SIZE, generator=generator)
    for image in images:
        for _ in range(12):
            x, y, width = torch.rand(3, generator=generator) * SIZE
            colour = torch.randn(3, 1, 1, generator=generator)
            spread = 2 * (6 + width / 5).square()
            image += colour * torch.exp(-((columns - x).square() + (rows - y).square()) / spread)
    return images.reshape(2, 1, 3, 3, SIZE, SIZE)


def settle(net: nn.Module, batch: dict[str, Tensor]) -> None:
    """Statistics as after training, and residual branches weak against their shortcuts.

    With random weights at full strength a deep network is a chaotic function, whose rounding errors grow from
    layer to layer in any arithmetic.
    """
    for block in net.feature_extractor.modules():
        if hasattr(block, "downsample"):
            nn.init.constant_(getattr(block, "bn3", block.bn2).weight, 0.2)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 1.0
    net.feature_extractor.freeze("none")
    with torch.no_grad():
        net.train()(**batch)
    net.eval()


@pytest.fixture(scope="module", params=NETWORKS)
def network(request) -> tuple[nn.Module, dict[str, Tensor]]:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    name = request.param
    net = SMALL[name]() if name in SMALL else shipped(name)
    train, test = blobs(generator)
    boxes = torch.tensor([0.35, 0.4, 0.3, 0.25]) * SIZE + 4 * torch.randn(1, 3, 4, generator=generator)
    offsets = 0.05 * SIZE * torch.randn(1, 3, 8, 4, generator=generator)
    batch = {
        "train_imgs": train,
        "test_imgs": test,
        "train_bb": boxes,
        "test_proposals": boxes[:, :, None] + offsets,
    }
    if name.endswith("simple"):
        cells = SIZE // net.info["feature_stride"]
        batch["train_label"] = gaussian_labels(boxes[0], 0.05, 4, (cells, cells), (SIZE, SIZE))[None]
    settle(net, batch)
    return net, batch


def outputs(net: nn.Module, batch: dict[str, Tensor]) -> tuple[list[Tensor], Tensor]:
    result = net(**batch)
    return ([], result) if isinstance(net, ATOMnet) else result


def far(value: Tensor, exact: Tensor) -> float:
    """Root mean square error relative to the spread of the exact values."""
    return float((value - exact).norm() / (exact - exact.mean()).norm().clamp(min=1e-6))


def test_outputs_are_float32_and_close(network) -> None:
    net, batch = network
    with torch.no_grad():
        exact_scores, exact_boxes = outputs(net, batch)
        with torch.autocast("cpu", torch.bfloat16):
            scores, boxes = outputs(net, batch)
    assert boxes.dtype == torch.float32
    assert far(boxes, exact_boxes) < 0.12
    for score, exact in zip(scores, exact_scores, strict=True):
        assert score.dtype == torch.float32
        assert far(score, exact) < 0.2


def test_training_under_autocast_gives_finite_gradients_close_to_the_exact_ones(network) -> None:
    net, batch = network
    head = net.bb_regressor.iou_predictor.weight
    gradients = []
    for enabled in (False, True):
        net.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            scores, boxes = outputs(net, batch)
        (boxes.square().mean() + sum(s.square().mean() for s in scores)).backward()
        assert all(p.grad.isfinite().all() for p in net.parameters() if p.grad is not None)
        gradients.append(head.grad.clone())
    assert far(gradients[1], gradients[0]) < 0.12


def test_what_must_be_exact_runs_outside_autocast(network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pooling at box coordinates, the filter's loss with its softmax, and the step length are islands."""
    net, batch = network
    seen: set[str] = set()

    def island(module: ModuleType | type, name: str) -> None:
        original = getattr(module, name)

        def check(*args: object, **kwargs: object) -> object:
            assert not torch.is_autocast_enabled("cpu"), name
            floats = [a for a in args if isinstance(a, Tensor)]
            assert all(a.dtype == torch.float32 for a in floats), name
            seen.add(name)
            return original(*args, **kwargs)

        monkeypatch.setattr(module, name, check)

    island(atom_iou_net, "prroi_pool_per_image")
    island(initializer, "prroi_pool_per_image")
    island(steepestdescent, "_batch_energy")
    for objective in (ActivatedSquares, SoftmaxCrossEntropy):
        for method in ("loss", "gradient", "residual"):
            if hasattr(objective, method):
                island(objective, method)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        outputs(net, batch)
    expected = {"prroi_pool_per_image"}
    if "train_label" in batch:
        expected |= {"_batch_energy", "residual"}
    elif not isinstance(net, ATOMnet):
        expected |= {"loss", "gradient"}
    assert seen >= expected
