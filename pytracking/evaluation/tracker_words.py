"""Command lines whose tracker may be left out: ``[TRACKER PARAMETERS] VIDEO``, options anywhere between."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ebm.command import CommandParser
from pytracking.parameter.default import DEFAULT_PARAMETERS, DEFAULT_TRACKER
from pytracking.parameter.lookup import parameter_names, tracker_names

__all__ = ["OtherWord", "TrackerParser", "settle_tracker"]


@dataclass(frozen=True, kw_only=True)
class OtherWord:
    """The word beside tracker and parameter set.

    Attributes:
        dest: attribute of the parsed arguments.
        metavar: what it is called.
        help: what it is.
        default: where it is left out; None if it may not be.
        kind: makes a value of it.
        first: whether it stands before the tracker.
    """

    dest: str
    metavar: str
    help: str
    default: str | None = None
    kind: Callable[[str], Any] = str
    first: bool = False


class TrackerParser(CommandParser):
    """A parser of tracker and parameter set, both or neither, and at most one word more.

    What was parsed has ``tracker`` and ``parameter``, None where they were left out, and the other word.
    """

    def __init__(self, *args: Any, other: OtherWord | None = None, **options: Any) -> None:
        """See `argparse.ArgumentParser`.

        Args:
            args: of that.
            other: the word beside tracker and parameter set.
            options: of that.
        """
        super().__init__(*args, **options)
        self._other, self._within = other, False
        self._form = _form(other)
        told = "" if other is None else f"{other.metavar}: {other.help}. "
        self.add_argument(
            "words",
            nargs="*",
            metavar=self._form,
            help=f"{told}TRACKER: dimp, atom or first_box, and PARAMETERS its parameter set, e.g. dimp "
            f"nce_plus; without them {DEFAULT_TRACKER} {DEFAULT_PARAMETERS}, whose weights are installed, "
            "or what --checkpoint was trained for",
        )
        self.usage = f"%(prog)s {self._form} [options]"

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Options and words in any order; see `argparse.ArgumentParser`."""
        if self._within:  # argparse reads options and words in two passes, through this method
            return super().parse_known_args(args, namespace)
        given = list(sys.argv[1:] if args is None else args)
        end = given.index("--") if "--" in given else len(given)
        self._within = True
        try:
            found, rest = self.parse_known_intermixed_args(given[:end], namespace)
        finally:
            self._within = False
        words = [*found.words, *given[end + 1 :]]
        del found.words
        if not rest:  # an unknown option is told first: its value counts as a word
            self._sort(words, found)
        return found, rest

    def _sort(self, words: list[str], found: argparse.Namespace) -> None:
        """Which word is which.

        Raises:
            SystemExit: as argparse does, if that cannot be told.
        """
        other = self._other
        if other is None:
            pair, rest = words, []
        elif other.first:
            pair, rest = words[1:], words[:1]
        elif len(words) == 2 and other.default is not None and words[0] in tracker_names():
            pair, rest = words, []
        else:
            pair, rest = words[:-1], words[-1:]
        lone = len(words) == 1 and pair == [] and words[0] in tracker_names() and self._other_is_last()
        needed = other is not None and other.default is None
        if len(pair) not in (0, 2) or (needed and not rest) or lone:
            self.error(self._what_is_wrong(words))
        found.tracker, found.parameter = pair or (None, None)
        if other is not None:
            setattr(found, other.dest, self._converted(rest[0]) if rest else other.default)

    def _other_is_last(self) -> bool:
        return self._other is not None and not self._other.first

    def _converted(self, word: str) -> Any:
        assert self._other is not None
        try:
            return self._other.kind(word)
        except argparse.ArgumentTypeError as error:
            self.error(f"argument {self._other.metavar}: {error}")

    def _what_is_wrong(self, words: list[str]) -> str:
        """What the words can be, and which is missing."""
        other = "" if self._other is None else self._other.metavar
        long = self._form.replace("[", "").replace("]", "")
        given, most = " ".join(words), len(long.split())
        if len(words) > most:
            return (
                f"{given}: {len(words)} words, at most {most} belong here: {long}. Quote a name with spaces."
            )
        if not words:
            return f"the following arguments are required: {other}"
        named = next((word for word in words if word in tracker_names()), None)
        if named is None:
            return (
                f"{given}: give {long}, or without a tracker {other or 'nothing'}. Quote a name with spaces."
            )
        sets = parameter_names(named)
        if words[-1] in sets and self._other_is_last():
            return f"{given}: the following arguments are required: {other}"
        example = f"{self.prog} {long.replace('TRACKER', named)}"
        there = f" The file or folder here is ./{named}." if len(words) == 1 and Path(named).exists() else ""
        return (
            f"{named} is a tracker and needs a parameter set, one of {', '.join(sets)}: {example}. Without "
            f"both, {DEFAULT_TRACKER} {DEFAULT_PARAMETERS} runs.{there}"
        )


def _form(other: OtherWord | None) -> str:
    """The words in their order, those in brackets that may be left out."""
    pair = "[TRACKER PARAMETERS]"
    if other is None:
        return pair
    word = other.metavar if other.default is None else f"[{other.metavar}]"
    return f"{word} {pair}" if other.first else f"{pair} {word}"


def settle_tracker(args: argparse.Namespace) -> str:
    """Give `args` the tracker and parameter set that were left out.

    Args:
        args: parsed by a `TrackerParser`; ``tracker`` and ``parameter`` are set.

    Returns:
        A line that says which they are.

    Raises:
        InputError: if a checkpoint does not say what it was trained for.
        UnknownNameError: if there is no such tracker or parameter set.
    """
    from pytracking.parameter import find_parameters

    why = ""
    if args.tracker is None:
        why = ", as none was named"
        args.tracker, args.parameter = DEFAULT_TRACKER, DEFAULT_PARAMETERS
        if args.checkpoint is not None:
            args.tracker, args.parameter = _stated_by(args)
            why = ", which the checkpoint says"
    find_parameters(args.tracker, args.parameter)  # a wrong name is told before anything is read
    return f"Tracker: {args.tracker} {args.parameter}{why}."


def _stated_by(args: argparse.Namespace) -> tuple[str, str]:
    """What a checkpoint, an export or an exported tracker was made for."""
    from ebm.exceptions import InputError
    from pytracking.exported.folder import read_folder
    from pytracking.utils.loading import find_weights
    from pytracking.utils.stated import set_of_weights
    from pytracking.weights.card import read_card
    from pytracking.weights.shipped import CARD

    if getattr(args, "engine", "torch") == "onnx":
        return "dimp", read_folder(args.checkpoint).parameter
    from pytracking.parameter import find_parameters

    file = find_weights(find_parameters(DEFAULT_TRACKER, DEFAULT_PARAMETERS), args.checkpoint).path
    assert file is not None
    card = file.with_name(file.stem + CARD)
    if card.is_file():
        stated = read_card(card)
        return stated.tracker, stated.parameters
    try:
        return set_of_weights(file)
    except InputError as error:
        told, unnamed, _ = str(error).partition("; name ")
        if not unnamed:
            raise
        raise InputError(f"{told}; name tracker and parameter set before the video.") from error
