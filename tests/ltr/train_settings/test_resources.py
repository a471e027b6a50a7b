"""How cores are split."""

import shutil
from pathlib import Path

from ltr.train_settings.resources import (
    CpuPlan,
    plan_cpu,
    processes_for,
    shared_memory_note,
)


def test_the_cores_are_split_and_none_is_used_twice() -> None:
    for cores in range(2, 65):
        plan = plan_cpu(False, cores)
        assert plan.workers >= 1
        assert plan.threads >= 1
        assert plan.workers + plan.threads == cores


def test_one_core_loads_and_trains_in_turn() -> None:
    assert plan_cpu(False, 1) == CpuPlan(workers=0, threads=1)


def test_what_is_asked_for_is_done() -> None:
    assert plan_cpu(False, 4, workers=0) == CpuPlan(workers=0, threads=4)
    assert plan_cpu(False, 4, workers=3, threads=2) == CpuPlan(workers=3, threads=2)


def test_beside_a_gpu_the_workers_get_the_cores() -> None:
    assert plan_cpu(True, 16).workers == 15


def test_a_small_network_leaves_the_other_cores_alone() -> None:
    assert plan_cpu(False, 8, parameters=770_000) == CpuPlan(workers=2, threads=1)
    assert plan_cpu(False, 8, parameters=43_000_000) == CpuPlan(workers=2, threads=6)
    assert plan_cpu(False, 8, parameters=770_000, threads=4).threads == 4


def test_processes_share_a_batch_evenly() -> None:
    assert [processes_for(16, cores) for cores in (1, 2, 3, 4, 7, 64)] == [1, 2, 2, 4, 4, 8]
    assert processes_for(2, 8) == 1
    assert [processes_for(16, cores, 4) for cores in (1, 2, 3, 4, 64)] == [1, 2, 2, 4, 4]


def test_several_processes_split_the_cores() -> None:
    assert plan_cpu(False, 4, processes=4) == CpuPlan(workers=0, threads=1)
    assert plan_cpu(False, 8, processes=2) == CpuPlan(workers=1, threads=3)


def test_too_little_shared_memory_is_said_before_a_worker_is_killed(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    assert shared_memory_note(free // 10, 4, tmp_path) == ""
    assert shared_memory_note(free, 0, tmp_path) == ""
    assert shared_memory_note(free, 4, tmp_path / "absent") == ""
    note = shared_memory_note(free, 4, tmp_path)
    assert "--shm-size" in note
    assert str(tmp_path) in note
