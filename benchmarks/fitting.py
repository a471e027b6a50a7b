"""Time and memory of `ebm.fit` and its answers, beside a mixture network of the same size.

Run: ``OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE python benchmarks/fitting.py [--rows 1000 100000]``.

Every line is a process of its own. Seconds are of the processor; those for answers are of `predict_interval`
and `log_prob` of as many rows as were fitted. Memory is what the process took at most beyond its imports and
its table. The baseline of every ratio is the mixture of four Gaussians, ``model="mdn-4"``, on as many rows.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np

BASELINE = "mdn-4"
MODELS = (BASELINE, "energy", "mdn-4+energy", "energy, 4 members")
TEST_ROWS = 5000


def rows(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Ten inputs, five of which matter, and a noise that grows with the first."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(size=(count, 10))
    mean = np.sin(np.pi * x[:, 0] * x[:, 1]) + 2 * (x[:, 2] - 0.5) ** 2 + x[:, 3] + 0.5 * x[:, 4]
    return x, mean + (0.1 + 0.3 * x[:, 0]) * rng.standard_normal(count)


def peak_mb() -> float:
    """Most memory that this process held so far, MB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def measure(model: str, count: int) -> dict[str, Any]:
    """One fit and its answers."""
    import ebm

    name, _, members = model.partition(", ")
    x, y = rows(count, 0)
    test = rows(TEST_ROWS, 1)
    ebm.fit(x[:64], y[:64], epochs=1, progress=False).predict_interval(x[:2])  # imports what is imported late
    before, start = peak_mb(), time.process_time()
    fitted = ebm.fit(x, y, model=name, members=int(members[0]) if members else 1, progress=False)
    fit = time.process_time() - start
    fit_mb, start = peak_mb() - before, time.process_time()
    fitted.predict_interval(x)
    fitted.log_prob(x, y)
    answers = time.process_time() - start
    return {
        "fit": fit,
        "fit_mb": fit_mb,
        "answers": answers,
        "answers_mb": peak_mb() - before,
        "epochs": len(fitted.history.train_loss),
        "nll": -float(np.mean(fitted.log_prob(*test))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(measure(args.child[0], int(args.child[1]))))
        return
    head = (
        "   rows  model                  fit s  ratio  epochs  answers s  ratio  fit MB  answers MB  test NLL"
    )
    print(head)
    for count in args.rows:
        baseline: dict[str, Any] | None = None
        for model in args.models:
            command = [sys.executable, "-W", "ignore", __file__, "--child", model, str(count)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout)
            baseline = baseline or found
            fit, answers = (found[name] / baseline[name] for name in ("fit", "answers"))
            print(
                f"{count:7d}  {model:20s} {found['fit']:7.1f} {fit:6.2f} {found['epochs']:7d} "
                f"{found['answers']:10.2f} {answers:6.2f} {found['fit_mb']:7.0f} {found['answers_mb']:11.0f} "
                f"{found['nll']:8.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
