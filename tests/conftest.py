"""Fixtures that every test package shares."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import hypothesis
import pytest
import torch

# Annotation indices of test data stay out of the cache of whoever runs the tests.
os.environ.setdefault("EBMTRACK_CACHE", tempfile.mkdtemp(prefix="ebmtrack-tests-"))
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs that way, and children inherit it: Ctrl-C could not be tested.
    signal.signal(signal.SIGINT, signal.default_int_handler)
# A machine that others use takes its time: a deadline would fail tests by chance.
hypothesis.settings.register_profile("ebmtrack", deadline=None)
hypothesis.settings.load_profile("ebmtrack")
torch.set_num_threads(int(os.environ.get("EBMTRACK_TEST_THREADS", "1")))


@pytest.fixture(autouse=True)
def environment_as_it_was() -> Iterator[None]:
    """Variables that a command sets for its own process (``--workspace``) end with the test that ran it."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture
def generator() -> torch.Generator:
    """A CPU generator with a fixed seed."""
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of real sequences, results and images; tests that need it skip where it is absent."""
    value = os.environ.get("EBMTRACK_TEST_DATA", "")
    if not value:
        pytest.skip("real data absent: EBMTRACK_TEST_DATA is not set")
    folder = Path(value)
    if not folder.is_dir():
        pytest.skip(f"real data absent: EBMTRACK_TEST_DATA={value} is no folder")
    return folder
