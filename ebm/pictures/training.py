"""What happened while a density was fitted."""

from typing import TYPE_CHECKING

import numpy as np

from ebm.pictures.curves import Curves
from ebm.pictures.style import INK, OKABE_ITO, new_figure, plain_axes, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ebm.fitting import FittedEBM

__all__ = ["draw_history", "history_curves"]


def history_curves(fitted: "FittedEBM") -> Curves:
    """Training loss and held-out likelihood of every epoch.

    Returns:
        Columns ``epoch``, ``train_loss`` (in the unit of the loss), ``held_out_nll`` (nats), ``kept`` (1 at
        the epoch whose weights were kept).
    """
    history = fitted.history
    epochs = np.arange(len(history.held_out_nll), dtype=np.float64)
    losses = np.array(history.train_loss, dtype=np.float64)
    return Curves(
        {
            "epoch": epochs,
            # A correction is measured once before it is trained.
            "train_loss": np.concatenate((np.full(len(epochs) - len(losses), np.nan), losses)),
            "held_out_nll": np.array(history.held_out_nll, dtype=np.float64),
            "kept": (epochs == history.best_epoch).astype(np.float64),
        },
        {"loss": _loss(fitted), "members": str(fitted.config.members)},
    )


def _loss(fitted: "FittedEBM") -> str:
    """What was minimised."""
    model = fitted.config.model
    if model == "energy":
        return fitted.config.loss
    return "NCE of the correction" if model.endswith("energy") else f"NLL of {model}"


@styled
def draw_history(curves: Curves, axes: "Axes | None" = None) -> "Axes":
    """Draw the numbers of `history_curves`.

    Raises:
        MissingPackageError: if matplotlib is not installed.
    """
    if axes is None:
        axes = new_figure(6.0, 3.4).subplots()
    plain_axes(axes)
    epoch, nll = curves["epoch"], curves["held_out_nll"]
    lines = axes.plot(epoch, nll, color=OKABE_ITO["blue"], linewidth=1.4, label="held-out NLL (left)")
    other = axes.twinx()
    lines += other.plot(
        epoch,
        curves["train_loss"],
        color=OKABE_ITO["vermilion"],
        linewidth=1.1,
        linestyle=(0, (4, 2)),
        label=f"training loss, {curves.labels['loss']} (right)",
    )
    kept = curves["kept"] > 0
    if kept.any() and curves.labels["members"] == "1":  # each of several keeps an epoch of its own
        lines += axes.plot(
            epoch[kept], nll[kept], "o", color=INK, markersize=5, label=f"kept: epoch {epoch[kept][0]:.0f}"
        )
    other.tick_params(labelsize=8)
    other.spines["top"].set_visible(False)
    axes.set_xlabel("epoch")
    axes.set_ylabel("held-out NLL (nats)")
    other.set_ylabel("training loss")
    names = [str(line.get_label()) for line in lines]
    axes.legend(
        lines, names, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, frameon=False, fontsize=8
    )
    of = "" if curves.labels["members"] == "1" else f", means of {curves.labels['members']} members"
    axes.set_title(f"Training{of}", loc="left")
    return axes
