"""Checkpoint files: what is written comes back, published spellings are read, misfits are named."""

import os
import subprocess
import sys
import types
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from ebm.exceptions import InputError, UnknownNameError
from ltr.admin.checkpoint_io import network_fields, write_checkpoint
from ltr.admin.loading import latest_checkpoint, load_network
from ltr.admin.model_constructor import NetConstructor, model_constructor
from ltr.models.tracking.dimpnet import dimpnet_small


def same_weights(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(
        torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    )


def test_what_is_written_comes_back(net, written: Path) -> None:
    loaded, fields = load_network(written)
    assert same_weights(net, loaded)
    assert not loaded.training
    assert loaded.info == net.info
    assert loaded.classifier.filter_optimizer.num_iter == 2
    assert (fields["epoch"], fields["net_type"]) == (3, "DiMPnet")
    assert loaded.constructor.kwds == {"optim_iter": 2}
    assert sorted(p.name for p in written.parent.iterdir()) == [written.name]


def test_overrides_reach_the_constructor_and_unknown_ones_are_named(written: Path) -> None:
    assert load_network(written, optim_iter=4)[0].classifier.filter_optimizer.num_iter == 4
    with pytest.raises(UnknownNameError, match="did you mean 'optim_iter'"):
        load_network(written, optim_itr=4)


@pytest.fixture
def foreign_modules() -> Iterator[Callable[[str, str], type]]:
    """Makes classes that pickle under another module's name, as the published files do."""
    before = dict(sys.modules)

    def make(module: str, name: str) -> type:
        parts = module.split(".")
        for k in range(1, len(parts) + 1):
            sys.modules.setdefault(".".join(parts[:k]), types.ModuleType(".".join(parts[:k])))
        cls = type(name, (), {"__module__": module})
        sys.modules[module].__dict__[name] = cls
        return cls

    yield make
    sys.modules.clear()
    sys.modules.update(before)


def published_fields(net, make: Callable[[str, str], type], package: str, constructor_module: str) -> dict:
    def instance(module: str, name: str, **state: object) -> object:
        value = make(f"{package}.{module}", name)()
        value.__dict__.update(state)
        return value

    environment = instance("local", "EnvironmentSettings", workspace_dir="/home/somebody")
    meter = instance(
        "stats", "AverageMeter", val=0.5, avg=0.4, sum=4.0, count=10, history=[0.4], has_new_data=True
    )
    rate = instance("stats", "StatValue", val=1e-3, history=[1e-3])
    constructor = instance(
        "model_constructor", "NetConstructor",
        fun_name="dimpnet_small", fun_module=constructor_module, args=(), kwds={"optim_iter": 2},
    )  # fmt: skip
    return {
        "epoch": 50,
        "actor_type": "DiMPActor",
        "net_type": "DiMPnet",
        "net": OrderedDict(net.state_dict()),
        "net_info": None,
        "constructor": constructor,
        "optimizer": {"state": {}, "param_groups": [{"lr": 1e-3, "params": [0]}]},
        "stats": OrderedDict(train=OrderedDict({"Loss/total": meter, "LearningRate/group0": rate})),
        "settings": instance("settings", "Settings", env=environment, use_gpu=True, batch_size=10),
        "lr_scheduler": {"last_epoch": 50},
    }


@pytest.mark.parametrize("zip_container", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    ("package", "constructor_module"),
    [
        ("dlframework.common.utils", "dlframework.ltr.models.tracking.dimpnet"),
        ("dlframework.common.utils", "dlframework.models.tracking.dimpnet"),
        ("dlframework.common.utils", "ltr.models.tracking.dimpnet"),
    ],
)
def test_published_files_are_read(
    net, tmp_path: Path, foreign_modules, zip_container: bool, package: str, constructor_module: str
) -> None:
    path = tmp_path / "published.pth"
    fields = published_fields(net, foreign_modules, package, constructor_module)
    torch.save(fields, path, _use_new_zipfile_serialization=zip_container)
    loaded, fields = load_network(path)
    assert same_weights(net, loaded)
    assert fields["stats"]["train"]["Loss/total"].avg == 0.4
    assert fields["settings"].env.workspace_dir == "/home/somebody"


def test_the_present_spelling_is_read_too(net, tmp_path: Path) -> None:
    """As the published framework writes it now; made by a process in which its modules are stand-ins."""
    path = tmp_path / "present.pth.tar"
    script = """
import sys, types, torch
def make(module, name):
    parts = module.split(".")
    for k in range(1, len(parts) + 1):
        sys.modules.setdefault(".".join(parts[:k]), types.ModuleType(".".join(parts[:k])))
    cls = type(name, (), {"__module__": module})
    setattr(sys.modules[module], name, cls)
    return cls()
constructor = make("ltr.admin.model_constructor", "NetConstructor")
constructor.__dict__.update(fun_name="dimpnet_small", fun_module="ltr.models.tracking.dimpnet")
constructor.__dict__.update(args=(), kwds={"optim_iter": 2})
fields = {"net": torch.load(sys.argv[1], weights_only=True), "constructor": constructor,
          "net_type": "DiMPnet", "epoch": 1,
          "settings": make("ltr.admin.settings", "Settings"),
          "environment": make("ltr.admin.local", "EnvironmentSettings"),
          "stats": [make("ltr.admin.stats", "AverageMeter"), make("ltr.admin.stats", "StatValue")]}
torch.save(fields, sys.argv[2])
"""
    state = tmp_path / "state.pth"
    torch.save(net.state_dict(), state)
    subprocess.run(
        [sys.executable, "-c", script, state, path], check=True, cwd=tmp_path, env=_without_paths()
    )
    assert same_weights(net, load_network(path)[0])


def _without_paths() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


def test_a_constructor_of_ones_own_joins_by_being_decorated(tmp_path: Path) -> None:
    @model_constructor
    def tiny_net(width: int = 2) -> torch.nn.Module:
        return torch.nn.Linear(width, 1)

    path = tmp_path / "own.pth"
    mine = tiny_net(width=5)
    write_checkpoint(path, network_fields(mine))
    assert same_weights(mine, load_network(path)[0])


def test_recorded_arguments_that_no_longer_fit_are_an_error(net, tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    constructor = NetConstructor("dimpnet_small", "ltr.models.tracking.dimpnet", (), {"no_such": 1})
    write_checkpoint(path, {**network_fields(net), "constructor": constructor})
    with pytest.raises(InputError, match="does not fit its signature.*no_such"):
        load_network(path)


def test_weights_of_another_network_name_the_keys(net, tmp_path: Path) -> None:
    path = tmp_path / "mixed.pth"
    other = dimpnet_small(clf_feat_blocks=1, iou_input_dim=(32, 32))
    write_checkpoint(path, {**network_fields(net), "net": other.state_dict()})
    with pytest.raises(InputError) as caught:
        load_network(path)
    message = str(caught.value)
    assert "keys missing (classifier.feature_extractor.0.weight)" in message
    assert "keys unexpected (classifier.feature_extractor.0.conv1.weight, " in message
    assert "of another shape (bb_regressor." in message


def test_weights_that_are_not_finite_are_refused(net, tmp_path: Path) -> None:
    path = tmp_path / "nan.pth"
    state = {k: v.clone() for k, v in net.state_dict().items()}
    state["feature_extractor.conv1.weight"][0, 0, 0, 0] = float("nan")
    write_checkpoint(path, {**network_fields(net), "net": state})
    with pytest.raises(InputError, match=r"NaN or infinite numbers in feature_extractor\.conv1\.weight"):
        load_network(path)


def test_missing_batch_counters_count_as_zero(net, tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    state = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    write_checkpoint(path, {**network_fields(net), "net": state})
    loaded = load_network(path)[0]
    assert loaded.feature_extractor.bn1.num_batches_tracked == 0
    assert torch.equal(loaded.feature_extractor.conv1.weight, net.feature_extractor.conv1.weight)


def test_a_full_disk_keeps_the_old_file(written: Path) -> None:
    """A real refusal by the system: the process may not write files of more than 64 kB."""
    before = written.read_bytes()
    script = """
import resource, sys, torch
from ebm.exceptions import InputError
from ltr.admin.checkpoint_io import write_checkpoint
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    write_checkpoint(sys.argv[1], {"net": {"w": torch.zeros(1_000_000)}})
except InputError as error:
    print(error)
"""
    result = subprocess.run(
        [sys.executable, "-c", script, written], check=True, capture_output=True, text=True
    )
    assert "cannot be written" in result.stdout
    assert "previous file of that name is unchanged" in result.stdout
    assert written.read_bytes() == before
    assert [p.name for p in written.parent.iterdir()] == [written.name]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_checkpoint(tmp_path / "file" / "x.pth", {"net": {}})


def test_the_latest_checkpoint_is_that_of_the_highest_epoch(written: Path) -> None:
    late = written.with_name("DiMPnet_ep0010.pth.tar")
    late.write_bytes(written.read_bytes())
    written.with_name("DiMPnet_ep0099.tmp").write_bytes(b"")
    assert latest_checkpoint(written.parent) == late
    assert load_network(written.parent)[1]["epoch"] == 3
    with pytest.raises(InputError, match="No checkpoint"):
        latest_checkpoint(written.parent.parent)
    with pytest.raises(InputError, match="No folder"):
        latest_checkpoint(written.parent / "absent")
