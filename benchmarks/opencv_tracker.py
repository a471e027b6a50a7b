"""Runs one of OpenCV's trackers; started by `real_sequences.py` in a Python that has opencv-contrib-python.

Reads ``{"tracker": "CSRT", "folder": ..., "videos": [{"name", "frames", "box"}]}`` from its input, writes
boxes and seconds of every video into the folder. Where the tracker reports no target, its last box stands.
"""

import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np


def main() -> None:
    """Track every video on one thread; decoding is not timed."""
    job = json.load(sys.stdin)
    cv2.setNumThreads(1)
    for video in job["videos"]:
        tracker = getattr(cv2, f"Tracker{job['tracker']}").create()
        boxes, seconds = [video["box"]], []
        for number, file in enumerate(video["frames"]):
            image = cv2.imread(file, cv2.IMREAD_COLOR)
            began = time.perf_counter()
            if number == 0:
                tracker.init(image, tuple(round(value) for value in video["box"]))
            else:
                found, box = tracker.update(image)
                boxes.append(box if found else boxes[-1])
            seconds.append(time.perf_counter() - began)
        folder, name = Path(job["folder"]), video["name"]
        np.savetxt(folder / f"{name}_time.txt", seconds, fmt="%.6f")
        np.savetxt(folder / f"{name}.txt", np.asarray(boxes, dtype=float), fmt="%.3f", delimiter=",")


if __name__ == "__main__":
    main()
