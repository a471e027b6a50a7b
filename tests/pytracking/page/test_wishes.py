"""Messages of the page, sound and unsound."""

import json
from typing import Any

import pytest

from ebm.exceptions import InputError
from pytracking.page.wishes import Wish, read_wish


def test_what_can_be_asked_for() -> None:
    start = read_wish(
        '{"do": "start", "boxes": [{"id": "7", "box": [1, 2, 3, 4.5]}, {"id": "car", "box": [0, 0, 9, 9]}]}'
    )
    assert start == Wish("start", {7: (1, 2, 3, 4.5), "car": (0, 0, 9, 9)})
    for do in ("hold", "pause", "go", "step", "stop"):
        assert read_wish(json.dumps({"do": do})) == Wish(do)  # type: ignore[arg-type]
    placed = read_wish('{"do": "place", "id": null, "box": [1, 2, 3, 4], "frame": 5, "keep_memory": false}')
    assert placed == Wish("place", {None: (1, 2, 3, 4)}, None, 5, keep_memory=False)
    assert read_wish('{"do": "add", "id": 3, "box": [1, 2, 3, 4], "frame": 5}').boxes == {3: (1, 2, 3, 4)}
    assert read_wish('{"do": "remove", "id": "car"}').target == "car"


def of_one(box: Any, target: Any = "1") -> str:
    return json.dumps({"do": "start", "boxes": [{"id": target, "box": box}]})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ("[" * 60_000, "cannot be read"),
        ("[]", "nothing that is known"),
        ('{"do": "format"}', "nothing that is known"),
        ('{"do": "gone"}', "nothing that is known"),  # which the server alone may say
        ('{"do": ["stop"]}', "nothing that is known"),
        ('{"do": "start"}', "Draw a box"),
        ('{"do": "start", "boxes": []}', "Draw a box"),
        ('{"do": "start", "boxes": [3]}', "holds a target that is none"),
        (of_one([1, 2, float("nan"), 4]), "target 1 is not x, y, w, h"),
        (of_one([1, 2, float("inf"), 4]), "is not x, y, w, h"),
        (of_one([1, 2, None, 4]), "is not x, y, w, h"),
        (of_one([1, 2, True, 4]), "is not x, y, w, h"),
        (of_one([1, 2, "3", 4]), "is not x, y, w, h"),
        (of_one([1, 2, 3]), "is not x, y, w, h"),
        (of_one("1234"), "is not x, y, w, h"),
        (of_one([1, 2, 10**400, 4]), "is not x, y, w, h"),
        (of_one([1, 2, 0, 4]), "target 1 has no area (0 x 4 px)"),
        (of_one([1, 2, 3, -4]), "has no area"),
        (of_one([1, 2, 3, 4], ""), "is no id"),
        (of_one([1, 2, 3, 4], "a,b"), "without blanks, commas and quotes"),
        (of_one([1, 2, 3, 4], "a b"), "is no id"),
        (of_one([1, 2, 3, 4], 'a"'), "is no id"),
        (of_one([1, 2, 3, 4], "\x07"), "is no id"),
        (of_one([1, 2, 3, 4], "x" * 41), "is no id"),
        (of_one([1, 2, 3, 4], None), "is no id"),
        (of_one([1, 2, 3, 4], True), "is no id"),
        (of_one([1, 2, 3, 4], [1]), "is no id"),
        ('{"do": "place", "box": null}', "The box is not x, y, w, h"),
        (
            '{"do": "start", "boxes": [{"id": "2", "box": [1, 2, 3, 4]}, {"id": 2, "box": [1, 2, 3, 4]}]}',
            "Two targets have the id 2",
        ),
    ],
)
def test_what_cannot(text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_wish(text)
    assert words in str(caught.value)
