import argparse
import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from ltr.dataset import Generated
from pytracking.evaluation.data import Sequence
from pytracking.evaluation.running import run_dataset
from pytracking.evaluation.tracker import Tracker


def run_tracker(tracker_name, tracker_param, debug=0):
    images, boxes = Generated().get_frames(0, range(6))
    dataset = [Sequence("generated", images, "otb", [box.tolist() for box in boxes])]
    run_dataset(dataset, [Tracker(tracker_name, tracker_param)], debug)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("tracker_name")
    parser.add_argument("tracker_param")
    parser.add_argument("--debug", type=int, default=0)
    args = parser.parse_args()
    run_tracker(args.tracker_name, args.tracker_param, args.debug)
