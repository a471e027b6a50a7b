"""A run whose losses are never finite, through the command."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ltr.run_training import main


@pytest.mark.slow
def test_losses_that_are_never_finite_end_the_run_with_evidence(
    workspace: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(images: torch.Tensor, *others: Any, **statistics: Any) -> torch.Tensor:
        return torch.full(images.shape, float("nan"))

    monkeypatch.setattr("ltr.actors.network_actor.normalise_images", spoilt)
    command = ["dimp", "dimp_nce_plus_small", "--scale=tiny", "--batch-size=2", "--samples=12", "--epochs=1"]
    assert main([*command, "--workers=0", "--threads=1", "--no-validate", "--workspace", str(workspace)]) == 2
    assert "not finite in 4 steps, 3 are allowed" in capsys.readouterr().err
    folder = workspace / "checkpoints" / "ltr" / "dimp" / "dimp_nce_plus_small"
    evidence = sorted(folder.glob("nonfinite_*.pt"))
    assert len(evidence) == 4
    content = torch.load(evidence[0], weights_only=True)
    assert content["batch"]["train_images"].shape[1] == len(content["batch"]["sequence"]) == 2
    assert all(value.isfinite().all() for value in content["net"].values())
    assert not list(folder.glob("*.pth.tar"))
