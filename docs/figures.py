"""Draws the pictures of the documentation that no study makes: ``python docs/figures.py`` (needs matplotlib).

The data and the fit are those of the example on the first page.
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch

import ebm

mpl.use("Agg")
import matplotlib.pyplot as plt

IMAGES = Path(__file__).parent / "images"
SLICE = 1.5  # the input whose density the right panel shows


def two_branches() -> tuple[np.ndarray, np.ndarray]:
    """Inputs ``(2000, 1)`` and targets ``(2000,)`` on sin x (70 %) and -sin x."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-3, 3, (2000, 1))
    branch = np.where(rng.random(2000) < 0.7, 1, -1)
    return x, branch * np.sin(x[:, 0]) + 0.1 * rng.standard_normal(2000)


def draw_regression(path: Path) -> None:
    """Learned density over all inputs, and at one input beside the truth."""
    x, y = two_branches()
    fitted = ebm.fit(x, y, sigmas=(0.2, 2.0), epochs=30, progress=False)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(10, 3.8), width_ratios=(1.45, 1), layout="constrained"
    )
    inputs, targets = np.linspace(-3, 3, 300), np.linspace(-1.6, 1.6, 300)
    grid = torch.tensor(targets)[None, :, None].expand(len(inputs), -1, 1)
    density = fitted.density(inputs[:, None]).log_prob(grid).exp().numpy()
    image = left.pcolormesh(inputs, targets, density.T, cmap="Blues", vmax=4, rasterized=True)
    left.plot(x[::4, 0], y[::4], ".", color="black", markersize=1.5, label="a quarter of the data")
    left.axvline(SLICE, color="tab:red", linewidth=1)
    left.set(xlabel="x", ylabel="y", title="learned p(y | x)")
    left.legend(loc="upper left", fontsize=8)
    figure.colorbar(image, ax=left, extend="max")

    at = fitted.density([[SLICE]])
    learned = at.log_prob(grid[:1]).exp()[0].numpy()
    truth = sum(
        share * np.exp(-0.5 * ((targets - mean) / 0.1) ** 2) / (0.1 * np.sqrt(2 * np.pi))
        for share, mean in ((0.7, np.sin(SLICE)), (0.3, -np.sin(SLICE)))
    )
    right.plot(targets, truth, color="black", linewidth=1, label="truth")
    right.plot(targets, learned, color="tab:blue", label="learned")
    inside = at.credible_set(0.9).contains(grid[:1])[0].numpy()
    shade = {"color": "tab:blue", "alpha": 0.25, "label": "smallest set that holds 90 %"}
    right.fill_between(targets, learned, where=inside, **shade)
    right.errorbar(
        fitted.predict([[SLICE]]),
        -0.15,
        xerr=_reach(fitted),
        color="tab:red",
        fmt="o",
        capsize=4,
        markersize=4,
    )
    right.text(0, 0.06, "mean and 90 % interval", color="tab:red", ha="center", fontsize=8)
    right.set(xlabel="y", title=f"p(y | x = {SLICE})")
    right.legend(loc="upper left", fontsize=8)
    figure.savefig(path, dpi=110)


def _reach(fitted: ebm.FittedEBM) -> np.ndarray:
    """Distances of the interval's ends from the mean, ``(2, 1)``."""
    (low, high), mean = fitted.predict_interval([[SLICE]], 0.9)[0], fitted.predict([[SLICE]])[0]
    return np.array([[mean - low], [high - mean]])


if __name__ == "__main__":
    draw_regression(IMAGES / "regression_density.png")
