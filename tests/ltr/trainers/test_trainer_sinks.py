"""A training hands its numbers to every sink, and goes on whatever these do."""

from pathlib import Path

from ebm.sinks import Sinks
from tests.ebm.sinks.test_sinks import Broken, Recorder
from tests.ltr.trainers.toy import ToyStream, toy_trainer


def test_every_epoch_reaches_every_sink(tmp_path: Path) -> None:
    good, said = Recorder(), []
    trainer = toy_trainer(tmp_path, ToyStream(), validate=True)
    trainer.sinks = Sinks([("good", lambda: good)], said.append)
    assert trainer.run() == 0
    trainer.sinks.close()
    assert [(loader, epoch) for loader, epoch, _ in good.rows] == [
        (loader, epoch) for epoch in (1, 2, 3) for loader in ("train", "val")
    ]
    assert good.rows[0][2].keys() >= {"Loss/total", "LearningRate/group0", "samples_per_second", "data_wait"}
    assert good.closed
    assert not said


def test_a_sink_that_fails_is_said_once_and_the_others_go_on(tmp_path: Path) -> None:
    good, broken, said = Recorder(), Broken(), []
    trainer = toy_trainer(tmp_path, ToyStream())
    trainer.sinks = Sinks([("bad", lambda: broken), ("good", lambda: good)], said.append)
    assert trainer.run() == 0
    trainer.sinks.close()
    assert said == ["--log-to bad is off for the rest of this run: No space left on device. The run goes on."]
    assert len(broken.rows) == 2
    assert len(good.rows) == 3
