"""The parts of a network as modules that are exported, one graph each."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ebm.exceptions import InputError
from ebm.input_statistics import input_statistics
from pytracking.inference.products import RowProduct
from pytracking.libs.box_energy import ImageEnergy
from pytracking.libs.box_head import BoxEnergy, fold_head, is_foldable
from pytracking.parameter.atom_params import ATOMParams
from pytracking.parameter.dimp_params import DiMPParams
from pytracking.parameter.tracking_params import TrackingParams
from pytracking.tracker.atom.features import ATOMFeatures
from pytracking.tracker.common.box_ascent import ascended
from pytracking.tracker.dimp.classifier import DiMPClassifier

__all__ = ["Graph", "graphs_of"]

Features = Callable[[Mapping[str, Tensor]], Tensor]


class Graph(NamedTuple):
    """A graph and the names of what goes in and out.

    The first size of every input is free, but for those that are `fixed`; with `single` it is 1 for all.
    """

    module: nn.Module
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    fixed: tuple[str, ...] = ()
    single: bool = False

    def is_free(self, name: str) -> bool:
        """Whether the first size of an input is free."""
        return not self.single and name not in self.fixed


class _Backbone(nn.Module):
    """RGB in 0..255 ``[N, h, w, 3]`` to the classifier's features and the maps that the box branch reads."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: Any, features: Features, boxes: bool) -> None:
        super().__init__()
        self.network, self.features, self.boxes = network, features, boxes
        for name, values in zip(("mean", "std"), input_statistics(network)):
            self.register_buffer(name, torch.tensor(values).mul(255).reshape(1, 3, 1, 1))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        normal = (images.permute(0, 3, 1, 2) - self.mean) / self.std
        maps = self.network.extract_backbone_features(normal)
        box_maps = self.network.get_backbone_bbreg_feat(maps) if self.boxes else ()
        return (self.features(maps), *box_maps)


class _FilterFirst(nn.Module):
    """Features ``[N, C, h, w]`` and boxes ``[N, 4]`` of the first frame to a filter ``[1, C, kh, kw]``."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.initializer = network.classifier.filter_initializer

    def forward(self, features: Tensor, boxes: Tensor) -> Tensor:
        filters: Tensor = self.initializer(features, boxes)
        return filters


class _FilterStep(nn.Module):
    """A step of steepest descent, from a filter and N samples with weights ``[N]`` to a filter.

    Several steps are several calls: each correlates the samples with the filter anew, which is one product
    of three, and the backbone is what takes the time.
    """

    def __init__(self, network: Any, params: DiMPParams) -> None:
        super().__init__()
        self.optimizer = network.classifier.filter_optimizer
        self.options = DiMPClassifier(network, params).optimiser_options

    def forward(self, filter: Tensor, features: Tensor, boxes: Tensor, weights: Tensor) -> Tensor:
        found: Tensor = self.optimizer(
            filter,
            num_iter=1,
            feat=features,
            bb=boxes,
            sample_weight=weights,
            **self.options(features, boxes),
        )[0]
        return found


class _Scores(nn.Module):
    """A filter and features ``[N, C, h, w]`` to score maps ``[N, h', w']``."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.classifier = network.classifier

    def forward(self, filter: Tensor, features: Tensor) -> Tensor:
        scores: Tensor = self.classifier.classify(filter, features)
        return scores[:, 0]


class _BoxReference(nn.Module):
    """Box-branch maps of N crops and a box in each, ``[N, 4]``, to two modulation vectors ``[N, C]``."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.branch = network.bb_regressor

    def forward(self, fine: Tensor, coarse: Tensor, boxes: Tensor) -> tuple[Tensor, ...]:
        return tuple(vector.flatten(1) for vector in self.branch.get_modulation([fine, coarse], boxes))


class _BoxRefine(nn.Module):
    """The whole ascent of a target, unrolled: starts ``[1, S, 4]`` to boxes and scores ``[1, S, 5]``."""

    def __init__(self, network: Any, params: TrackingParams) -> None:
        super().__init__()
        self.branch, self.params = network.bb_regressor, params
        channels = [block[0].out_channels for block in (self.branch.conv3_2t, self.branch.conv4_2t)]
        self.head: BoxEnergy = fold_head(self.branch, [torch.ones(count) for count in channels])

    def forward(
        self, fine: Tensor, coarse: Tensor, modulation_fine: Tensor, modulation_coarse: Tensor, starts: Tensor
    ) -> Tensor:
        maps = self.branch.get_iou_feat([fine, coarse])
        vectors = (modulation_fine, modulation_coarse)
        modulated = [level * vector[:, :, None, None] for level, vector in zip(maps, vectors)]
        # Transposed inside the graph: a file need not hold the weights twice.
        levels = tuple(replace(each, pooled=RowProduct(each.hidden.weight.T)) for each in self.head.levels)
        return ascended(ImageEnergy(replace(self.head, levels=levels), modulated), starts, self.params)


def _filter_graphs(network: Any, params: TrackingParams) -> dict[str, Graph]:
    """What learns and applies DiMP's filter; ATOM's is fitted without a network."""
    if network.classifier.filter_optimizer is None:
        raise InputError(
            "The network has no filter optimiser; only trackers that learn their filter are exported."
        )
    assert isinstance(params, DiMPParams)
    step = ("filter", "features", "boxes", "weights")
    return {
        "filter_first": Graph(_FilterFirst(network), ("features", "boxes"), ("filter",)),
        "filter_step": Graph(_FilterStep(network, params), step, ("improved",), ("filter",)),
        "scores": Graph(_Scores(network), ("filter", "features"), ("scores",), ("filter",)),
    }


def graphs_of(network: Any, params: TrackingParams) -> dict[str, Graph]:
    """What is exported of a network, by the name of its file.

    Args:
        network: a DiMPnet, or for ATOM's parameters an ATOMnet, in evaluation mode.
        params: the parameters in force.

    Raises:
        InputError: if a part of it has a form that no graph is written of.
    """
    boxes = params.use_iou_net
    maps = ("fine", "coarse")
    features, graphs = (
        (ATOMFeatures(network, params), {})
        if isinstance(params, ATOMParams)
        else (network.extract_classification_feat, _filter_graphs(network, params))
    )
    outputs = ("features", *(maps if boxes else ()))
    graphs = {"backbone": Graph(_Backbone(network, features, boxes), ("images",), outputs), **graphs}
    if boxes:
        if not is_foldable(network.bb_regressor):
            raise InputError(
                "The head of the box branch is not two linear blocks with rectifiers and a linear layer: "
                "its gradient is not written in closed form here."
            )
        modulation = ("modulation_fine", "modulation_coarse")
        graphs["box_reference"] = Graph(_BoxReference(network), (*maps, "boxes"), modulation)
        graphs["box_refine"] = Graph(
            _BoxRefine(network, params), (*maps, *modulation, "starts"), ("rows",), single=True
        )
    return graphs
