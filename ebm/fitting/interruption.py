"""Ctrl-C in a long fit: what was learned is kept, and the user is told where it is."""

from collections.abc import Iterator
from contextlib import contextmanager

from ebm.exceptions import FitInterrupted, InputError
from ebm.fitting.fitted import FittedEBM
from ebm.fitting.journal import Journal

__all__ = ["saved_at_interrupt", "told_at_interrupt"]


@contextmanager
def saved_at_interrupt(journal: Journal) -> Iterator[None]:
    """Write the checkpoint, if there is one, where Ctrl-C comes before anything was learned.

    Raises:
        KeyboardInterrupt: which says so.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(f"interrupted in the first epoch.{_saved(journal)}") from stop


@contextmanager
def told_at_interrupt(fitted: FittedEBM, journal: Journal, interrupted: bool) -> Iterator[None]:
    """Hand over the density where Ctrl-C came in training or comes inside, where the rest is done.

    Args:
        fitted: the density as far as it is.
        journal: of the fit, whose checkpoint is written.
        interrupted: whether training was.

    Raises:
        FitInterrupted: with the density and what to do, in words.
    """
    try:
        if interrupted:
            raise KeyboardInterrupt
        yield
    except KeyboardInterrupt as stop:
        history = fitted.history
        where = f"in epoch {len(history.train_loss) + 1}" if interrupted else "after training"
        best = history.held_out_nll[history.best_epoch]
        raise FitInterrupted(
            f"interrupted {where}.{_saved(journal)} The density so far (held-out NLL {best:.4g}) is `fitted` "
            "of this exception: `except ebm.FitInterrupted as stop: fitted = stop.fitted`, at a prompt "
            "`import sys; fitted = sys.last_value.fitted`.",
            fitted,
        ) from stop


def _saved(journal: Journal) -> str:
    """Write the checkpoint; what to say of it."""
    try:
        return f" The same call goes on from {journal.path}." if journal.save() else ""
    except InputError as error:
        return f" The checkpoint could not be written: {error}"
