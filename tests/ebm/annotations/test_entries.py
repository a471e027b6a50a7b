"""A list in JSON entry by entry: as `json` reads it whole, whatever the pieces."""

import json
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ebm.annotations import entries
from ebm.annotations.entries import json_entries
from ebm.exceptions import InputError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@example([0.0, 1e22, -5e-7, 10, -12.5e3], 1, None, True)
@example([1.5e-7] * 3, 1, None, True)
@given(st.lists(VALUES, max_size=5), st.integers(1, 40), st.sampled_from([None, 1]), st.booleans())
def test_entries_are_those_of_json(
    tmp_path_factory: pytest.TempPathFactory,
    values: list[object],
    chunk: int,
    indent: int | None,
    plain: bool,
) -> None:
    file = tmp_path_factory.mktemp("entries") / "a.json"
    file.write_text(json.dumps(values, indent=indent, ensure_ascii=plain), encoding="utf-8")
    with mock.patch.object(entries, "_CHUNK", chunk):
        assert list(json_entries(file, "list")) == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "starts with ''; expected a list"),
        ('{"a": 1}', "starts with '{\"a\": 1}'; expected a list"),
        ("[1, 2", "entry 2 is the last of a list that does not end"),
        ('[{"a": 1}, {"a": ', "entry 2 is not valid JSON"),
        ("[1 2]", "entry 1 is not followed by a comma"),
        ("[1,]", "entry 2 is not valid JSON"),
        ("[1.]", "entry 1 is not followed by a comma"),
        ('[{"a": 1}{"a": 1}]', "entry 1 is not followed by a comma"),
        ("[" * 100_000, "entry 1 is not valid JSON"),
    ],
)
def test_damage_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=message):
        list(json_entries(tmp_path / "a.json", "results"))


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        list(json_entries(tmp_path / "a.json", "results"))
    (tmp_path / "a.json").write_bytes(b'["\xff\xfe"]')
    with pytest.raises(InputError, match="no text in UTF-8"):
        list(json_entries(tmp_path / "a.json", "results"))
