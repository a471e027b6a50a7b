"""What is wrong with an archive: one finding a fault, grouped for people."""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Finding", "is_rejected", "said"]

_SHOWN = 3


@dataclass(frozen=True)
class Finding:
    """One fault.

    Args:
        code: what kind, the same for all files that have it, e.g. ``missing-file``.
        where: file of the archive; empty: the archive.
        what: the fault in words, and what to do.
        fatal: whether the server would reject the archive, or score it wrongly.
    """

    code: str
    where: str
    what: str
    fatal: bool = True


def is_rejected(findings: Iterable[Finding]) -> bool:
    """Whether one of them is fatal."""
    return any(finding.fatal for finding in findings)


def said(findings: Iterable[Finding]) -> list[str]:
    """A line for each kind of fault: the first in full, then how many more files have it; errors first."""
    groups: dict[tuple[bool, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((not finding.fatal, finding.code), []).append(finding)
    return [_line(code, group) for (_, code), group in sorted(groups.items(), key=lambda item: item[0][0])]


def _line(code: str, group: list[Finding]) -> str:
    first = group[0]
    place = f"{first.where}: " if first.where else ""
    others = [finding.where for finding in group[1:]]
    more = f" Also {', '.join(others[:_SHOWN])}" if others else ""
    if len(others) > _SHOWN:
        more += f" and {len(others) - _SHOWN} more"
    return f"{'error' if first.fatal else 'warning'} [{code}] {place}{first.what}{more}" + (
        "." if more else ""
    )
