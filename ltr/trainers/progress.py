"""The progress line: a bar on a terminal, a line every few seconds in a log."""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from tqdm import tqdm

from ebm.bars import progress_bar
from ltr.trainers.meters import Stopwatch

__all__ = ["Progress", "describe"]

SHORT = {
    "Loss/iou": "iou",
    "Loss/bb_ce": "bb_ce",
    "Loss/target_clf": "clf",
    "Loss/clf_ce": "clf",
    "Loss/test_init_clf": "init",
    "Loss/clf_ce_init": "init",
    "Loss/test_iter_clf": "iter",
    "Loss/clf_ce_iter": "iter",
    "BBReg/label_rank_acc": "rank",
    "BBReg/kl": "kl",
    "BBReg/iou": "iou of refined boxes",
}
RATES = {"Grad/clipped": "clipped", "Grad/skipped": "overflow in"}


def describe(
    means: Mapping[str, float], rates: Sequence[float], watch: Stopwatch, frames: int, eta: float = -1.0
) -> str:
    """One line: time left, loss and its terms, learning rates, speed, share of time waiting for data.

    What matters most stands first, since a narrow terminal cuts the end.

    Args:
        means: means of the epoch so far by statistic.
        rates: learning rates of the groups; empty in validation.
        watch: speed and waiting.
        frames: frames in one sample.
        eta: seconds left; negative if unknown.
    """
    parts = [f"ETA {tqdm.format_interval(eta)}"] if eta >= 0 else []
    terms = " ".join(f"{short} {means[name]:.3g}" for name, short in SHORT.items() if name in means)
    if "Loss/total" in means:
        parts.append(f"loss {means['Loss/total']:.4g}" + (f" ({terms})" if terms else ""))
    parts += [f"{word} {means[name]:.0%} of steps" for name, word in RATES.items() if means.get(name)]
    if rates:
        low, high = min(rates), max(rates)
        parts.append(f"lr {high:.1e}" if low == high else f"lr {low:.1e}..{high:.1e}")
    speed = watch.samples_per_second
    parts.append(f"{speed * frames:.0f} frames/s ({speed:.1f} samples/s)")
    parts.append(f"data wait {watch.waiting_share:.0%}")
    return "  ".join(parts)


class Progress:
    """Shows where an epoch stands; prints nothing more often than needed.

    Args:
        stream: where to write; its ``isatty`` decides between bar and lines.
        interval: seconds between two lines of a log.
        silent: show nothing, since another process of the run does.
    """

    def __init__(self, stream: TextIO | None = None, interval: float = 10.0, *, silent: bool = False) -> None:
        self.stream = stream if stream is not None else sys.stdout
        self.interval = interval
        self.silent = silent
        self._bar: tqdm[Any] | None = None
        self._label, self._total, self._last = "", 0, 0.0

    def start(self, label: str, total: int, done: int = 0) -> None:
        """Begin a pass of `total` steps, of which `done` are behind."""
        self._label, self._total, self._last = label, total, time.monotonic()
        if self.stream.isatty() and not self.silent:
            self._bar = progress_bar(
                total=total,
                initial=done,
                desc=label,
                file=self.stream,
                dynamic_ncols=True,
                bar_format="{desc} {n_fmt}/{total_fmt} |{bar:10}| {postfix}",
            )

    def due(self, done: int) -> bool:
        """Whether a line would be shown now, so that nothing is formatted in vain."""
        if self.silent:
            return False
        pause = 0.2 if self._bar is not None else self.interval
        return done >= self._total or time.monotonic() - self._last >= pause

    def show(self, done: int, text: str) -> None:
        """Show `text` at step `done`."""
        self._last = time.monotonic()
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(done - self._bar.n)
            self._bar.refresh()
        else:
            print(f"{self._label} {done}/{self._total}  {text}", file=self.stream, flush=True)

    def close(self) -> None:
        """End the pass."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def message(self, text: str) -> None:
        """A line of its own, above a bar if there is one."""
        if self.silent:
            return
        if self._bar is not None:
            self._bar.write(text, file=self.stream)
        else:
            print(text, file=self.stream, flush=True)
