"""The package's front door: cheap to open, complete, and torch is all it needs."""

import subprocess
import sys

import pytest

import ebm


def test_every_public_name_is_there_once() -> None:
    assert sorted(ebm.__all__) == sorted(name for names in ebm._HOME.values() for name in names)
    assert all(getattr(ebm, name) is not None for name in ebm.__all__)
    assert set(ebm.__all__) <= set(dir(ebm))
    with pytest.raises(AttributeError, match="no attribute 'nces'"):
        ebm.nces  # noqa: B018


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_the_package_imports_nothing_else() -> None:
    assert run("import sys, ebm; print('torch' in sys.modules)").strip() == "False"


def test_all_of_it_needs_only_torch() -> None:
    code = """
import sys, torch
before = {name.partition('.')[0] for name in sys.modules}
from ebm import *
import ebm
print(sorted({name.partition('.')[0] for name in sys.modules} - before - set(sys.stdlib_module_names)))
"""
    assert run(code).strip() == "['ebm']"
