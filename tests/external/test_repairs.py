"""What a clone does wrong on current torch happens in the stand-in, and does not with the repairs."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.external.conftest import Run, tree

PLACES = [
    "ltr/admin/environment.py",
    "ltr/admin/loading.py",
    "ltr/trainers/base_trainer.py",
    "pytracking/evaluation/environment.py",
    "pytracking/evaluation/running.py",
    "pytracking/features/preprocessing.py",
    "pytracking/libs/tensorlist.py",
]
OWN = ["ltr/__init__.py", "ltr/run_training.py", "pytracking/run_tracker.py"]

# Prints what the clone does, one value per fault.
ASK = """
import contextlib, io, json, os, sys
from types import SimpleNamespace
sys.path.insert(0, "..")
import ltr, numpy, torch
from ltr.trainers.base_trainer import BaseTrainer
from pytracking.features.preprocessing import sample_patch, sample_patch_multiscale
from pytracking.libs import TensorList

def outcome(call):
    try:
        return call()
    except BaseException as error:
        return f"{type(error).__name__}: {error}"

image, position, size = torch.rand(1, 3, 480, 640), torch.tensor([200.7, 300.2]), torch.tensor([288.0, 288.0])
patch, corners = sample_patch(image, position, size)
_, scaled = sample_patch_multiscale(image, position, [1.0], size)
leaves = TensorList([torch.ones(2, requires_grad=True)])
slopes = lambda: [g.tolist() for g in torch.autograd.grad((leaves[0] ** 2).sum(), leaves)]

class Crashing(BaseTrainer):
    def load_checkpoint(self):
        self.epoch = 0
    def train_epoch(self):
        self.calls = getattr(self, "calls", 0) + 1
        raise self.settings

class Stumbling(BaseTrainer):
    done = ()

    def train_epoch(self):
        self.done += (self.epoch,)
        if len(self.done) == 1:
            raise ValueError("once")

    def load_checkpoint(self):
        pass  # there is none yet

    def save_checkpoint(self):
        pass

def stumbled():
    trainer = Stumbling(None, [], None, None)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        trainer.train(2)
    return trainer.done

def crashed(error):
    trainer = Crashing(None, [], None, error)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        end = outcome(lambda: trainer.train(3))
    return [end, trainer.calls]

def broken(module, environment):
    file = environment.__file__.replace("environment.py", "local.py")
    with open(file, "w") as local:
        local.write("lasot = (\\n")
    sys.modules.pop(module, None)
    return [outcome(environment.env_settings), open(file).read()]

from ltr.ebmtrack.backbone import build_network
from ltr.ebmtrack.got10k import got10k
from ltr.models.tracking.dimpnet import dimpnet50
folder = os.environ["STANDIN_WORKSPACE"]
os.makedirs(folder + "/one")
with open(folder + "/list.txt", "w") as table, open(folder + "/one/list.txt", "w") as short:
    table.writelines(f"GOT-10k_Train_{n:06d}\\n" for n in range(1, 23))
    short.write("alone\\n")
torch.save({"conv1.weight": torch.zeros(1)}, folder + "/other.pth")

def weights(name):
    options = SimpleNamespace(env=SimpleNamespace(resnet50_weights=folder + name))
    return outcome(lambda: build_network(dimpnet50, options, 50, "", filter_size=4))

import ltr.admin.environment as training_places, pytracking.evaluation.environment as tracking_places
print(json.dumps({
    "patch": list(patch.shape[-2:]), "corners": corners[0].tolist(), "scaled": scaled[0].tolist(),
    "slopes": outcome(slopes),
    "mask": outcome(lambda: str(numpy.zeros(2, dtype=numpy.float).dtype)),
    "parts": [got10k(folder, split).sequences for split in ("vottrain", "votval")],
    "short": outcome(lambda: got10k(folder + "/one", "votval")),
    "nowhere": outcome(lambda: got10k("", "votval")),
    "whole": len(got10k(training_places.env_settings().got10k_dir, "votval").sequences),
    "absent": weights("/absent.pth"), "other": weights("/other.pth"),
    "stumble": stumbled(),
    "crash": crashed(ValueError("bad batch")), "interrupt": crashed(KeyboardInterrupt()),
    "ltr": broken("ltr.admin.local", training_places),
    "pytracking": broken("pytracking.evaluation.local", tracking_places),
}))
"""


def ask(clone: Path, in_clone: Run) -> dict[str, Any]:
    (clone / "pytracking" / "ask.py").write_text(ASK)
    done = in_clone("pytracking/ask.py")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_clone_alone_is_wrong(clone: Path, install: Run, in_clone: Run) -> None:
    assert install("--no-repairs").returncode == 0
    found = ask(clone, in_clone)
    assert found["patch"] == [289, 289]
    assert found["corners"] == [56.5, 156.5, 345, 445]
    assert "have to be Tensors" in found["slopes"]
    assert found["crash"] == [None, 10]
    assert found["interrupt"] == [None, 10]
    for side in ("ltr", "pytracking"):
        assert "not set up" in found[side][0]
        assert found[side][1] != "lasot = (\n"


def test_the_repairs_mend_it(clone: Path, install: Run, in_clone: Run) -> None:
    before = tree(clone)
    assert install().returncode == 0
    found = ask(clone, in_clone)
    assert found["patch"] == [288, 288]
    assert found["corners"] == found["scaled"] == [57, 157, 345, 445]
    assert found["slopes"] == [[2, 2]]
    assert found["mask"] == "float64"
    train, validation = found["parts"]
    assert validation == ["GOT-10k_Train_000011", "GOT-10k_Train_000021"]
    assert len({*train, *validation}) == len(train) + len(validation) == 21
    assert "GOT-10k_Train_000003" not in train  # forbidden for VOT
    assert found["whole"] == 8  # as PyTracking's own split says
    assert "names 1 sequences" in found["short"]
    assert "No list.txt in got10k_dir = ''" in found["nowhere"]
    assert "absent.pth of ImageNet weights" in found["absent"]
    assert "other.pth holds no weights of this ResNet-50" in found["other"]
    assert found["stumble"] == [1, 1, 2]  # the epoch that failed is made again
    assert found["crash"] == ["ValueError: bad batch", 10]
    assert found["interrupt"] == ["KeyboardInterrupt: ", 1]
    for side in ("ltr", "pytracking"):
        assert "local.py cannot be used: SyntaxError" in found[side][0]
        assert found[side][1] == "lasot = (\n"
    assert install("--uninstall").returncode == 0
    assert tree(clone).keys() - before.keys() == {"pytracking/ask.py"}


# Writes checkpoints as PyTracking does, one under the former package name, one that names another function.
NETWORKS = """
import sys, types
sys.path.insert(0, "..")
import os, torch, ltr
from ltr.admin.model_constructor import NetConstructor
from ltr.admin.settings import Settings
from ltr.admin.stats import AverageMeter
from ltr.models.tracking.dimpnet import dimpnet50

folder = os.environ["STANDIN_WORKSPACE"] + "/networks/"
os.makedirs(folder, exist_ok=True)
net = dimpnet50(filter_size=4, backbone_pretrained=False)
state = {"net": net.state_dict(), "constructor": net.constructor, "stats": {"Loss": AverageMeter()}}
torch.save({**state, "settings": Settings()}, folder + "super_dimp.pth.tar")
hostile = NetConstructor("system", "os", (f"touch {folder}ran",), {})
torch.save({**state, "constructor": hostile}, folder + "hostile.pth.tar")
borrowed = NetConstructor("Path", "ltr.dataset", (folder,), {})
torch.save({**state, "constructor": borrowed}, folder + "borrowed.pth.tar")
old = types.ModuleType("dlframework.common.utils.model_constructor")
old.NetConstructor = type("NetConstructor", (), {"__module__": old.__name__})
for name in ("dlframework", "dlframework.common", "dlframework.common.utils"):
    sys.modules[name] = types.ModuleType(name)
sys.modules[old.__name__] = old
aged = old.NetConstructor()
aged.__dict__.update(net.constructor.__dict__)
torch.save({**state, "constructor": aged}, folder + "aged.pth")
"""
LOAD = """
import os, sys
sys.path.insert(0, "..")
import ltr
folder = os.environ["STANDIN_WORKSPACE"] + "/networks/"
print(type(ltr.load_network(folder + "aged.pth", backbone_pretrained=False)[0]).__name__)
for name in ("hostile", "borrowed"):
    try:
        ltr.load_network(folder + name + ".pth.tar")
    except ValueError as error:
        print(error, os.path.exists(folder + "ran"))
"""


@pytest.mark.slow
def test_the_clones_own_parameters_track(clone: Path, tmp_path: Path, install: Run, in_clone: Run) -> None:
    assert install("--no-repairs").returncode == 0
    (clone / "pytracking" / "write.py").write_text(NETWORKS)
    (clone / "pytracking" / "load.py").write_text(LOAD)
    assert in_clone("pytracking/write.py").returncode == 0
    result = tmp_path / "workspace" / "tracking_results" / "dimp" / "super_dimp" / "generated.txt"
    alone = in_clone("pytracking/run_tracker.py", "dimp", "super_dimp")
    assert "Weights only load failed" in alone.stdout
    assert alone.stdout.endswith("Done\n")
    assert (alone.returncode, result.exists()) == (0, False)

    assert install().returncode == 0
    mended = in_clone("pytracking/run_tracker.py", "dimp", "super_dimp")
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert len(result.read_text().splitlines()) == 6

    loaded = in_clone("pytracking/load.py")
    assert loaded.stdout.startswith("DiMPnet\n"), loaded.stderr
    refused = loaded.stdout.splitlines()[1:]
    for line, name in zip(refused, ("os.system", "ltr.dataset.Path"), strict=True):
        assert f"built by {name}, which is not of this clone" in line
        assert line.endswith("False")


@pytest.mark.parametrize(
    ("path", "old", "new", "named"),
    [
        ("pytracking/features/preprocessing.py", "is_mask=False", "is_mask=False, pad=0", "sample_patch("),
        ("pytracking/features/preprocessing.py", "def sample_patch(", "def take_patch(", "sample_patch("),
        ("ltr/trainers/base_trainer.py", "fail_safe", "safely", "BaseTrainer.train("),
        ("ltr/admin/loading.py", "import torch", "import torch (", "torch_load_legacy("),
    ],
)
def test_a_place_that_is_not_as_described_is_named_and_the_rest_is_done(
    clone: Path, install: Run, path: str, old: str, new: str, named: str
) -> None:
    file = clone / path
    file.write_text(file.read_text().replace(old, new))
    before = tree(clone)
    done = install()
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("not mended: ")]
    assert named in line
    assert "not found in" in line
    changed = {place for place in [*PLACES, *OWN] if tree(clone)[place] != before[place]}
    assert changed == {*PLACES, *OWN} - {path}
    assert install("--uninstall").returncode == 0
    assert tree(clone) == before


def test_two_definitions_are_none(clone: Path, install: Run) -> None:
    twin = clone / "pytracking" / "features" / "twin.py"
    twin.write_bytes((clone / "pytracking" / "features" / "preprocessing.py").read_bytes())
    done = install()
    assert done.returncode == 1
    assert "defined in pytracking/features/preprocessing.py, pytracking/features/twin.py" in done.stderr


def test_the_repairs_can_be_left_out_and_taken_out(clone: Path, install: Run) -> None:
    before = tree(clone)
    assert install().returncode == 0
    assert {place for place in PLACES if tree(clone)[place] == before[place]} == set()
    assert install("--no-repairs").returncode == 0
    assert {place for place in PLACES if tree(clone)[place] != before[place]} == set()
