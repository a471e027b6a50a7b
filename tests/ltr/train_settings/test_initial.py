"""Fine-tuning: a run that begins with a network's weights, and knows with which."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ebm.exceptions import InputError
from ltr.admin.checkpoint_io import network_fields, write_checkpoint
from ltr.admin.loading import read_checkpoint
from ltr.run_training import main
from ltr.train_settings.build import build_network
from ltr.train_settings.recipe import find_recipe
from tests.ltr.train_settings.runs import RUN, SMALL

RECIPE = find_recipe("dimp", "dimp_nce_plus_small")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small network of another seed."""
    path = tmp_path_factory.mktemp("initial") / "begin.pth.tar"
    write_checkpoint(path, network_fields(build_network(replace(RECIPE, seed=7)).net))
    return path


def test_the_network_has_the_weights_of_the_file(file: Path) -> None:
    built = build_network(RECIPE, initial=file)
    assert f"begins with {file}" in built.note
    wanted = read_checkpoint(file)["net"]
    state = built.net.state_dict()
    assert wanted.keys() == state.keys()
    assert all(torch.equal(value, wanted[key]) for key, value in state.items())


def test_weights_of_another_network_or_normalisation_are_refused(file: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--init-weights .* does not fit ATOMnet"):
        build_network(find_recipe("bbreg", "atom_nce_plus_small"), initial=file)
    fields = read_checkpoint(file)
    other = tmp_path / "other.pth.tar"
    write_checkpoint(other, {**fields, "net_info": {**fields["net_info"], "input_mean": [0.0, 0.0, 0.0]}})
    with pytest.raises(InputError, match="another normalisation"):
        build_network(RECIPE, initial=other)


@pytest.mark.slow
def test_a_run_begins_there_goes_on_and_is_no_run_without(
    file: Path, workspace: Path, capsys: pytest.CaptureFixture
) -> None:
    command = [*SMALL, "--workspace", str(workspace), "--samples=4", "--workers=0"]
    command += ["--set", "geometry.crop_size=64"]
    tuned = ["--init-weights", str(file)]
    assert main([*command, *tuned, "--epochs=1"]) == 0
    content = read_checkpoint(workspace / RUN / "DiMPnet_ep0001.pth.tar")
    assert content["resume"]["initial"].startswith("begin.pth.tar ")
    begun, fresh = read_checkpoint(file)["net"], build_network(RECIPE).net.state_dict()
    key = "bb_regressor.conv3_1r.0.weight"
    # One step of Adam moves no weight far; the first has a rate of 0.
    far = torch.dist(content["net"][key], fresh[key])
    assert 0 < torch.dist(content["net"][key], begun[key]) < 0.2 * far
    assert main([*command, *tuned, "--epochs=1"]) == 0
    assert "Training is finished" in capsys.readouterr().out
    assert main([*command, "--epochs=1"]) == 2
    assert "initial weights: begin.pth.tar" in capsys.readouterr().err
    assert main([*command, "--init-weights", str(workspace / "none.pth.tar")]) == 2
    assert "there is no file" in capsys.readouterr().err
    still = [*command, *tuned, "--epochs=1", "--set", "network.still_norms=True"]
    assert main(still) == 2
    assert "network.still_norms: None -> True" in capsys.readouterr().err
    assert main([*still, "--resume=none"]) == 0
    assert "all batch norms keep their statistics\n" in capsys.readouterr().out
    tuned_net = read_checkpoint(workspace / RUN / "DiMPnet_ep0001.pth.tar")["net"]
    moved = {name for name, value in tuned_net.items() if not torch.equal(value, begun[name])}
    assert key in moved
    assert not [name for name in moved if "running_" in name]
    assert main(still) == 0
    assert "Training is finished" in capsys.readouterr().out
