"""What errors on datasets may advise, since not every command has every option."""

from dataclasses import dataclass

__all__ = ["EVERY_OPTION", "CommandOptions"]


@dataclass(frozen=True, kw_only=True)
class CommandOptions:
    """What errors may advise: arguments of the command that opens a dataset.

    Args:
        root: the one that gives its folder, DIR in it; None where there is none.
        sequence: whether there is ``--sequence``.
        allow_missing: whether there is ``--allow-missing``.
    """

    root: str | None = "--root DIR"
    sequence: bool = True
    allow_missing: bool = True

    def making_do(self) -> str:
        """What to do where sequences are missing, as a sentence."""
        ways = ["Add them"]
        if self.sequence:
            ways.append("name the ones to use with --sequence")
        if self.allow_missing:
            ways.append(
                "pass --allow-missing to use the others alone (the figures are then not those of the "
                "benchmark)"
            )
        *first, last = ways
        return f"{', '.join(first)}, or {last}." if first else f"{last}."


EVERY_OPTION = CommandOptions()
