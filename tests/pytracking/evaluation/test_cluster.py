"""A real Ray cluster of two machines, one of which is killed: every sequence finishes, none twice."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ebm.exceptions import EBMError
from pytracking.evaluation.cluster import ClusterOptions
from pytracking.evaluation.results import ResultFolder
from pytracking.evaluation.running import run_dataset
from pytracking.evaluation.spec import make_spec
from tests.pytracking.evaluation.tiny import otb_layout, write_otb

LENGTHS = {f"s{number}": 12 + 4 * number for number in range(8)}
RAY = "ray is not installed: pip install 'ebmtrack[cluster]'; .ci/cluster"

# For all processes of the cluster: first_box becomes a tracker that takes its time and walks at random.
WALKER = """
import os
if os.environ.get("EBMTRACK_WALKER"):
    import importlib.abc, importlib.util, sys

    class Patch(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path, target=None):
            if name != "pytracking.tracker.registry":
                return None
            sys.meta_path.remove(self)
            spec = importlib.util.find_spec(name)
            run = spec.loader.exec_module
            def exec_module(module):
                run(module)
                import walker
                module.TRACKERS["first_box"] = lambda params, options: walker.Walker(options.seed)
            spec.loader.exec_module = exec_module
            return spec

    sys.meta_path.insert(0, Patch())
"""
TRACKER = """
import time
import numpy as np
from pytracking.tracker.base import Flag, Tracked
from pytracking.tracker.first_box import FirstBox

class Walker(FirstBox):
    def __init__(self, seed=0):
        super().__init__()
        self.drawn = np.random.default_rng(seed)
    def twin(self):
        return Walker()
    def track(self, image):
        time.sleep(0.05)
        self._box[:2] += self.drawn.normal(size=2)
        return Tracked(box=self._box.copy(), score=float(self.drawn.random()), flag=Flag.NORMAL)
"""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, list[Any]]]:
    """Two machines of two cores each, in processes of this one; the driver's has none for tasks."""
    ray = pytest.importorskip("ray", reason=RAY)
    from ray.cluster_utils import Cluster

    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(WALKER)
    (tmp_path / "site/walker.py").write_text(TRACKER)
    paths = [str(tmp_path / "site"), str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("EBMTRACK_WALKER", "1")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    for name in ("gcs_server_port_wait_time_s", "worker_register_timeout_seconds"):  # a busy machine is slow
        monkeypatch.setenv(f"RAY_{name}", "300")
    options = {"object_store_memory": 80 << 20}
    head = {"num_cpus": 0, "include_dashboard": False, **options}
    made = Cluster(initialize_head=True, head_node_args=head)
    try:
        nodes = [made.add_node(num_cpus=2, **options) for _ in range(2)]
        made.wait_for_nodes(timeout=180)
        yield made, nodes
    finally:
        if ray.is_initialized():
            ray.shutdown()
        made.shutdown()


def content(folder: Path) -> dict[str, bytes]:
    """Boxes and scores; times differ from run to run."""
    return {path.name: path.read_bytes() for path in folder.glob("*.txt") if not path.stem.endswith("_time")}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_sequence_finishes_once_although_a_machine_dies(
    cluster: tuple[Any, list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, nodes = cluster
    layout = otb_layout(write_otb(tmp_path / "otb", LENGTHS))
    sequences, spec = [layout.read(name) for name in LENGTHS], make_spec("first_box", "default")
    from pytracking.evaluation import cluster as module

    original, order = module._outcome, []

    def outcome(ray: Any, reference: Any, sequence: Any) -> Any:
        found = original(ray, reference, sequence)
        order.append(found.sequence)
        if len(order) == 2:
            made.remove_node(nodes[0], allow_graceful=False)
        return found

    monkeypatch.setattr(module, "_outcome", outcome)
    options = ClusterOptions(made.address)
    report = run_dataset(sequences, spec, results_root=tmp_path / "r", progress=False, cluster=options)
    assert not report.failed
    assert sorted(report.finished) == sorted(LENGTHS)
    assert Counter(order) == Counter(list(LENGTHS))
    assert set(order[:4]) & {"s7", "s6", "s5", "s4"}  # longest first
    assert report.fps is None
    here = run_in_processes(tmp_path)
    assert content(report.folder) == content(here)
    assert len(content(report.folder)) == 2 * len(LENGTHS)
    assert ResultFolder(report.folder).times("s0") is None
    again = run_dataset(sequences, spec, results_root=tmp_path / "r", progress=False, cluster=options)
    assert len(again.reused) == len(LENGTHS)


def run_in_processes(tmp_path: Path) -> Path:
    """The same run in two local processes."""
    import subprocess
    import sys

    command = [sys.executable, "-m", "pytracking.run_tracker", "first_box", "default", "--dataset", "otb"]
    command += ["--root", str(tmp_path / "otb"), "--results", str(tmp_path / "local"), "--threads", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "local/first_box").iterdir()
    return folder


def test_without_ray_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    layout = otb_layout(write_otb(tmp_path / "otb", {"a": 4}))
    with pytest.raises(EBMError, match=r"ebmtrack\[cluster\]"):
        run_dataset(
            [layout.read("a")],
            make_spec("first_box", "default"),
            results_root=tmp_path / "r",
            progress=False,
            cluster=ClusterOptions("auto"),
        )
