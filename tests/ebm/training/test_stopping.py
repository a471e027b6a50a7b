"""Signals become requests inside the context and act as usual outside."""

import os
import signal

import pytest

from ebm.training.stopping import StopRequest


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_is_a_request(signum: int, code: int) -> None:
    with StopRequest() as stop:
        assert stop.exit_code == 0
        os.kill(os.getpid(), signum)
        assert stop.signum == signum
        assert stop.exit_code == code


def test_the_second_interrupt_is_a_keyboard_interrupt() -> None:
    with StopRequest():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
