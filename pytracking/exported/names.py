"""Names inside the folder of an exported tracker, which its writer and its reader share."""

__all__ = ["BOX_GRAPHS", "DESCRIPTION", "FORMAT", "GRAPHS", "OPSET", "file_name"]

FORMAT = "ebmtrack tracker 1"
DESCRIPTION = "tracker.json"
OPSET = 20
GRAPHS = {  # by tracker: ATOM fits its filter without a network
    "dimp": ("backbone", "filter_first", "filter_step", "scores"),
    "atom": ("backbone",),
}
BOX_GRAPHS = ("box_reference", "box_refine")  # of parameter sets that refine boxes


def file_name(graph: str) -> str:
    """The file of a graph."""
    return f"{graph}.onnx"
