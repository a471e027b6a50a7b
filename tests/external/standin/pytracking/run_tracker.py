import argparse
import importlib
import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from ltr.dataset import Got10k
from pytracking.evaluation.local import local_env_settings


def run_tracker(tracker_name, tracker_param, frames=6):
    tracker_class = importlib.import_module(f"pytracking.tracker.{tracker_name}").get_tracker_class()
    params = importlib.import_module(f"pytracking.parameter.{tracker_name}.{tracker_param}").parameters()
    images, boxes = Got10k().get_frames(0, range(frames))
    tracker = tracker_class(params)
    tracker.initialize(images[0], {"init_bbox": boxes[0].tolist()})
    results = [{"target_bbox": boxes[0].tolist(), "slope": 0.0}] + [tracker.track(im) for im in images[1:]]
    folder = os.path.join(local_env_settings().results_path, tracker_name, tracker_param)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "generated.txt"), "w") as file:
        file.writelines(
            "\t".join(f"{v:.6f}" for v in [*r["target_bbox"], r["slope"]]) + "\n" for r in results
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("tracker_name")
    parser.add_argument("tracker_param")
    args = parser.parse_args()
    run_tracker(args.tracker_name, args.tracker_param)
