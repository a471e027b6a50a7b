"""Both at work in one process: the neighbour's import, a fit, and a video through the command."""

import importlib
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

import ebm

COMMAND = str(Path(sys.executable).parent / "ebmtrack")


def fit() -> None:
    """Fit, save, load and predict on a sine."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-3, 3, (500, 1))
    y = np.sin(x[:, 0]) + 0.1 * rng.standard_normal(500)
    fitted = ebm.fit(x, y, loss="nce+", epochs=20)
    with tempfile.TemporaryDirectory() as folder:
        fitted.save(Path(folder) / "sine.pt")
        loaded = ebm.load_fitted(Path(folder) / "sine.pt")
    predicted = float(loaded.predict([[1.5]])[0])
    if abs(predicted - np.sin(1.5)) > 0.15:
        sys.exit(f"ebm.fit predicts {predicted:.2f} for sin 1.5")
    print(f"ebm.fit: sin 1.5 = {predicted:.2f}")


def track() -> None:
    """Five frames through ``ebmtrack video first_box default``."""
    with tempfile.TemporaryDirectory() as folder:
        frames = Path(folder) / "frames"
        frames.mkdir()
        for index in range(5):
            image = np.full((60, 80, 3), 90, np.uint8)
            cv2.rectangle(image, (10 + index, 10), (25 + index, 30), (0, 0, 255), -1)
            cv2.imwrite(str(frames / f"{index:04}.jpg"), image)
        out, rows = Path(folder) / "out.mp4", Path(folder) / "out.csv"
        command = [COMMAND, "video", "first_box", "default", str(frames)]
        subprocess.run(
            [*command, "--box", "10,10,16,21", "--out", str(out), "--csv", str(rows)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        lines = rows.read_text(encoding="utf-8").splitlines()
        if sum(line[:1].isdigit() for line in lines) != 5 or not out.stat().st_size:
            sys.exit("the video's csv does not have five rows")
        print("ebmtrack video: 5 rows")


module = importlib.import_module(sys.argv[1].replace("-", "_"))
print(f"import {module.__name__}: {getattr(module, '__version__', 'imported')}; cv2 {cv2.__version__}")
fit()
track()
subprocess.run([COMMAND, "doctor"], check=True, stdout=subprocess.DEVNULL)
