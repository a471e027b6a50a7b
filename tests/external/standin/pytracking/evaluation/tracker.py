"""A tracker on a sequence."""

import importlib
import os

from pytracking.evaluation.environment import env_settings


class Tracker:
    def __init__(self, name, parameter_name, run_id=None):
        self.name, self.parameter_name, self.run_id = name, parameter_name, run_id
        self.results_dir = os.path.join(env_settings().results_path, name, parameter_name)
        self.segmentation_dir = os.path.join(env_settings().results_path, "masks", name, parameter_name)

    def run_sequence(self, seq, debug=None):
        tracker_class = importlib.import_module(f"pytracking.tracker.{self.name}").get_tracker_class()
        parameters = importlib.import_module(f"pytracking.parameter.{self.name}.{self.parameter_name}")
        tracker = tracker_class(parameters.parameters())
        tracker.initialize(seq.frames[0], {"init_bbox": seq.ground_truth_rect[0]})
        first = {"target_bbox": seq.ground_truth_rect[0], "slope": 0.0}
        return [first] + [tracker.track(image) for image in seq.frames[1:]]
