"""DiMP networks: a backbone under a target classifier and a box branch, and their constructors.

Checkpoints name the constructors of this module: their names, argument order and defaults are fixed.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ebm.exceptions import ShapeError
from ebm.nn.backbone import Backbone
from ebm.nn.still import StillBackbone
from ltr.admin.model_constructor import NetConstructor, model_constructor
from ltr.models.backbone.resnet import resnet18, resnet50
from ltr.models.bbreg.atom_iou_net import AtomIoUNet
from ltr.models.target_classifier.linear_filter import LinearFilter
from ltr.models.tracking import build
from ltr.models.tracking.arguments import (
    DiMP18Arguments,
    DiMP18SimpleArguments,
    DiMP50Arguments,
    DiMP50SimpleArguments,
    DiMPL2Arguments,
    PrDiMP18Arguments,
    PrDiMP50Arguments,
    takes,
)
from ltr.models.tracking.small_arguments import (
    DiMPLiteArguments,
    DiMPSmallArguments,
    DiMPSmallSimpleArguments,
    PrDiMPSmallArguments,
)

__all__ = [
    "DiMPnet",
    "L2dimpnet18",
    "dimpnet18",
    "dimpnet18_simple",
    "dimpnet50",
    "dimpnet50_simple",
    "dimpnet_lite",
    "dimpnet_small",
    "dimpnet_small_simple",
    "klcedimpnet18",
    "klcedimpnet50",
    "klcedimpnet_small",
]


class DiMPnet(nn.Module):
    """The network of the DiMP family.

    Args:
        feature_extractor: the backbone.
        classifier: the target classifier (`LinearFilter`).
        bb_regressor: the box branch (`AtomIoUNet`).
        classification_layer: backbone layer, or layers, that the classifier reads.
        bb_regressor_layer: backbone layers that the box branch reads.

    Source: Bhat et al., "Learning Discriminative Model Prediction for Tracking", ICCV 2019, arXiv:1904.07220.
    """

    info: dict[str, Any]
    """The geometry it was trained with; training fills it and checkpoints store it as ``net_info``."""
    constructor: NetConstructor | None = None
    """How the network was built; stored in checkpoints."""

    def __init__(
        self,
        feature_extractor: Backbone,
        classifier: LinearFilter,
        bb_regressor: AtomIoUNet,
        classification_layer: str | Sequence[str],
        bb_regressor_layer: Sequence[str],
    ) -> None:
        super().__init__()
        self.feature_extractor = feature_extractor
        self._still = StillBackbone()
        self.classifier = classifier
        self.bb_regressor = bb_regressor
        if isinstance(classification_layer, str):
            classification_layer = [classification_layer]
        self.classification_layer = list(classification_layer)
        self.bb_regressor_layer = list(bb_regressor_layer)
        self.output_layers = sorted({*self.classification_layer, *self.bb_regressor_layer})
        stride = feature_extractor.out_feature_strides(self.classification_layer[0])
        self.info = {"feature_stride": stride}

    def forward(
        self,
        train_imgs: Tensor,
        test_imgs: Tensor,
        train_bb: Tensor,
        test_proposals: Tensor,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[list[Tensor], Tensor]:
        """Learn the target from the train frames; score places and boxes in the test frames.

        Args:
            train_imgs: normalised images, ``(I_train, S, 3, H, W)``.
            test_imgs: normalised images, ``(I_test, S, 3, H, W)``.
            train_bb: xywh boxes in image pixels, ``(I_train, S, 4)``.
            test_proposals: xywh boxes in image pixels, ``(I_test, S, P, 4)``.
            *args: passed to the filter optimiser.
            **kwargs: passed to the filter optimiser.

        Returns:
            Classifier scores ``(I_test, S, h, w)``, of the first filter and after every iteration.
            Scores f(x, y) of the boxes, ``(I_test, S, P)``.

        Raises:
            ShapeError: if the images are not five-dimensional.
        """
        for name, images in (("train_imgs", train_imgs), ("test_imgs", test_imgs)):
            if images.dim() != 5:
                raise ShapeError(
                    f"{name} has shape {tuple(images.shape)}; expected (images, sequences, 3, H, W)."
                )
        train_feat = self.extract_backbone_features(train_imgs.flatten(0, 1))
        test_feat = self.extract_backbone_features(test_imgs.flatten(0, 1))
        scores = self.classifier(
            self.get_backbone_clf_feat(train_feat),
            self.get_backbone_clf_feat(test_feat),
            train_bb,
            *args,
            **kwargs,
        )
        boxes = self.bb_regressor(
            self.get_backbone_bbreg_feat(train_feat),
            self.get_backbone_bbreg_feat(test_feat),
            train_bb,
            test_proposals,
        )
        return scores, boxes

    def extract_backbone_features(
        self, im: Tensor, layers: Sequence[str] | None = None
    ) -> OrderedDict[str, Tensor]:
        """Backbone features ``(N, C, H / stride, W / stride)`` by layer, of images ``(N, 3, H, W)``."""
        wanted = self.output_layers if layers is None else layers
        return OrderedDict(self._still(self.feature_extractor, im, wanted))

    def get_backbone_clf_feat(self, backbone_feat: Mapping[str, Tensor]) -> Tensor | OrderedDict[str, Tensor]:
        """What the classifier reads: one tensor, or several by name if it reads several layers."""
        chosen = OrderedDict((name, backbone_feat[name]) for name in self.classification_layer)
        return chosen[self.classification_layer[0]] if len(chosen) == 1 else chosen

    def get_backbone_bbreg_feat(self, backbone_feat: Mapping[str, Tensor]) -> list[Tensor]:
        """What the box branch reads, the finer level first."""
        return [backbone_feat[name] for name in self.bb_regressor_layer]

    def extract_classification_feat(self, backbone_feat: Mapping[str, Tensor]) -> Tensor:
        """Classifier features ``(N, C, h, w)`` of the backbone's."""
        features: Tensor = self.classifier.extract_classification_feat(
            self.get_backbone_clf_feat(backbone_feat)
        )
        return features

    def extract_features(self, im: Tensor, layers: Sequence[str] | None = None) -> OrderedDict[str, Tensor]:
        """Features of images ``(N, 3, H, W)`` by name; ``"classification"`` names the classifier's own.

        Args:
            im: normalised images.
            layers: names of backbone layers or ``"classification"``; default what the box branch reads, and
                the classifier's.
        """
        wanted = [*self.bb_regressor_layer, "classification"] if layers is None else list(layers)
        backbone = {name for name in wanted if name != "classification"}
        if "classification" in wanted:
            backbone.update(self.classification_layer)
        features = self.extract_backbone_features(im, sorted(backbone))
        if "classification" in wanted:
            features["classification"] = self.extract_classification_feat(features)
        return OrderedDict((name, features[name]) for name in wanted)


@model_constructor
@takes(DiMP18Arguments)
def dimpnet18(arguments: DiMP18Arguments) -> DiMPnet:
    """DiMP on a ResNet-18; the arguments are those of `DiMP18Arguments`."""
    body, optimizer = build.body(resnet18, arguments), build.steepest_descent(arguments)
    return DiMPnet(*build.dimp(body, build.basic_features, optimizer, arguments))


@model_constructor
@takes(DiMP50Arguments)
def dimpnet50(arguments: DiMP50Arguments) -> DiMPnet:
    """DiMP and SuperDiMP on a ResNet-50; the arguments are those of `DiMP50Arguments`."""
    body, optimizer = build.body(resnet50, arguments), build.steepest_descent(arguments)
    return DiMPnet(*build.dimp(body, build.bottleneck_features, optimizer, arguments))


@model_constructor
@takes(DiMP50SimpleArguments)
def dimpnet50_simple(arguments: DiMP50SimpleArguments) -> DiMPnet:
    """SuperDiMP-simple on a ResNet-50; the arguments are those of `DiMP50SimpleArguments`."""
    body, optimizer = build.body(resnet50, arguments), build.simple_descent(arguments)
    return DiMPnet(*build.dimp(body, build.bottleneck_features, optimizer, arguments))


@model_constructor
@takes(DiMP18SimpleArguments)
def dimpnet18_simple(arguments: DiMP18SimpleArguments) -> DiMPnet:
    """SuperDiMP-simple on a ResNet-18; the arguments are those of `DiMP18SimpleArguments`."""
    body, optimizer = build.body(resnet18, arguments), build.simple_descent(arguments)
    return DiMPnet(*build.dimp(body, build.basic_features, optimizer, arguments))


@model_constructor
@takes(DiMPL2Arguments)
def L2dimpnet18(arguments: DiMPL2Arguments) -> DiMPnet:
    """DiMP with a fixed Gaussian label on a ResNet-18; the arguments are those of `DiMPL2Arguments`."""
    body, optimizer = build.body(resnet18, arguments), build.l2_descent(arguments)
    return DiMPnet(*build.dimp(body, build.basic_features, optimizer, arguments))


@model_constructor
@takes(PrDiMP18Arguments)
def klcedimpnet18(arguments: PrDiMP18Arguments) -> DiMPnet:
    """PrDiMP on a ResNet-18; the arguments are those of `PrDiMP18Arguments`."""
    return DiMPnet(*build.prdimp(build.body(resnet18, arguments), build.basic_features, arguments))


@model_constructor
@takes(PrDiMP50Arguments)
def klcedimpnet50(arguments: PrDiMP50Arguments) -> DiMPnet:
    """PrDiMP on a ResNet-50; the arguments are those of `PrDiMP50Arguments`."""
    return DiMPnet(*build.prdimp(build.body(resnet50, arguments), build.bottleneck_features, arguments))


@model_constructor
@takes(DiMPSmallArguments)
def dimpnet_small(arguments: DiMPSmallArguments) -> DiMPnet:
    """A DiMP of about a million weights for 128 px crops; its arguments: `DiMPSmallArguments`."""
    body, optimizer = build.slim_body(arguments), build.steepest_descent(arguments)
    return DiMPnet(*build.dimp(body, build.basic_features, optimizer, arguments))


@model_constructor
@takes(DiMPLiteArguments)
def dimpnet_lite(arguments: DiMPLiteArguments) -> DiMPnet:
    """A DiMP on a frozen light backbone for crops of 128 to 256 px; its arguments: `DiMPLiteArguments`."""
    return DiMPnet(*build.light_dimp(arguments))


@model_constructor
@takes(DiMPSmallSimpleArguments)
def dimpnet_small_simple(arguments: DiMPSmallSimpleArguments) -> DiMPnet:
    """`dimpnet_small` with the simple optimiser; its arguments: `DiMPSmallSimpleArguments`."""
    body, optimizer = build.slim_body(arguments), build.simple_descent(arguments)
    return DiMPnet(*build.dimp(body, build.basic_features, optimizer, arguments))


@model_constructor
@takes(PrDiMPSmallArguments)
def klcedimpnet_small(arguments: PrDiMPSmallArguments) -> DiMPnet:
    """A PrDiMP of about a million weights for 128 px crops; its arguments: `PrDiMPSmallArguments`."""
    return DiMPnet(*build.prdimp(build.slim_body(arguments), build.basic_features, arguments))
