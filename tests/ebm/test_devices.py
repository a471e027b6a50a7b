"""Devices by name."""

import pytest
import torch

from ebm.devices import resolve_device
from ebm.exceptions import InputError


def test_cpu_and_auto() -> None:
    assert resolve_device("cpu") == torch.device("cpu")
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert resolve_device().type == resolve_device("auto").type == expected


@pytest.mark.parametrize("name", ["gpu", "", "meta", "cuda:x", "xla"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(InputError, match="pass auto, cpu, cuda, cuda:N or mps"):
        resolve_device(name)


def test_a_device_that_is_not_there() -> None:
    missing = f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(InputError, match=f"'{missing}' was asked for, but torch sees"):
        resolve_device(missing)


def test_auto_prefers_cuda(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("auto").type == "cuda"
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(InputError, match=r"2 CUDA device\(s\)"):
        resolve_device("cuda:2")
