"""A network that runs in ONNX Runtime: what the trackers ask of a network, with numpy's arrays."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebm.exceptions import InputError
from ebm.extras import explain_missing
from ebm.threads import core_limit, threads_for
from pytracking.exported.folder import ExportedFolder

__all__ = ["ExportedNetwork"]

Array = NDArray[np.float32]


class ExportedNetwork:
    """The graphs of a folder, under the names that a network of the tracker has for its parts.

    Args:
        folder: the exported tracker.
        threads: of ONNX Runtime; 0 means as many as the network can use.

    Raises:
        MissingPackageError: without onnxruntime.
        InputError: if it cannot load a graph.
    """

    info = None  # the geometry that the checkpoint states is part of the exported parameters
    no_density = (
        "An exported tracker gives boxes, not densities over boxes; load the checkpoint itself for these "
        "(engine='torch')."
    )

    def __init__(self, folder: ExportedFolder, threads: int = 0) -> None:
        self.threads = threads or threads_for(folder.learned, core_limit())
        self._graphs = {name: _Graph(file, self.threads) for name, file in folder.graphs.items()}
        if folder.filter_size is not None:
            self.classifier = _Classifier(self._graphs, folder.filter_size, folder.softmax_reg)
        self.bb_regressor = _BoxBranch(self._graphs)

    def extract_backbone_features(self, images: Array) -> dict[str, Array]:
        """The backbone's maps by name, ``[N, C, h, w]``, of RGB in 0..255 ``[N, h, w, 3]``."""
        return self._graphs["backbone"].named(images)

    def extract_classification_feat(self, maps: dict[str, Array]) -> Array:
        """The classifier's features, which the backbone's graph gives as well."""
        return maps["features"]

    def get_backbone_bbreg_feat(self, maps: dict[str, Array]) -> list[Array]:
        """What the box branch reads, the finer level first."""
        return [maps["fine"], maps["coarse"]]


class _Graph:
    """A graph, called with its inputs in order."""

    def __init__(self, file: Path, threads: int) -> None:
        if importlib.util.find_spec("onnxruntime") is None:
            raise explain_missing("engine='onnx'", "onnxruntime")
        import onnxruntime  # type: ignore[import-untyped, import-not-found, unused-ignore]

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # errors
        # Threads that wait must not take the time of those that work.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                str(file), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its classes have no base but this
            raise InputError(
                f"onnxruntime {onnxruntime.__version__} cannot load {file}: {str(error).splitlines()[0]} "
                "Export the tracker again, or install another version."
            ) from error
        self.inputs = [entry.name for entry in self._session.get_inputs()]
        self.outputs = [entry.name for entry in self._session.get_outputs()]

    def __call__(self, *values: Array) -> list[Array]:
        fed = {name: np.ascontiguousarray(value, np.float32) for name, value in zip(self.inputs, values)}
        found: list[Array] = self._session.run(None, fed)
        return found

    def named(self, *values: Array) -> dict[str, Array]:
        return dict(zip(self.outputs, self(*values)))


class _FilterOptimizer:
    """So many steps on the filter."""

    def __init__(self, graphs: dict[str, _Graph], softmax_reg: float | None) -> None:
        self._graphs, self.softmax_reg = graphs, softmax_reg

    def __call__(
        self, weights: Array, *, num_iter: int, feat: Array, bb: Array, sample_weight: Array, **_: Any
    ) -> list[Array]:
        for _step in range(num_iter):
            (weights,) = self._graphs["filter_step"](weights, feat, bb, sample_weight)
        return [weights]


class _Classifier:
    """The target classifier."""

    def __init__(
        self, graphs: dict[str, _Graph], filter_size: tuple[int, int], softmax_reg: float | None
    ) -> None:
        self._graphs = graphs
        self.filter_size = filter_size
        self.filter_optimizer = _FilterOptimizer(graphs, softmax_reg)

    def get_filter(self, feat: Array, bb: Array, *, num_iter: int, **_: Any) -> list[Array]:
        (first,) = self._graphs["filter_first"](feat, bb)
        equal = np.full(len(feat), 1 / len(feat), np.float32)
        return self.filter_optimizer(first, num_iter=num_iter, feat=feat, bb=bb, sample_weight=equal)

    def classify(self, weights: Array, feat: Array) -> Array:
        (scores,) = self._graphs["scores"](weights, feat)
        return scores


class _BoxBranch:
    """The box branch, which makes its ascent itself."""

    def __init__(self, graphs: dict[str, _Graph]) -> None:
        self._graphs = graphs

    def get_modulation(self, feat: list[Array], bb: Array) -> list[Array]:
        return self._graphs["box_reference"](*feat, bb)

    def ascend(self, feat: list[Array], modulation: list[Array], starts: Array) -> Array:
        """One target after the other: the graph takes one."""
        graph, inputs = self._graphs["box_refine"], (*feat, *modulation, starts)
        return np.concatenate([graph(*(each[t : t + 1] for each in inputs))[0] for t in range(len(starts))])
