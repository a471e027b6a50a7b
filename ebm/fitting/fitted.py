"""A fitted conditional density: predictions, intervals, densities, samples."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ebm.density import GridDensity, ImportanceDensity
from ebm.density.integers import IntegerDensity
from ebm.devices import usable_device
from ebm.exceptions import InputError
from ebm.fitting.answers import Block
from ebm.fitting.base import PointPredictor, predicted
from ebm.fitting.config import FitConfig
from ebm.fitting.conformal import Calibration
from ebm.fitting.data import Scaling
from ebm.fitting.density import climb, raw_density, rows_at_a_time, warn_doubtful
from ebm.fitting.guarantees import Guarantees
from ebm.fitting.loop import History
from ebm.fitting.members import MemberMixture, Spread
from ebm.fitting.network import Network
from ebm.fitting.seen import Seen
from ebm.models import map_tensors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ebm.interop import DensityDistribution
    from ebm.pictures import Report
    from ebm.scores import Evaluation
    from ebm.scores.tables import Table

__all__ = ["FittedEBM"]


@dataclass
class _Kept:
    """Rows and their densities, block by block; none yet."""

    rows: Tensor | None = None
    blocks: list[Block] = field(default_factory=list)


class FittedEBM(Guarantees, Seen):
    """p(y|x) as `ebm.fit` returns it and `ebm.load_fitted` reads it.

    What it is asked is in `ebm.fitting.answers.Answers`, `ebm.fitting.guarantees.Guarantees` and
    `ebm.fitting.seen.Seen`.

    Args:
        model: network on standardised inputs and targets, or several.
        scaling: between these and raw ones.
        config: what it was fitted with.
        loss_options: numbers of the loss.
        history: what happened while it was trained.
        own_features: whether the feature network is the user's own.
        calibration: see `Guarantees`.
        base: the user's predictor, whose errors the density is one of; None where there is none.
    """

    _kept: _Kept | None = None  # of what `once` returns

    def __init__(
        self,
        model: Network | MemberMixture,
        scaling: Scaling,
        config: FitConfig,
        loss_options: dict[str, Any],
        history: History,
        *,
        own_features: bool = False,
        calibration: Calibration | None = None,
        base: PointPredictor | None = None,
    ) -> None:
        self.model, self.scaling, self.config = model.eval(), scaling, config
        self.loss_options, self.history, self.own_features = loss_options, history, own_features
        self.calibration, self.base = calibration, base

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.model.parameters()).device

    def to(self, device: str | torch.device) -> "FittedEBM":
        """Move the network; returns itself.

        Raises:
            InputError: if the device cannot be used.
        """
        self.model.to(usable_device(device))
        return self

    def once(self) -> "FittedEBM":
        """This density, which computes those of the rows that it is asked about first only once.

        They are held in memory, all of them, for as long as what this returns lives.
        """
        copied = copy.copy(self)
        copied._kept = _Kept()
        return copied

    def density(self, x: Any) -> GridDensity | ImportanceDensity:
        """The whole density of every row, over raw targets ``(N, D)``.

        For up to three targets it is a `GridDensity` over each row's own mass (1024, 65 x 65 or 29 x 29 x 29
        points), for more an `ImportanceDensity` of 4096 samples; both hold all rows in memory. Targets that
        they take and return are ``(N, D)`` tensors on `device`, in float64.

        Raises:
            ShapeError: if the rows are not those of the fit.
            DomainError: if an entry is NaN or infinite.
        """
        block, doubtful = self._block(self.scaling.rows(x))
        warn_doubtful(doubtful, self.target_dim)
        return block.density

    def distribution(self, x: Any) -> "DensityDistribution":
        """`density` as a `torch.distributions.Distribution`, see `ebm.interop.to_distribution`."""
        from ebm.interop import to_distribution

        return to_distribution(self.density(x))

    def evaluate(self, x: Any, y: Any, **options: Any) -> "Evaluation":
        """Every score of `ebm.scores` on labelled rows, beside that of the marginal; prints as a table.

        Args:
            x: inputs ``(N, F)``.
            y: targets ``(N,)`` or ``(N, D)``.
            **options: of `ebm.scores.evaluate`, such as ``marginal=`` targets of the training rows.

        Raises:
            ShapeError: if the rows are not those of the fit.
            DomainError: if an entry is NaN or infinite.
        """
        from ebm.scores import evaluate

        rows, targets = self._pair(x, y)
        options.setdefault("names", self.scaling.y_names)
        densities = [block.density for block in self._blocks(rows)]
        return evaluate(densities, targets.to(self.device), **options)

    def spread(self, x: Any) -> Spread:
        """How far the members agree, row by row.

        Args:
            x: inputs ``(N, F)``.

        Raises:
            InputError: if there is one member alone.
            ShapeError: if the rows are not those of the fit.
            DomainError: if an entry is NaN or infinite.
        """
        rows = self.scaling.rows(x)
        if not isinstance(self.model, MemberMixture):
            raise InputError("one network has nobody to disagree with; fit with members=4.")
        blocks = [self.model.spread(block.features) for block in self._blocks(rows)]
        return Spread(*(self._shaped(torch.cat(part), x) for part in zip(*blocks)))

    def save(self, path: str | Path) -> None:
        """Write everything to one file that `ebm.load_fitted` reads; whole or not at all.

        Raises:
            InputError: if the file cannot be written.
        """
        from ebm.fitting.files import save_fitted

        save_fitted(self, Path(path))

    def plot(self, x: Any = None, y: Any = None, *, kind: str = "density", **options: Any) -> "Axes":
        """Draw a picture with matplotlib; no display is needed.

        Args:
            x: inputs ``(N, F)``; of a history none.
            y: targets; "reliability", "pit" and "calibration" need them, "density" and "fan" mark them.
            kind: "density" (of a few rows), "fan" (median and intervals), "reliability", "pit", "calibration"
                (reliability before and after) or "history" (of training).
            **options: ``csv``, a file for the numbers; ``axes``, where to draw; those of the picture, see
                `ebm.pictures`.

        Returns: the axes; ``axes.figure.savefig("name.png")`` writes them.

        Raises:
            UnknownNameError: (a ValueError) for another kind.
            InputError: if inputs or targets are missing, or a file cannot be written.
            MissingPackageError: if matplotlib is not installed (extra ``eval``).
        """
        from ebm.pictures import plot

        return plot(self, x, y, kind=kind, **options)

    def summary(self, x: Any, *, level: float = 0.9, within: Any = None, most: int = 20) -> "Table":
        """A table of the first rows: mean, median, interval, and which inputs lie beyond what the fit saw.

        Args and errors as `ebm.pictures.summary.summary`.
        """
        from ebm.pictures.summary import summary

        return summary(self, x, level=level, within=within, most=most)

    def report(self, x: Any, y: Any, path: str | Path, **options: Any) -> "Report":
        """Write one HTML page about rows that neither the fit nor its calibration saw; it needs no network.

        It holds a verdict in words, all scores, pictures with their numbers, coverage by place, warnings and
        what was fitted.

        Args:
            x: inputs ``(N, F)``.
            y: targets ``(N,)`` or ``(N, D)``.
            path: of the page.
            **options: of `ebm.pictures.make_report`, such as ``marginal``, the targets of the training rows.

        Returns: what is on the page.

        Raises:
            InputError: if the file cannot be written.
            MissingPackageError: if matplotlib is not installed (extra ``eval``).
        """
        from ebm.pictures import write_report

        return write_report(self, x, y, path, **options)

    def __repr__(self) -> str:
        nll = (
            self.history.held_out_nll[self.history.best_epoch] if self.history.held_out_nll else float("nan")
        )
        config = self.config
        kind = f"loss={config.loss!r}" if config.model == "energy" else f"model={config.model!r}"
        return (
            f"FittedEBM({kind}, x={self.scaling.x_shape}, D={self.target_dim}, "
            f"held-out NLL {nll:.4g} after epoch {self.history.best_epoch})"
        )

    def _features(self, rows: Tensor, centres: Tensor | None) -> Any:
        """What the network makes of raw rows and of the base's predictions for them ``(B, D)``."""
        rows = rows if centres is None else torch.cat((rows, centres), 1)
        with torch.no_grad():
            if len(rows):
                return self.model.extract(self.scaling.inputs(rows, self.device))
            # A feature network of the user's own need not know what to do with an empty batch.
            one = self.model.extract(torch.zeros(1, *rows.shape[1:], device=self.device))
            return map_tensors(lambda tensor: tensor[:0], one)

    def _block(self, rows: Tensor) -> tuple[Block, Tensor]:
        """Densities of raw rows, and which of them are doubtful ``(B,)``."""
        centres = None if self.base is None else predicted(self.base, rows, self.target_dim)
        features = self._features(rows, centres)
        scaling = self.scaling.around(None if centres is None else centres.to(self.device))
        density, doubtful = raw_density(self.model, features, scaling)
        return Block(density, features, scaling), doubtful

    def _blocks(self, rows: Tensor) -> Iterator[Block]:
        """See `Answers`; doubtful densities are named when all are done."""
        kept = self._kept
        if kept is not None and kept.rows is not None and torch.equal(kept.rows, rows):
            yield from kept.blocks
            return
        doubtful, blocks = [], []
        for some in rows.split(rows_at_a_time(self.target_dim)):
            block, doubts = self._block(some)
            doubtful.append(doubts)
            if kept is not None and kept.rows is None:
                blocks.append(block)
            yield block
        if kept is not None and kept.rows is None:
            kept.rows, kept.blocks = rows, blocks
        warn_doubtful(torch.cat(doubtful), self.target_dim)

    def _mode(self, block: Block) -> Tensor:
        if isinstance(block.density, IntegerDensity):
            return block.density.mode()
        start = block.scaling.standardised(block.density.mode()[:, None]).float()
        return block.scaling.raw(climb(self.model, block.features, self.scaling, start).double()[:, None])[
            :, 0
        ]
