"""Options that show a tracker at work: ``--debug`` on a visdom server, ``--debug-page`` in a file."""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ebm.command import local_path
from pytracking.evaluation.command import counting_number

if TYPE_CHECKING:
    from pytracking.evaluation.watching import Watcher

__all__ = ["Debugging", "add_debug_options"]

LEVELS = range(5)


def add_debug_options(parser: argparse.ArgumentParser) -> None:
    """``--debug``, ``--debug-page`` and what belongs to them."""
    group = parser.add_argument_group("looking at the tracker")
    group.add_argument(
        "--debug-page",
        type=local_path,
        metavar="FILE.html",
        help="a page to look at, in one file: search area, score map, refinement and density of every frame",
    )
    group.add_argument(
        "--debug-every",
        type=counting_number,
        default=1,
        metavar="N",
        help="keep every N-th frame on that page, which takes some 50 kB for each (default: %(default)s)",
    )
    group.add_argument(
        "--debug",
        type=int,
        default=0,
        choices=LEVELS,
        help="show on a visdom server, from 1: frame and state; 2: score map; 3: refinement (default: 0)",
    )
    group.add_argument(
        "--use_visdom",
        type=_boolean,
        default=True,
        metavar="{true,false}",
        help="false: --debug shows nothing on a server (default: true)",
    )
    group.add_argument("--visdom_server", default="127.0.0.1", metavar="HOST", help="default: %(default)s")
    group.add_argument("--visdom_port", type=int, default=8097, metavar="PORT", help="default: %(default)s")


class Debugging:
    """What `add_debug_options` asked for.

    Args:
        args: what was parsed.

    Raises:
        MissingPackageError, InputError: if a visdom server was asked for and cannot be had.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.page: Path | None = args.debug_page
        self._every: int = args.debug_every
        self._visdom = None
        if args.debug and args.use_visdom:
            from pytracking.utils.visdom import Visdom

            info = {"server": args.visdom_server, "port": args.visdom_port}
            self._visdom = Visdom(args.debug, visdom_info=info)

    @property
    def wanted(self) -> bool:
        """Whether there is anybody to be shown anything."""
        return self.page is not None or self._visdom is not None

    @property
    def address(self) -> str | None:
        """Of the visdom page, if there is one."""
        return None if self._visdom is None else self._visdom.address

    def pages(self, sequences: Sequence[str]) -> list[Path]:
        """The page of every sequence; with one alone it has the name that was given."""
        if self.page is None:
            return []
        page = self.page
        named = [page.with_name(f"{page.stem}_{sequence}{page.suffix}") for sequence in sequences]
        return [page] if len(sequences) == 1 else named

    def entered(self, stack: ExitStack, title: str) -> "Watcher | None":
        """Who is shown a run with one page, closed by `stack`; None if nobody is."""
        return stack.enter_context(self.watcher(title, self.page)) if self.wanted else None

    def watcher(self, title: str, page: Path | None) -> "Watcher":
        """Who is shown a run.

        Args:
            title: of the page.
            page: where it is written, if it is.
        """
        from pytracking.evaluation.debug_page import DebugPage
        from pytracking.evaluation.visdom_watcher import VisdomWatcher
        from pytracking.evaluation.watching import Together

        watchers: list[Watcher] = []
        if page is not None:
            watchers.append(DebugPage(page, title, every=self._every))
        if self._visdom is not None:
            watchers.append(VisdomWatcher(self._visdom))
        return Together(watchers)


def _boolean(text: str) -> bool:
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text.lower() not in known:
        raise argparse.ArgumentTypeError(f"expected true or false, got {text!r}")
    return known[text.lower()]
