"""Bytes of a shard: read at their place, from files that are kept open."""

import gc
import warnings
from pathlib import Path

from ltr.data import video
from ltr.data.video import Slice


def test_shards_are_closed_when_they_are_dropped(tmp_path: Path) -> None:
    (tmp_path / "shard-00000.bin").write_bytes(b"abcd")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert Slice(str(tmp_path / "shard-00000.bin"), 1, 2).read_bytes() == b"bc"
        video._opened.cache_clear()
        gc.collect()
    assert [str(warning.message) for warning in said if warning.category is ResourceWarning] == []
