"""Where the runs of compared trackers differ, by their manifests: what makes scores incomparable."""

from collections.abc import Iterable, Mapping
from typing import Any

from pytracking.analysis.sources import BoxSource, FolderSource
from pytracking.evaluation.results import config_hash

__all__ = ["manifest_differences"]

_FACTS = {  # what is said -> where it stands in a manifest
    "EBMTrack": ("versions", "ebmtrack"),
    "Python": ("versions", "python"),
    "platform": ("versions", "platform"),
    "torch": ("versions", "torch"),
    "torchvision": ("versions", "torchvision"),
    "NumPy": ("versions", "numpy"),
    "commit": ("git_commit",),
    "decoder": ("decoder",),
    "device": ("device",),
    "precision": ("precision",),
    "seed": ("seed",),
    "parameters": ("params",),
    "weights": ("checkpoint", "sha256"),
}
_SHORT = ("weights", "commit")  # told by their first digits
_OWN = ("parameters", "weights", "seed")  # of each tracker


def manifest_differences(sources: Iterable[BoxSource], dataset: str) -> list[str]:
    """A line for each fact in which compared trackers differ, and one for those without a manifest.

    Parameters, weights and seed differ between trackers as a matter of course; they are told where they
    differ between the runs that are averaged for one.

    Args:
        sources: the runs that are compared.
        dataset: tag of the data set, whose annotations and images are compared by their fingerprints.
    """
    facts: dict[str, list[dict[str, str]]] = {}
    digests: dict[str, set[str]] = {}
    unknown: list[str] = []
    for source in sources:
        manifest = source.folder.manifest() if isinstance(source, FolderSource) else {}
        if "versions" in manifest:
            facts.setdefault(source.label, []).append(_facts(manifest))
            for name, digest in manifest.get("datasets", {}).get(dataset, {}).get("sequences", {}).items():
                digests.setdefault(name, set()).add(digest)
        elif isinstance(source, FolderSource) and source.label not in unknown:
            unknown.append(source.label)
    lines = [line for name in _FACTS if (line := _difference(name, facts))]
    if others := [name for name, found in digests.items() if len(found) > 1]:
        lines.append(f"Images or annotations differ in {len(others)} sequence(s), first {others[0]}.")
    if unknown and facts:
        lines.append(f"No manifest, so nothing is known of how it was run: {', '.join(unknown)}.")
    return lines


def _facts(manifest: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for name, path in _FACTS.items():
        value: Any = manifest
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is not None:
            text = config_hash(value=value) if isinstance(value, Mapping) else str(value)
            found[name] = text[:12] if name in _SHORT else text
    return found


def _difference(name: str, facts: Mapping[str, list[dict[str, str]]]) -> str | None:
    """One fact in one line, value by tracker; None where it does not differ."""
    values = {label: sorted({run[name] for run in runs if name in run}) for label, runs in facts.items()}
    known = {label: found for label, found in values.items() if found}
    if name in _OWN:
        known = {label: found for label, found in known.items() if len(found) > 1}
    elif len({value for found in known.values() for value in found}) < 2:
        known = {}
    shown = "; ".join(f"{label} {', '.join(found)}" for label, found in known.items())
    return f"{name} differs: {shown}." if shown else None
