"""Runs one of OpenCV's trackers; started by `real_sequences.py` in a Python that has opencv-contrib-python.

Reads ``{"tracker": "CSRT", "folder": ..., "videos": [{"name", "frames", "box"}]}`` from its input, writes the
boxes of every video into the folder and prints the seconds of processor time. Where the tracker reports no
target, its last box stands.
"""

import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np


def main() -> None:
    """Track every video on one thread."""
    job = json.load(sys.stdin)
    cv2.setNumThreads(1)
    began = time.process_time()
    for video in job["videos"]:
        tracker = getattr(cv2, f"Tracker{job['tracker']}").create()
        boxes = [video["box"]]
        for number, file in enumerate(video["frames"]):
            image = cv2.imread(file, cv2.IMREAD_COLOR)
            if number == 0:
                tracker.init(image, tuple(round(value) for value in video["box"]))
                continue
            found, box = tracker.update(image)
            boxes.append(box if found else boxes[-1])
        path = Path(job["folder"]) / f"{video['name']}.txt"
        np.savetxt(path, np.asarray(boxes, dtype=float), fmt="%.3f", delimiter=",")
    print(time.process_time() - began)


if __name__ == "__main__":
    main()
