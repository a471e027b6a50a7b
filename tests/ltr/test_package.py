"""What ``import ltr`` offers, and what it does not load."""

import subprocess
import sys

import pytest

import ltr


def test_published_names() -> None:
    from ltr.admin.loading import load_network
    from ltr.admin.model_constructor import model_constructor

    assert ltr.load_network is load_network
    assert ltr.model_constructor is model_constructor
    with pytest.raises(AttributeError, match="no_such"):
        _ = ltr.no_such


def test_importing_the_package_loads_nothing_heavy() -> None:
    script = "import sys, ltr; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "False"
