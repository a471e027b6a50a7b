"""Where the numbers of a run go beside its history: CSV, TensorBoard, W&B, trackio, visdom."""

from ebm.sinks.base import Sink, SinkContext, Sinks
from ebm.sinks.requests import check_requests, open_sinks, places_of

__all__ = ["Sink", "SinkContext", "Sinks", "check_requests", "open_sinks", "places_of"]
