"""Write a tracker as a folder of ONNX graphs, each compared with torch before the folder is there."""

import contextlib
import hashlib
import importlib.util
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ebm.exceptions import InputError
from ebm.extras import explain_missing
from ebm.input_statistics import input_statistics
from ebm.integrity.json_files import write_sealed_json
from pytracking.exported.folder import read_folder
from pytracking.exported.graphs import Graph, graphs_of
from pytracking.exported.names import DESCRIPTION, FORMAT, OPSET, file_name
from pytracking.exported.network import ExportedNetwork
from pytracking.exported.samples import sample_inputs
from pytracking.exported.tidy import tidy
from pytracking.exported.values import as_values
from pytracking.parameter.dimp_params import DiMPParams
from pytracking.parameter.tracking_params import TrackingParams
from pytracking.tracker.common.network_info import adopt_geometry

__all__ = ["Written", "compared", "exported_graph", "require_exportable", "write_tracker"]

MODULES = ("onnx", "onnxscript", "onnxruntime")
# By how much a graph may differ from torch, relative to the largest value: sums of float32 in another order.
AGREEMENT = 1e-3


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was written of one graph: its file, its size, and how far it is from torch at most."""

    name: str
    size: int
    difference: float
    largest: float

    def __str__(self) -> str:
        return (
            f"{file_name(self.name):<22} {self.size / 2**20:8.2f} MiB   largest difference "
            f"{self.difference:.1e} of {self.largest:.3g}"
        )


def require_exportable(tracker: str, params: object) -> TrackingParams:
    """The parameter set, if trackers of its kind are exported.

    Raises:
        InputError: naming the tracker, and why not.
        MissingPackageError: without the extra ``onnx``.
    """
    if not isinstance(params, TrackingParams):
        raise InputError(
            f"Tracker {tracker} cannot be exported: it has no network. Parameter sets of dimp and atom can."
        )
    missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise explain_missing("ONNX files", *missing)
    return params


def write_tracker(
    folder: Path,
    network: Any,
    params: TrackingParams,
    *,
    tracker: str,
    parameter: str,
    source: Mapping[str, Any],
    say: Callable[[Written], object] = lambda written: None,
) -> list[Written]:
    """Write the graphs of a tracker and their description, and load them as a tracker would.

    Args:
        folder: an empty one.
        network: a DiMPnet or an ATOMnet, on the CPU.
        params: the parameter set; what the network states about itself takes its place.
        tracker: whose it is.
        parameter: its name.
        source: what is said about the checkpoint; ``source`` names it.
        say: told of each graph once it is written.

    Raises:
        InputError: if a part cannot be exported, or does not agree with torch.
    """
    network = network.cpu().eval().requires_grad_(False)
    params, _ = adopt_geometry(params, getattr(network, "info", None))
    entries, written = {}, []
    with torch.inference_mode(False), torch.no_grad():
        graphs = graphs_of(network, params)
        samples = sample_inputs(graphs, params)
        for name, graph in graphs.items():
            content = exported_graph(name, graph, samples[name][0])
            result = compared(name, graph, samples[name], content)
            (folder / file_name(name)).write_bytes(content)
            entries[name] = {
                "file": file_name(name),
                "sha256": hashlib.sha256(content).hexdigest(),
                "inputs": {n: _shape(t, n, graph) for n, t in zip(graph.inputs, samples[name][0])},
                "outputs": list(graph.outputs),
                "difference": result.difference,
            }
            written.append(result)
            say(result)
    about = {"tracker": tracker, "parameter": parameter, "graphs": entries, **_about(network, params, source)}
    write_sealed_json(folder / DESCRIPTION, about)
    ExportedNetwork(read_folder(folder))  # what cannot be loaded must not replace what can
    return written


def _about(network: Any, params: TrackingParams, source: Mapping[str, Any]) -> dict[str, Any]:
    """What a tracker needs to know beside its graphs, and where they come from."""
    mean, std = input_statistics(network)
    classifier = _about_classifier(network.classifier) if isinstance(params, DiMPParams) else {}
    return {
        "format": FORMAT,
        "opset": OPSET,
        "parameters": as_values(params),
        **classifier,
        "images": {
            "layout": "N, height, width, channels",
            "channels": "RGB, float32, 0 to 255",
            "normalised_inside": {"mean": list(mean), "std": list(std), "of": "channels / 255"},
        },
        "network": {**source, "parameters": sum(p.numel() for p in network.parameters())},
        "versions": {name: _version(name) for name in ("ebmtrack", "torch", *MODULES)},
    }


def _about_classifier(classifier: Any) -> dict[str, Any]:
    size = classifier.filter_size
    return {
        "filter_size": [size, size] if isinstance(size, int) else list(size),
        "softmax_reg": getattr(classifier.filter_optimizer, "softmax_reg", None),
    }


def _version(package: str) -> str:
    """Its version; a clone that is only on the path has none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _shape(tensor: Tensor, name: str, graph: Graph) -> list[int | str]:
    """The shape of an input; N stands for any number."""
    sizes: list[int | str] = list(tensor.shape)
    return ["N", *sizes[1:]] if graph.is_free(name) else sizes


def exported_graph(name: str, graph: Graph, inputs: Sequence[Tensor]) -> bytes:
    """The content of a graph's file.

    Raises:
        InputError: if torch cannot write it.
    """
    from onnxscript import opset20 as op  # type: ignore[import-untyped, import-not-found, unused-ignore]

    def hypot(x: Any, y: Any) -> Any:
        return op.Sqrt(op.Add(op.Mul(x, x), op.Mul(y, y)))

    free = torch.export.Dim.DYNAMIC
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                graph.module.eval(),
                tuple(inputs),
                dynamo=True,
                opset_version=OPSET,
                input_names=graph.inputs,
                output_names=graph.outputs,
                dynamic_shapes=tuple({0: free} if graph.is_free(n) else {} for n in graph.inputs),
                custom_translation_table={torch.ops.prims.hypot.default: hypot},  # ONNX has none
                verbose=False,
            )
    except Exception as error:  # whatever an exporter raises about a network of the user's
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"The graph {name} cannot be written as ONNX: {first}") from error
    if program is None:
        raise InputError(f"The graph {name} cannot be written as ONNX: torch's exporter returned nothing.")
    model = program.model_proto
    tidy(model.graph)
    content: bytes = model.SerializeToString()
    return content


def compared(name: str, graph: Graph, batches: Sequence[Sequence[Tensor]], content: bytes) -> Written:
    """How far the graph is from torch, on inputs of two different numbers.

    Raises:
        InputError: if that is too far.
    """
    import onnxruntime  # type: ignore[import-untyped, import-not-found, unused-ignore]

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    difference = largest = 0.0
    for inputs in batches:
        found = session.run(None, {n: t.numpy() for n, t in zip(graph.inputs, inputs)})
        expected = graph.module(*inputs)
        for got, wanted in zip(found, expected if isinstance(expected, tuple) else (expected,), strict=True):
            away, top = float(np.abs(got - wanted.numpy()).max()), float(wanted.abs().max())
            if not away <= AGREEMENT * (1 + top):
                raise InputError(
                    f"The graph {name} is {away:.3g} away from torch, the largest value being {top:.3g}; no "
                    "folder was written."
                )
            difference, largest = max(difference, away), max(largest, top)
    return Written(name=name, size=len(content), difference=difference, largest=largest)
