"""A cache of annotations of its own for every test."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EBMTRACK_CACHE", str(tmp_path / "cache"))
