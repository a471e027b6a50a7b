"""The visualiser's blocks, list, pause and steps, with a client that notes what it is asked to draw."""

from collections.abc import Callable
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch

from ebm.exceptions import MissingPackageError, ShapeError, UnknownNameError
from pytracking.evaluation.visdom_watcher import VisdomWatcher
from pytracking.evaluation.watching import look
from pytracking.run_tracker import main
from pytracking.utils import visdom as module
from pytracking.utils.visdom import Visdom
from tests.pytracking.tracker.test_several import BOXES, build, frame


class Client:
    """Notes calls; `send` stands for the viewer."""

    def __init__(self) -> None:
        self.drawn: dict[str, list[tuple[str, tuple[Any, ...]]]] = {}
        self.closed: list[str | None] = []
        self.handlers: dict[str, Callable[[dict[str, Any]], None]] = {}
        self.there = True
        self.clock = 0.0

    def __getattr__(self, kind: str) -> Callable[..., None]:
        def draw(*data: Any, win: str, opts: dict[str, Any]) -> None:
            self.drawn.setdefault(win, []).append((kind, data))

        return draw

    def close(self, win: str | None = None) -> None:
        self.closed.append(win)

    def register_event_handler(self, handler: Callable[[dict[str, Any]], None], target: str) -> None:
        self.handlers[target] = handler

    def check_connection(self) -> bool:
        return self.there

    def press(self, key: str) -> None:
        """As visdom 0.2.4's page sends it: more than once."""
        self.clock += 0.5
        for _ in range(4):
            self.handlers["Tracking"]({"event_type": "KeyPress", "key": key})
            self.clock += 0.01

    def tick(self, place: int, value: bool) -> None:
        self.handlers["block_list"]({"event_type": "PropertyUpdate", "propertyId": place, "value": value})

    def last(self, title: str) -> Any:
        return self.drawn[title][-1][1]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    made = Client()
    monkeypatch.setattr(module, "_connected", lambda server, port: made)
    monkeypatch.setattr(module, "monotonic", lambda: made.clock)
    return made


def test_a_block_is_drawn_from_its_level_on_and_when_it_is_ticked(client: Client) -> None:
    shown = Visdom(debug=1)
    shown.register(np.zeros((3, 4)), "heatmap", 2, "Map")
    shown.register(torch.ones(3, 4, 5), "image", 1, "Picture")
    assert "Map" not in client.drawn
    assert client.last("Picture")[0].shape == (3, 4, 5)
    (rows,) = client.last("block_list")
    assert [(row["name"], row["value"]) for row in rows] == [("Map", False), ("Picture", True)]
    client.tick(0, True)
    assert client.last("Map")[0].shape == (3, 4), "drawn with the data of before"
    client.tick(0, False)
    assert client.closed[-1] == "Map"
    shown.register(np.ones((3, 4)), "heatmap", 2, "Map")
    assert len(client.drawn["Map"]) == 1, "hidden again"
    client.tick(7, True)  # a list that is out of date


def test_what_each_kind_sends(client: Client) -> None:
    shown = Visdom(debug=1)
    shown.register(torch.tensor([[1.0, 2], [3, 4]])[None], "heatmap", title="Map")
    np.testing.assert_array_equal(client.last("Map")[0], [[3, 4], [1, 2]])
    shown.register([1.0, 4, 9], "lineplot", title="Curve")
    np.testing.assert_array_equal(client.last("Curve")[1], [0, 1, 2])
    shown.register((torch.tensor([5.0, 6]), np.array([10, 20])), "lineplot", title="Curve")
    np.testing.assert_array_equal(client.last("Curve")[1], [10, 20])
    shown.register({"max_score": torch.tensor(0.123), "flag": "<b>"}, "info_dict", title="Info")
    shown.register({"frame": 3, "lost": None}, "info_dict", title="Info")
    (text,) = client.last("Info")
    assert text == "<b>max score</b>: 0.12<br><b>flag</b>: &lt;b&gt;<br><b>frame</b>: 3<br><b>lost</b>: None"
    image = np.full((100, 960, 3), 100, dtype=np.uint8)
    mask = np.zeros((100, 960))
    mask[50:, :] = 1
    shown.register((image, [200, 20, 100, 40], mask), "Tracking", title="Tracking")
    (picture,) = client.last("Tracking")
    assert picture.shape == (3, 50, 480)
    assert (picture[:, 45, 5] != 100).any()
    assert (picture[:, 10:30, 100:150] != 100).any()
    assert (picture[:, 5, 300] == 100).all()
    boxes = np.array([[10.0, 10, 30, 20]])
    shown.register((image, boxes, boxes + 2, [0.7]), "bbreg", title="Refinement")
    assert client.last("Init Boxes")[0].shape == client.last("Final Boxes")[0].shape == (3, 100, 960)
    (rows,) = client.last("block_list")
    client.tick([row["name"] for row in rows].index("Refinement"), False)
    assert client.closed[-2:] == ["Init Boxes", "Final Boxes"]


@pytest.mark.parametrize(
    ("data", "mode"),
    [
        (np.zeros((2, 3, 4)), "heatmap"),
        (np.zeros((4, 5)), "image"),
        (([1.0, 2], [1.0]), "lineplot"),
        ((np.zeros((4, 5, 3)), [1.0, 2]), "Tracking"),
    ],
)
def test_data_of_another_shape_is_named(client: Client, data: Any, mode: str) -> None:
    with pytest.raises(ShapeError, match="'Thing'"):
        Visdom().register(data, mode, title="Thing")


def test_an_unknown_kind_is_a_value_error(client: Client) -> None:
    with pytest.raises(UnknownNameError, match="heatmap"):
        Visdom().register(1, "heatmaps")
    assert issubclass(UnknownNameError, ValueError)


def test_pause_step_and_resume(client: Client) -> None:
    shown = Visdom(debug=1)
    seen: list[int] = []

    def run() -> None:
        for number in range(4):
            seen.append(number)
            shown.wait_while_paused()

    client.press("ArrowRight")  # of no meaning while it runs
    client.press(" ")
    assert shown.paused
    thread = Thread(target=run, daemon=True)
    thread.start()
    for steps in (1, 2):
        client.press("ArrowRight")
        _until(lambda steps=steps: len(seen) == steps + 1)
    assert thread.is_alive()
    client.press(" ")
    thread.join(10)
    assert seen == [0, 1, 2, 3]


def test_a_server_that_goes_does_not_hold_the_tracker(client: Client) -> None:
    shown = Visdom(debug=1)
    client.press(" ")
    client.there = False
    shown.wait_while_paused()
    assert not shown.paused


def test_a_tracker_is_shown(client: Client) -> None:
    watcher = VisdomWatcher(Visdom(debug=3))
    tracker = build("dimp", changes={"target_not_found_threshold": -1e9})
    tracker.watched = True
    with watcher:
        look(watcher, 0, frame(0), tracker, tracker.initialize(frame(0), {1: BOXES[1], "car": BOXES["car"]}))
        look(watcher, 1, frame(1), tracker, tracker.track(frame(1)))
    for title in ("Status 1", "Score Map 1", "Highest f 1", "Status car", "Final Boxes"):
        assert client.drawn[title], title
    assert "samples in memory" in client.last("Status car")[0]
    energies, _ = client.last("Highest f 1")
    assert len(energies) >= tracker.params.box_refinement_iter


def test_without_a_server_or_the_package_the_command_says_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    from tests.pytracking.evaluation.tiny import write_otb

    root = write_otb(tmp_path / "otb", {"A": 2})
    arguments = ["first_box", "default", "--dataset", "generated", "--root", str(root)]
    assert main([*arguments, "--debug", "1", "--visdom_port", "9"]) == 2
    said = capsys.readouterr().err
    assert ("No visdom server answers at http://127.0.0.1:9" in said) or ("--no-build-isolation" in said)
    monkeypatch.setitem(__import__("sys").modules, "visdom", None)
    with pytest.raises(MissingPackageError, match="--no-build-isolation"):
        module._connected("127.0.0.1", 9)


def test_a_benchmark_run_is_looked_at_and_not_saved(
    capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    from tests.pytracking.evaluation.tiny import write_otb

    root = write_otb(tmp_path / "otb", {"A": 3, "B": 2})
    arguments = ["first_box", "default", "--dataset", "generated", "--root", str(root)]
    arguments += ["--results", str(tmp_path / "results"), "--debug-page", str(tmp_path / "look.html")]
    assert main(arguments) == 0
    assert "2 sequences run, 5 frames; results are not saved" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["look_A.html", "look_B.html", "otb"]
    assert main([*arguments, "--debug", "2", "--use_visdom", "false", "--sequence", "B"]) == 0
    assert (tmp_path / "look.html").is_file()
    with pytest.raises(SystemExit, match="2"):
        main([*arguments, "--use_visdom", "perhaps"])


def _until(reached: Callable[[], bool]) -> None:
    import time

    for _ in range(1000):
        if reached():
            return
        time.sleep(0.01)
    pytest.fail("it did not come to that within ten seconds")
