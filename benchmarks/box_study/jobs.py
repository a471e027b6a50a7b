"""Carries out the runs of the study in several processes of one thread each."""

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

from box_study.plan import Run
from box_study.rows import Row, Store
from box_study.training import Workplace, train_start

__all__ = ["carry_out", "execute"]


def execute(run: Run, place: Workplace) -> Row:
    """Train, choose the step length, measure."""
    from box_study.measure import best_step_length, measure_overlap, track
    from box_study.training import train_run

    began = time.process_time()
    net, stats = train_run(run, place)
    step_length = best_step_length(net, place)
    overlap = measure_overlap(net, place, step_length)
    scores = track(net, run.name, place, step_length)
    return Row(
        loss=run.loss,
        noise=run.noise,
        seed=run.seed,
        trained=run.trained,
        change=run.change,
        samples=place.budget.samples,
        start_samples=place.budget.start_samples,
        step_length=step_length,
        iou_start=overlap.start,
        iou=overlap.refined,
        good=overlap.good,
        auc=scores["auc"],
        op50=scores["op50"],
        op75=scores["op75"],
        training_loss=stats["Loss/iou" if run.loss == "iou" else "Loss/bb_ce"],
        seconds=time.process_time() - began,
    )


def _one_thread() -> None:
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def _draw_data(place: Workplace) -> None:
    """Everything that is generated, once, before several processes want it at the same time."""
    from box_study.measure import draw_videos

    place.training_data()
    draw_videos(place)


def carry_out(
    runs: Sequence[Run], place: Workplace, store: Store[Row], processes: int, say: Callable[[str], None]
) -> None:
    """Do the runs that have no row in `store` yet, and add each one's row as it ends.

    Args:
        runs: what to do, in this order.
        place: folder and budget.
        store: where the rows go.
        processes: single-threaded processes.
        say: prints a line.
    """
    todo = store.missing(runs)
    say(f"{len(todo)} of {len(runs)} runs to do, {processes} processes, {place.folder}")
    if not todo:
        return
    # Must be set before torch loads its thread pool in the processes that are started.
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_one_thread) as pool:
        pool.submit(_draw_data, place).result()
        for seed, path in zip(
            dict.fromkeys(run.seed for run in todo),
            pool.map(train_start, dict.fromkeys(run.seed for run in todo), [place] * len(todo)),
        ):
            say(f"start of seed {seed}: {path}")
        waiting = {pool.submit(execute, run, place): run for run in todo}
        for number, future in enumerate(as_completed(waiting), start=1):
            row = future.result()
            store.add(row)
            say(
                f"{number}/{len(todo)} {waiting[future].name}: IoU {row.iou_start:.3f} -> {row.iou:.3f}, "
                f"AUC {row.auc:.1f}, step {row.step_length:g}, {row.seconds:.0f} s"
            )
