"""What tests ask of other processes."""

from pathlib import Path

__all__ = ["is_running"]


def is_running(pid: int) -> bool:
    """Whether it runs, by Linux's /proc; one that nobody has asked how it ended does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
