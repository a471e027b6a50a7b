"""Damaged files: whatever happens to the bytes, the file is refused by name or says what it said before."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ebm.exceptions import EBMError
from ltr.dataset.opening import detect_kind
from tests.field.file_kinds import KINDS, FileKind, same

FLIPS = 60  # as many as the report that 47 of them went through


class Example(NamedTuple):
    """Files of a kind, their bytes and what they say."""

    kind: FileKind
    folder: Path
    bytes: dict[str, bytes]
    content: Any

    def outcome(self, changed: dict[str, bytes]) -> str:
        """``"equal"`` or ``"refused"`` with the bytes of some files changed; anything else fails."""
        for name, content in {**self.bytes, **changed}.items():
            (self.folder / name).write_bytes(content)
        try:
            found = self.kind.read(self.folder)
        except EBMError as error:
            refusal = str(error)
        else:
            assert same(found, self.content), "damage went unnoticed"
            return "equal"
        assert any(Path(name).name in refusal for name in self.bytes), f"names no file: {refusal}"
        return "refused"


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    folder = tmp_path_factory.mktemp("kind")
    request.param.write(folder)
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.glob(request.param.files))
        if path.is_file()
    }
    yield Example(request.param, folder, files, request.param.read(folder))
    shutil.rmtree(folder)


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_a_whole_file_is_read_and_no_note_is_made_of_it(
    example: Example, caplog: pytest.LogCaptureFixture
) -> None:
    assert example.outcome({}) == "equal"
    notes = [record.getMessage() for record in caplog.records]
    # Said once: the first reading was another test's, or the fixture's.
    assert not notes, notes


def test_flipped_bits_are_never_overlooked(example: Example) -> None:
    for name, content in example.bytes.items():
        draw = random.Random(name)
        refused = sum(
            example.outcome({name: flipped(content, draw.randrange(8 * len(content)))}) == "refused"
            for _ in range(FLIPS)
        )
        assert refused >= example.kind.refused * FLIPS, f"{name}: {refused} of {FLIPS} refused"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_of_any_kind_is_never_overlooked(example: Example, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(example.bytes)), label="file")
    content = example.bytes[name]
    at = data.draw(st.integers(0, len(content)), label="at")
    removed = data.draw(st.integers(0, 64), label="removed")
    put = data.draw(st.binary(max_size=64), label="put there")
    example.outcome({name: content[:at] + put + content[at + removed :]})


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.5, 0.8, 0.99])
def test_a_file_cut_short_is_refused_or_made_anew(example: Example, share: float) -> None:
    for name, content in example.bytes.items():
        cut = content[: int(share * len(content))]
        assert example.outcome({name: cut}) == ("equal" if example.kind.rebuilt else "refused"), name
        example.outcome({name: content[:-1]})  # a last line without its end is still whole


def test_plain_json_of_other_kinds_of_values_is_no_traceback(tmp_path: Path) -> None:
    """Without their checksum such files are taken for older ones, and still may hold anything."""
    (tmp_path / "generated.json").write_text('{"layout": {"otb": 1}}')
    assert detect_kind(tmp_path) == "folder"
