"""The light training begins alike and ends alike: the same command gives the same bits."""

from pathlib import Path

import pytest

from ltr.admin.checkpoint_io import network_fields, write_checkpoint
from ltr.run_training import main
from ltr.train_settings.build import build_network
from ltr.train_settings.recipe import find_recipe
from tests.ltr.train_settings.runs import assert_same_run, linked

SETTING = ("bbreg", "atom_nce_plus_lite")


@pytest.mark.slow
def test_the_light_training_run_twice_gives_the_same_bits(
    generated_tiny: Path, tmp_path: Path, nothing_configured: None
) -> None:
    file = tmp_path / "begin.pth.tar"  # in place of the ImageNet weights of another package
    write_checkpoint(file, network_fields(build_network(find_recipe(*SETTING), resumed="imagenet").net))
    ends = []
    for name, workers in (("first", "0"), ("second", "1")):
        folder = linked(generated_tiny, tmp_path / name)
        command = [*SETTING, "--init-weights", str(file), "--workspace", str(folder), "--workers", workers]
        command += ["--epochs=1", "--samples=8", "--batch-size=4", "--threads=1", "--no-validate"]
        assert main([*command, "--datasets=generated", "--scale=tiny"]) == 0
        ends.append(folder / "checkpoints/ltr/bbreg/atom_nce_plus_lite/ATOMnet_ep0001.pth.tar")
    assert_same_run(*ends)
