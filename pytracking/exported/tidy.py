"""What is changed in a graph that torch's exporter wrote, before it goes into a file."""

from collections.abc import Iterator
from typing import Any

__all__ = ["tidy"]


def tidy(graph: Any) -> None:
    """Sum up in double precision, and take out what names the machine that wrote it.

    ONNX Runtime adds up float32 one by one, torch in pairs. Steps on the filter amplify the difference: after
    ten of them it is some ten times as large as with sums in double, which are as close as torch's.

    Args:
        graph: an ``onnx.GraphProto``, changed in place.
    """
    nodes = [node for each in graph.node for node in _in_double(each)]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]  # the types inside; they are found anew
    for item in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        item.ClearField("metadata_props")  # lines of source files: most of a small graph
        item.ClearField("doc_string")


def _in_double(node: Any) -> Iterator[Any]:
    """A node; a sum with a cast before and behind."""
    from onnx import TensorProto, helper  # type: ignore[import-untyped, import-not-found, unused-ignore]

    if node.op_type != "ReduceSum":
        yield node
        return
    given, found = node.input[0], node.output[0]
    wide, total = f"{found}_terms", f"{found}_total"
    yield helper.make_node("Cast", [given], [wide], to=TensorProto.DOUBLE)
    node.input[0], node.output[0] = wide, total
    yield node
    yield helper.make_node("Cast", [total], [found], to=TensorProto.FLOAT)
