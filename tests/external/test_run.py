"""The plugin in a stand-in clone: installed, trained, tracked with, and uninstalled without a trace."""

import json
import math
from pathlib import Path

import pytest
import torch

from tests.external.conftest import Run, tree

# Density of the tracking noise at its centre, sigmas 0.05 and 0.5 in four dimensions.
DENSITY_AT_LABEL = 0.5 * (2 * math.pi) ** -2 * (0.05**-4 + 0.5**-4)


def log_of(workspace: Path, setting: str) -> dict:
    return json.loads((workspace / "checkpoints" / "ltr" / setting / "log.json").read_text())


def own_data(folder: Path) -> dict[str, str]:
    """ImageNet weights (of the stand-in's backbone) and four sequences, one of them forbidden for VOT."""
    weights = {"layer2": torch.nn.Conv2d(3, 8, 8, 8), "layer3": torch.nn.Conv2d(8, 8, 2, 2)}
    torch.save(torch.nn.ModuleDict(weights).state_dict(), folder / "resnet50.pth")
    (folder / "small").mkdir()
    (folder / "small" / "list.txt").write_text("mine_1\nGOT-10k_Train_000003\nmine_2\nmine_3\n")
    return {
        "STANDIN_OFFLINE": "1",
        "STANDIN_RESNET50": str(folder / "resnet50.pth"),
        "STANDIN_GOT10K": str(folder / "small"),
    }


@pytest.mark.slow
def test_train_track_uninstall(clone: Path, tmp_path: Path, install: Run, in_clone_afresh: Run) -> None:
    before = tree(clone)
    assert install().returncode == 0

    trained = in_clone_afresh("ltr/run_training.py", "dimp", "dimp_nce_plus")
    assert trained.returncode == 0, trained.stderr
    log = log_of(tmp_path / "workspace", "dimp/dimp_nce_plus")
    assert log["max_epochs"] == 50
    assert [step["boxes"] for step in log["steps"]] == [[3, 20, 129, 4]] * 2
    assert all(0 < step["low"] < step["high"] < DENSITY_AT_LABEL for step in log["steps"])
    assert all(math.isfinite(step["Loss/total"]) and step["Loss/bb_ce"] > 0 for step in log["steps"])

    tracked = in_clone_afresh("pytracking/run_tracker.py", "dimp", "nce_plus")
    assert tracked.returncode == 0, tracked.stderr
    result = tmp_path / "workspace" / "tracking_results" / "dimp" / "nce_plus" / "generated.txt"
    rows = [[float(v) for v in line.split()] for line in result.read_text().splitlines()]
    assert len(rows) == 6
    assert rows[0][:4] == [100, 80, 40, 30]
    assert all(row[4] > 0 and row[:4] != rows[0][:4] for row in rows[1:])

    assert install("--uninstall").returncode == 0
    assert tree(clone) == before
    ours = ("dimp_nce", "nce_plus", "prroi_pool", "ebmtrack")
    assert not [p for p in clone.rglob("*.pyc") if p.name.startswith(ours)]


@pytest.mark.slow
def test_nce_keeps_the_label_and_a_second_run_resumes(tmp_path: Path, install: Run, in_clone: Run) -> None:
    install()
    own = own_data(tmp_path)
    for options in ({}, own):
        done = in_clone("ltr/run_training.py", "dimp", "dimp_nce", STANDIN_STEPS="1", **options)
        assert done.returncode == 0, done.stderr
    # The second time without a download and with a small set in GOT-10k's layout.
    assert f"Backbone: {own['STANDIN_RESNET50']}" in done.stdout
    assert "names 4 sequences, no whole set; 2 of them for vottrain" in done.stdout
    (step,) = log_of(tmp_path / "workspace", "dimp/dimp_nce")["steps"]
    assert step["epoch"] == 2
    assert step["low"] == pytest.approx(DENSITY_AT_LABEL, rel=1e-4)
    assert step["high"] == pytest.approx(DENSITY_AT_LABEL, rel=1e-4)


@pytest.mark.slow
def test_atom_trains_with_a_spawned_worker(tmp_path: Path, install: Run, in_clone_afresh: Run) -> None:
    install()
    options = {"STANDIN_STEPS": "1", "STANDIN_WORKERS": "1"}
    done = in_clone_afresh("ltr/run_training.py", "bbreg", "atom_nce_plus", **options)
    assert done.returncode == 0, done.stderr
    (step,) = log_of(tmp_path / "workspace", "bbreg/atom_nce_plus")["steps"]
    assert step["boxes"] == [1, 64, 129, 4]
    assert step["low"] < step["high"]


def test_tracking_without_a_network_says_where_it_looked(install: Run, in_clone: Run) -> None:
    install()
    done = in_clone("pytracking/run_tracker.py", "dimp", "nce_plus")
    assert done.returncode == 1
    assert "no dimp_nce_plus.pth.tar in" in done.stdout
    assert "run_training.py dimp dimp_nce_plus" in done.stdout
    assert "1 of 1 results are missing" in done.stderr
    assert "generated with dimp nce_plus" in done.stderr


def test_a_copied_network_comes_before_checkpoints(
    clone: Path, tmp_path: Path, install: Run, in_clone: Run
) -> None:
    install()
    networks = tmp_path / "workspace" / "networks"
    networks.mkdir(parents=True)
    (networks / "dimp_nce_plus.pth.tar").write_bytes(b"")
    (clone / "pytracking" / "ask.py").write_text(
        "import sys; sys.path.insert(0, '..')\n"
        "import ltr\n"
        "from pytracking.parameter.dimp import nce_plus\n"
        "print(nce_plus.parameters().net.net_path, nce_plus.parameters().box_refinement_iter)\n"
    )
    done = in_clone("pytracking/ask.py")
    assert done.stdout.split() == [str(networks / "dimp_nce_plus.pth.tar"), "10"], done.stderr
