"""The tiny generated sets, for tests that only read them."""

from pathlib import Path

from ltr.dataset.generated import ensure_generated

__all__ = ["tiny_sets"]


def tiny_sets(workspace: Path) -> dict[str, dict[str, Path]]:
    """Draw both kinds into a workspace, or find them there: their roots by kind and layout."""
    kinds = ("train", "test")
    return {kind: ensure_generated(workspace, kind, "tiny", workers=1, progress=False) for kind in kinds}
