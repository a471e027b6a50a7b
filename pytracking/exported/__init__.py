"""Trackers as folders of ONNX graphs: written with torch, run without it."""
