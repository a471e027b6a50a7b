"""What can be chosen when a conditional density is fitted, with one default each."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from ebm.checks import require_count, require_from_zero, require_positive
from ebm.exceptions import DomainError, InputError
from ebm.lookup import unknown_name
from ebm.numbers import plain_fields, require_number, require_truth

__all__ = ["FitConfig", "TableOptions"]

# Densities in closed form beside the energy, see `ebm.baselines`.
_CLOSED = ("gaussian", "laplace", "mdn-2", "mdn-4", "mdn-8")
MODEL_NAMES = ("auto", "energy", *_CLOSED, "quantile", *(f"{name}+energy" for name in _CLOSED))
# The likelihood itself, by quadrature, of one target: no loss of samples, and what censored targets take.
GRID_LOSS = "ml-grid"
LOSS_NAMES = ("cnce", "dsm", "kld-is", "ml-is", "ml-mcmc", "nce", "nce+", "sm")


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """Network, budget and stopping rule of `ebm.fit`.

    Attributes:
        loss: "nce+" (default), "nce", "cnce", "ml-is", "kld-is", "ml-mcmc", "dsm" or "sm"; or "ml-grid", the
            likelihood by quadrature, of one target on the line, which censored targets are always fitted by.
        model: "energy", or a density in closed form, trained by its own likelihood, for comparison:
            "gaussian", "laplace", or a mixture of 2, 4 or 8 Gaussians, such as "mdn-4". With
            "+energy" behind it, "mdn-4+energy" say, an energy then corrects it, by NCE whose noise it is: the
            surest choice for several targets. "quantile" is trained by the pinball loss of 23 quantiles, of
            each target by itself; its density is `ebm.baselines.quantile_density.QuantileDensity`. `loss` is
            that of "energy" alone. "auto" (default) is "energy" for one target or where a loss is chosen, and
            "mdn-4+energy" for several.
        hidden: layer sizes of the network on the input; the layers for the target and the joint ones have
            the size of the last entry.
        epochs: most passes over the training rows; the learning rate falls to 0 along half a cosine.
        batch_size: rows per step; None is a sixteenth of the rows, but 8 at least and 64 at most; from 4,096
            rows on a sixty-fourth, 256 at most.
        learning_rate: of AdamW, at the start.
        weight_decay: of AdamW, on weight matrices only.
        validation: share of the rows held out for early stopping, in (0, 1).
        patience: epochs without a better held-out NLL after which training goes back to the best weights and
            ends, over as many epochs with a falling learning rate.
        members: networks whose densities are averaged, each with other rows held out and other initial
            weights; the surest way to better densities, at a cost that grows more slowly than their number.
        seed: of the split, the initial weights, the order of the rows and all noise.

    Raises:
        UnknownNameError: (a ValueError) for another loss.
        DomainError: (a ValueError) if a number is outside its domain.
    """

    loss: str = "nce+"
    model: str = "auto"
    hidden: tuple[int, ...] = (32, 32)
    epochs: int = 150
    batch_size: int | None = None
    learning_rate: float = 5e-3
    weight_decay: float = 0.2
    validation: float = 0.15
    patience: int = 20
    members: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        known = (*LOSS_NAMES, GRID_LOSS)
        if not isinstance(self.loss, str) or self.loss.lower() not in known:
            raise unknown_name("loss", str(self.loss), known)
        if not isinstance(self.model, str) or self.model.lower() not in MODEL_NAMES:
            raise unknown_name("model", str(self.model), MODEL_NAMES)
        object.__setattr__(self, "loss", self.loss.lower())
        object.__setattr__(self, "model", self.model.lower())
        plain_fields(self)
        object.__setattr__(self, "hidden", _layer_sizes(self.hidden))
        for name in ("epochs", "patience", "members"):
            require_count(name, getattr(self, name))
        if self.batch_size is not None:
            require_count("batch_size", self.batch_size)
        require_count("seed", self.seed, least=0)
        require_positive("learning_rate", [self.learning_rate])
        require_from_zero("weight_decay", self.weight_decay)
        if not 0 < require_number("validation", self.validation) < 1:
            raise DomainError(
                f"validation is the share of the rows to hold out, in (0, 1); got {self.validation!r}."
            )

    def batches(self, count: int) -> int:
        """Steps per epoch for so many rows."""
        size = self.batch_size
        if size is None:
            size = min(max(count // 16, 8), 64) if count < 4096 else min(count // 64, 256)
        return math.ceil(count / size)

    def decided(self, targets: int, *, loss_chosen: bool) -> "FitConfig":
        """The configuration for so many targets, without "auto".

        Args:
            targets: D.
            loss_chosen: whether a loss, or a number that only a loss has, was named.
        """
        if self.model != "auto":
            return self
        return replace(self, model="energy" if targets == 1 or loss_chosen else "mdn-4+energy")

    def plain(self) -> dict[str, Any]:
        """The fields as numbers, strings and lists, for a file."""
        return asdict(self) | {"hidden": list(self.hidden)}


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """What `ebm.fit` makes of inputs that are no plain numbers.

    Attributes:
        encode: turn texts, categories, dates and durations into numbers; False refuses them.
        missing: "error" (default), or "impute": a missing value becomes the median of its column, and a
            column that had some in the fit gets a further one of ones and zeros that tells where.
        unseen: what a category that the fit never saw is: "zeros" (default, with a warning), or an "error".
        max_levels: most categories of a column.

    Raises:
        UnknownNameError: (a ValueError) for another word.
        DomainError: (a ValueError) if `max_levels` is no whole number above 0.
        InputError: if values are to be imputed, but nothing encoded.
    """

    encode: bool = True
    missing: str = "error"
    unseen: str = "zeros"
    max_levels: int = 64

    def __post_init__(self) -> None:
        for name, known in (("missing", ("error", "impute")), ("unseen", ("error", "zeros"))):
            if getattr(self, name) not in known:
                raise unknown_name(name, str(getattr(self, name)), known)
        require_truth("encode", self.encode)
        plain_fields(self)
        require_count("max_levels", self.max_levels)
        if self.missing == "impute" and not self.encode:
            raise InputError('missing="impute" is a part of the encoding; leave out encode=False.')


def _layer_sizes(hidden: int | tuple[int, ...]) -> tuple[int, ...]:
    sizes = hidden if isinstance(hidden, tuple) else (hidden,)
    if not sizes:
        raise DomainError("hidden must hold at least one layer size, e.g. (32, 32).")
    return tuple(require_count("a layer size in hidden", size) for size in sizes)
