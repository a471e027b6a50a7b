"""A missing package is named with the extra that brings it."""

import importlib.util

import pytest

from ebm.exceptions import EBMError, MissingPackageError
from ebm.extras import explain_missing, require_track


def test_all_that_is_missing_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    find, absent = importlib.util.find_spec, {"cv2", "tqdm"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in absent else find(name))
    with pytest.raises(
        MissingPackageError, match=r"cv2, tqdm are needed for trackers .*ebmtrack\[track\]"
    ) as caught:
        require_track("trackers")
    assert isinstance(caught.value, ImportError)
    assert isinstance(caught.value, EBMError)
    assert caught.value.name == "cv2"


def test_without_torch_what_stands_on_it_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = {"torch", "torchvision", "safetensors"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in absent else object())
    require_track("trackers")
    absent.remove("torch")
    with pytest.raises(MissingPackageError, match="torchvision, safetensors"):
        require_track("trackers")


def test_an_extra_of_its_own_is_named() -> None:
    assert "pip install 'ebmtrack[eval]'; in a clone" in str(explain_missing("plots", "matplotlib"))
