"""Several sources side by side: every tracker has a label of its own, and every result counts once."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ebm.exceptions import InputError
from pytracking.analysis.run_names import configuration_name
from pytracking.analysis.sources import BoxSource, FolderSource, find_sources

__all__ = ["gather_sources", "refuse_shared_labels"]


def gather_sources(
    words: Iterable[str], results_root: Path, own: Sequence[FolderSource] = ()
) -> list[BoxSource]:
    """The results that the words of a command line mean, with labels that tell trackers apart.

    Words that would go by one name, such as ``t/atom/default`` and ``t/siamban/default``, get longer ones.

    Args:
        words: as `find_sources` takes them.
        results_root: where the runner writes.
        own: results that are there already and keep their labels; words that mean their folders add
            nothing.

    Raises:
        InputError: if two different trackers were given one label, or one result is named twice.
        UnknownNameError: as `find_sources`.
    """
    there = {_folder(source) for source in own}
    words = list(words)
    found = [[s for s in find_sources(word, results_root) if _folder(s) not in there] for word in words]
    owners: dict[str, set[int]] = defaultdict(set)  # folded label -> the words that go by it; -1: own
    for number, sources in [(-1, own), *enumerate(found)]:
        for source in sources:
            owners[source.label.casefold()].add(number)
    gathered: list[BoxSource] = list(own)
    for word, sources in zip(words, found, strict=True):
        _refuse_again([] if "=" in word else sources, gathered)
        for source in sources:
            taken = len(owners[source.label.casefold()]) > 1
            gathered.append(_longer(source) if taken and "=" not in word else source)
    refuse_shared_labels(gathered)
    return gathered


def _folder(source: BoxSource) -> tuple[Path, str, str] | None:
    """Where the files of a source are; several trackers or runs may share a folder."""
    if not isinstance(source, FolderSource):
        return None
    return source.folder.path.resolve(), source.end, source.run


def _refuse_again(sources: Iterable[BoxSource], earlier: Iterable[BoxSource]) -> None:
    """Refuse results that are there already and were given no name of their own."""
    there = {_folder(source) for source in earlier}
    for source in sources:
        if _folder(source) is not None and _folder(source) in there:
            raise InputError(f"{_called(source)} is named twice; name it once.")


def _longer(source: BoxSource) -> BoxSource:
    """A source by its folder too, ``siamban/default``, or with its hash: the short name is taken."""
    if not isinstance(source, FolderSource):
        return source
    path = source.folder.path.resolve()
    name = configuration_name(path) if "/" in source.label else source.label
    return replace(source, label=f"{path.parent.name}/{name}")


def refuse_shared_labels(sources: Iterable[BoxSource]) -> None:
    """Make sure that a label stands for one tracker, and that no result counts twice.

    Raises:
        InputError: naming the label and what shares it.
    """
    seen: dict[str, list[BoxSource]] = defaultdict(list)
    for source in sources:
        for other in seen[source.label.casefold()]:
            same_place = _folder(source) == _folder(other)
            if source == other or (same_place and _folder(source) is not None):
                raise InputError(f"{_called(source)} is named twice; name it once.")
            if source.tracker != other.tracker or source.label != other.label:
                raise InputError(
                    f"{_called(other)} and {_called(source)} are two trackers, which would be averaged or "
                    f"taken for each other under the names {other.label!r} and {source.label!r}. Give each a "
                    "name of its own: LABEL=RESULTS."
                )
        seen[source.label.casefold()].append(source)


def _called(source: BoxSource) -> str:
    return str(source.folder.path) if isinstance(source, FolderSource) else source.label
