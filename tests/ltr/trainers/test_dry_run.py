"""Three steps, their time and memory, and nothing written."""

from pathlib import Path

import pytest

from ebm.exceptions import NumericalError
from ltr.trainers.dry_run import DryRun, dry_run
from tests.ltr.trainers.toy import ToyStream, toy_trainer


def test_three_steps_are_made_and_nothing_is_written(tmp_path: Path) -> None:
    result = dry_run(toy_trainer(tmp_path / "run", stream := ToyStream()))
    assert stream.drawn == [0, 4, 8]
    assert len(result.seconds) == 3
    assert 2**25 < result.peak < 2**38  # torch alone takes more than 32 MiB
    assert not (tmp_path / "run").exists()
    text = "\n".join(result.lines())
    assert "an epoch of 5 steps" in text
    assert "peak memory" in text


@pytest.mark.parametrize(
    ("step", "epoch", "run"),
    [(0.01, "1.0 s", "10.0 s"), (3.0, "5.0 min", "50.0 min"), (90.0, "2.5 h", "25.0 h")],
)
def test_times_are_said_in_a_unit_that_suits_them(step: float, epoch: str, run: str) -> None:
    found = DryRun(
        seconds=(9 * step, step, 2 * step),
        waited=0.0,
        peak=2**30,
        device="cpu",
        steps_per_epoch=100,
        epochs=10,
    )
    assert f"would take about {epoch}, the run of 10 epochs about {run}," in found.lines()[1]


def test_steps_that_are_not_finite_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(NumericalError, match="1 of 3 steps"):
        dry_run(toy_trainer(tmp_path, ToyStream(bad=(5,))))
