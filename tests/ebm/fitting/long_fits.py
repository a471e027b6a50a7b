"""Small fits of every kind that a long one may be, and Ctrl-C at a chosen epoch."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ebm
from ebm.fitting import loop

QUICK: dict[str, Any] = {"progress": False, "hidden": (4,), "epochs": 6, "patience": 2, "num_samples": 8}


def rows(dim: int = 1, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((count, 2))
    y = x[:, :1] + 0.3 * rng.standard_normal((count, dim))
    return x, y[:, 0] if dim == 1 else y


def noisy_features() -> nn.Module:
    """With batch statistics, and noise that no generator of ours draws."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return nn.Sequential(nn.Linear(2, 6), nn.BatchNorm1d(6), nn.SiLU(), nn.Dropout(0.3))


def fit(kind: str, **options: Any) -> ebm.FittedEBM:
    """One fit of a kind."""
    kinds: dict[str, dict[str, Any]] = {
        "one": {"learning_rate": 0.1},  # so large that it cools down early
        "members": {"members": 2},
        "corrected": {"model": "mdn-2+energy"},
        "corrected members": {"model": "gaussian+energy", "members": 2},
        "several targets": {"dim": 4, "model": "energy"},
        "own features": {"feature_net": noisy_features()},
        "own members": {"feature_net": noisy_features(), "members": 2},
    }
    given = kinds[kind] | options
    x, y = rows(given.pop("dim", 1))
    return ebm.fit(x, y, **{name: value for name, value in (QUICK | given).items() if value is not None})


KINDS = (
    "one",
    "members",
    "corrected",
    "corrected members",
    "several targets",
    "own features",
    "own members",
)


@contextmanager
def interrupted_at(epoch: int) -> Iterator[None]:
    """Ctrl-C in the middle of an epoch, counted from 0 over all stages of a fit."""
    counted = iter(range(10**6))
    whole = loop._epoch

    def epoch_or_not(*args: Any) -> float:
        if next(counted) == epoch:
            args[1](torch.arange(4)).backward()  # a step is half done
            raise KeyboardInterrupt
        return whole(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "_epoch", epoch_or_not)
        yield


def same(a: ebm.FittedEBM, b: ebm.FittedEBM) -> None:
    """Equal to the bit, in weights and history, but for the time taken."""
    one, other = a.model.state_dict(), b.model.state_dict()
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name
    assert a.history.train_loss == b.history.train_loss
    assert a.history.held_out_nll == b.history.held_out_nll
    assert a.history.best_epoch == b.history.best_epoch
