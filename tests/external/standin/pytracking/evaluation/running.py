"""Sequences times trackers; what fails is printed and skipped."""

import os


def run_sequence(seq, tracker, debug=False, visdom_info=None):
    if debug:
        results = tracker.run_sequence(seq, debug=debug)
    else:
        try:
            results = tracker.run_sequence(seq, debug=debug)
        except Exception as error:  # noqa: BLE001
            print(error)
            return
    os.makedirs(tracker.results_dir, exist_ok=True)
    with open(os.path.join(tracker.results_dir, f"{seq.name}.txt"), "w") as file:
        file.writelines(
            "\t".join(f"{v:.6f}" for v in [*r["target_bbox"], r["slope"]]) + "\n" for r in results
        )


def run_dataset(dataset, trackers, debug=False, threads=0, visdom_info=None):
    for seq in dataset:
        for tracker in trackers:
            run_sequence(seq, tracker, debug=debug)
    print("Done")
