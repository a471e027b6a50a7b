"""The detectors of torchvision, as refinement asks for them."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ebm.tasks.detection.data.training import Resizing
from ebm.tasks.detection.protocol import Hypotheses, ImageBatch
from ebm.tasks.detection.pyramid import LevelRule, Pyramid

__all__ = ["FasterRCNNDetector", "OneStageDetector", "Regions", "TorchvisionDetector"]

MIN_PROBABILITY = 0.05


class TorchvisionDetector(ABC):
    """What the detectors of torchvision have in common.

    Args:
        model: with its weights; is frozen here.
        columns: see `Detector`.
        names: feature maps that boxes are pooled from, fine to coarse.
        rule: of these.
    """

    def __init__(self, model: Any, columns: Sequence[str], names: Sequence[str], rule: LevelRule) -> None:
        self.model = model.eval().requires_grad_(False)
        self.columns, self.names, self.rule = tuple(columns), tuple(names), rule
        self.channels = int(model.backbone.out_channels)
        self.resizing = Resizing(max(model.transform.min_size), model.transform.max_size)

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        found: torch.device = next(self.model.parameters()).device
        return found

    def prepare(self, pictures: Sequence[Tensor]) -> ImageBatch:
        """See `Detector`."""
        transform = self.model.transform
        normalised = [transform.normalize(picture.to(self.device)) for picture in pictures]
        sizes = tuple((picture.shape[1], picture.shape[2]) for picture in pictures)
        return ImageBatch(transform.batch_images(normalised, transform.size_divisible), sizes)

    @torch.no_grad()
    def features(self, batch: ImageBatch) -> Pyramid:
        """See `Detector`."""
        maps = self.model.backbone(batch.tensors)
        maps = maps if isinstance(maps, dict) else OrderedDict([("0", maps)])
        return Pyramid(maps, self.names, self.rule)

    @torch.no_grad()
    def hypotheses(self, batch: ImageBatch, pyramid: Pyramid) -> list[Hypotheses]:
        """See `Detector`."""
        return [_solid(found) for found in self._found(batch, pyramid)]

    def head_layers(self) -> tuple[nn.Linear, nn.Linear] | None:
        """See `Detector`."""
        return None

    @abstractmethod
    def _found(self, batch: ImageBatch, pyramid: Pyramid) -> list[Hypotheses]:
        """Hypotheses of every image, those without area among them."""

    def _listed(self, batch: ImageBatch) -> Any:
        from torchvision.models.detection.image_list import ImageList

        return ImageList(batch.tensors, list(batch.sizes))


class Regions(NamedTuple):
    """What a Faster R-CNN makes of the proposals of a batch.

    Attributes:
        boxes: regions of every image, xyxy px of the batch, ``(R, 4)`` each.
        features: of the box head, ``(sum of R, F)``.
        probability: of every class, ``(sum of R, K)``.
        deltas: its own regression, ``(sum of R, 4 K)``.
    """

    boxes: list[Tensor]
    features: Tensor
    probability: Tensor
    deltas: Tensor

    @property
    def counts(self) -> list[int]:
        """R of every image."""
        return [len(own) for own in self.boxes]


class FasterRCNNDetector(TorchvisionDetector):
    """A Faster R-CNN of torchvision: every (proposal, class) pair is a hypothesis.

    Args:
        model: `torchvision.models.detection.FasterRCNN`.
        columns: see `Detector`; column 0 is the background.
        rule: levels; None takes torchvision's of strides 4 to 32.

    Source: Ren et al., NeurIPS 2015; Lin et al., CVPR 2017.
    """

    def __init__(self, model: Any, columns: Sequence[str], rule: LevelRule | None = None) -> None:
        names = model.roi_heads.box_roi_pool.featmap_names
        super().__init__(model, columns, names, rule or LevelRule((4, 8, 16, 32)))
        self._regions: WeakKeyDictionary[Pyramid, Regions] = WeakKeyDictionary()

    def head_layers(self) -> tuple[nn.Linear, nn.Linear] | None:
        """See `Detector`."""
        head = self.model.roi_heads.box_head
        return (head.fc6, head.fc7) if hasattr(head, "fc6") and hasattr(head, "fc7") else None

    @property
    def embedding(self) -> int:
        """F, the size of what the box head makes of a region."""
        return int(self.model.roi_heads.box_predictor.cls_score.in_features)

    @torch.no_grad()
    def proposals(self, batch: ImageBatch, pyramid: Pyramid) -> list[Tensor]:
        """Regions that may hold an object whatever its class, xyxy px of the batch, ``(R, 4)`` each."""
        found: list[Tensor] = self.model.rpn(self._listed(batch), dict(pyramid.maps))[0]
        return found

    @torch.no_grad()
    def embed(self, batch: ImageBatch, pyramid: Pyramid, boxes: list[Tensor]) -> Tensor:
        """What the box head makes of regions, ``(sum of R, F)``."""
        heads = self.model.roi_heads
        embedded: Tensor = heads.box_head(heads.box_roi_pool(dict(pyramid.maps), boxes, list(batch.sizes)))
        return embedded

    @torch.no_grad()
    def regions(self, batch: ImageBatch, pyramid: Pyramid) -> Regions:
        """Proposals and what the box head makes of them, once for a pyramid, whoever asks for them."""
        found = self._regions.get(pyramid)
        if found is None:
            boxes = self.proposals(batch, pyramid)
            features = self.embed(batch, pyramid, boxes)
            logits, deltas = self.model.roi_heads.box_predictor(features)
            found = self._regions[pyramid] = Regions(boxes, features, logits.softmax(-1), deltas)
        return found

    def _found(self, batch: ImageBatch, pyramid: Pyramid) -> list[Hypotheses]:
        regions = self.regions(batch, pyramid)
        decoded = self.model.roi_heads.box_coder.decode(regions.deltas, regions.boxes)  # (R, columns, 4)
        counts = regions.counts
        parts = zip(regions.probability.split(counts), decoded.split(counts), batch.sizes)
        return [self.pairs(probability, boxes, size) for probability, boxes, size in parts]

    @staticmethod
    def likely(probability: Tensor) -> tuple[Tensor, Tensor]:
        """Region and column of the pairs ``(R, K)`` whose probability is high enough."""
        high = probability > MIN_PROBABILITY
        high[:, 0] = False
        region, column = high.nonzero().unbind(1)
        return region, column

    @staticmethod
    def pairs(probability: Tensor, boxes: Tensor, size: tuple[int, int]) -> Hypotheses:
        """Hypotheses of an image from probabilities ``(R, K)`` and boxes ``(R, K, 4)`` of every class."""
        from torchvision.ops import clip_boxes_to_image

        region, column = FasterRCNNDetector.likely(probability)
        inside = clip_boxes_to_image(boxes[region, column], size)
        return Hypotheses(inside, probability[region, column], column)


class OneStageDetector(TorchvisionDetector):
    """RetinaNet or FCOS of torchvision: what its heads find, before suppression.

    Args:
        model: `torchvision.models.detection.RetinaNet` or `FCOS`.
        columns: see `Detector`.
        rule: levels; None takes those of strides 8 to 128.

    Source: Lin et al., ICCV 2017 (RetinaNet); Tian et al., ICCV 2019 (FCOS).
    """

    def __init__(self, model: Any, columns: Sequence[str], rule: LevelRule | None = None) -> None:
        model.nms_thresh, model.score_thresh = 1.0, MIN_PROBABILITY
        model.detections_per_img = max(model.detections_per_img, 5 * model.topk_candidates)
        super().__init__(model, columns, ("0", "1", "2", "p6", "p7"), rule or LevelRule((8, 16, 32, 64, 128)))

    def _found(self, batch: ImageBatch, pyramid: Pyramid) -> list[Hypotheses]:
        model, maps = self.model, list(pyramid.maps.values())
        outputs = model.head(maps)
        anchors = model.anchor_generator(self._listed(batch), maps)
        cells = [own.shape[2] * own.shape[3] for own in maps]
        each = model.anchor_generator.num_anchors_per_location()[0]
        sizes = [count * each for count in cells]
        # RetinaNet takes its heads' outputs level by level, FCOS its anchors flat as well: both split both.
        split = {name: list(value.split(sizes, dim=1)) for name, value in outputs.items()}
        levels = [list(own.split(sizes)) for own in anchors]
        found = model.postprocess_detections(split, levels, list(batch.sizes))
        return [Hypotheses(own["boxes"], own["scores"], own["labels"]) for own in found]


def _solid(found: Hypotheses) -> Hypotheses:
    """Those with an area: clipping may leave none."""
    return found.chosen((found.boxes[:, 2:] > found.boxes[:, :2]).all(-1))
