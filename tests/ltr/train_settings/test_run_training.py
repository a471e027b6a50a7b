"""The command, through real processes where it matters: help, bad input, kill, signal, resume."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from ltr.admin.loading import load_network, read_checkpoint
from ltr.run_training import main

ROOT = Path(__file__).resolve().parents[3]
SMALL = ["dimp", "dimp_nce_plus_small", "--scale=tiny", "--batch-size=2", "--no-validate", "--threads=1"]
RUN = Path("checkpoints/ltr/dimp/dimp_nce_plus_small")


def start(workspace: Path, *arguments: str) -> "subprocess.Popen[str]":
    """The command as a process of its own, leading a process group."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("EBMTRACK_")}
    environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "XDG_CONFIG_HOME": str(workspace)}
    return subprocess.Popen(
        [
            sys.executable,
            str(ROOT / "ltr" / "run_training.py"),
            *SMALL,
            "--workspace",
            str(workspace),
            *arguments,
        ],
        cwd=workspace,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Exit code and everything printed."""
    output, _ = process.communicate(timeout=300)
    return process.returncode, output


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    """Wait until a file is there, or fail with what the process said."""
    deadline = time.monotonic() + 240
    while not path.exists():
        assert time.monotonic() < deadline, "the file never came"
        assert process.poll() is None, finish(process)[1]
        time.sleep(0.01)


def learned(path: Path) -> list[torch.Tensor]:
    """Weights, buffers and optimizer state in a fixed order."""
    content = read_checkpoint(path)
    tensors: list[torch.Tensor] = list(content["net"].values())
    for state in content["optimizer"]["state"].values():
        tensors += [value for value in state.values() if isinstance(value, torch.Tensor)]
    return tensors


def assert_same_run(first: Path, second: Path) -> None:
    a, b = learned(first), learned(second)
    assert len(a) == len(b) > 100
    assert all(torch.equal(x, y) for x, y in zip(a, b))


LENGTH = ["--epochs", "3", "--samples", "16"]  # eight steps an epoch


@pytest.fixture(scope="module")
def undisturbed(generated_tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last checkpoint of a run that nothing disturbed, loaded in the main process."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "generated").symlink_to(generated_tiny)
    code, output = finish(start(folder, *LENGTH, "--workers", "0"))
    assert code == 0, output
    return folder / RUN / "DiMPnet_ep0003.pth.tar"


@pytest.mark.slow
def test_a_run_killed_in_its_second_epoch_ends_with_the_same_bits(workspace: Path, undisturbed: Path) -> None:
    process = start(workspace, *LENGTH, "--workers", "1")
    wait_for(workspace / RUN / "DiMPnet_ep0001.pth.tar", process)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGKILL)
    finish(process)
    assert not (workspace / RUN / "DiMPnet_ep0003.pth.tar").exists()
    code, output = finish(start(workspace, *LENGTH, "--workers", "0"))
    assert code == 0, output
    assert "resuming" in output
    assert_same_run(workspace / RUN / "DiMPnet_ep0003.pth.tar", undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_whole_group_stops_after_a_checkpoint_of_the_epochs_middle(
    workspace: Path, undisturbed: Path, signum: int, code: int
) -> None:
    process = start(workspace, *LENGTH, "--workers", "2")
    wait_for(workspace / RUN / "history.csv", process)  # what is written last in an epoch
    time.sleep(0.2)
    os.killpg(process.pid, signum)
    got, output = finish(process)
    assert got == code, output
    assert "state saved" in output
    assert "Traceback" not in output
    position = read_checkpoint(workspace / RUN / "DiMPnet_interrupted_ep0001.pt")["resume"]["position"]
    assert position["epoch"] == 1
    assert 1 <= position["step"] < 8
    assert position["samples"] == 16 + 2 * position["step"]
    code, output = finish(start(workspace, *LENGTH, "--workers", "0"))
    assert code == 0, output
    assert_same_run(workspace / RUN / "DiMPnet_ep0003.pth.tar", undisturbed)


@pytest.mark.slow
def test_processes_that_share_the_batches_stop_together_and_go_on_exactly(
    generated_tiny: Path, tmp_path: Path
) -> None:
    sharing = [*LENGTH, "--batch-size=4", "--processes=2"]
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    for folder in (undisturbed, disturbed):
        folder.mkdir()
        (folder / "generated").symlink_to(generated_tiny)
    code, output = finish(start(undisturbed, *sharing))
    assert code == 0, output
    assert "2 processes of 2 samples, each 1 threads" in output
    process = start(disturbed, *sharing)
    wait_for(disturbed / RUN / "history.csv", process)
    process.send_signal(signal.SIGTERM)
    code, output = finish(process)
    assert code == 143, output
    code, output = finish(start(disturbed, *sharing))
    assert code == 0, output
    assert "resuming" in output
    last = "DiMPnet_ep0003.pth.tar"
    assert_same_run(disturbed / RUN / last, undisturbed / RUN / last)


@pytest.mark.slow
def test_a_whole_run_says_what_it_does_and_leaves_a_network_that_loads(undisturbed: Path) -> None:
    net, content = load_network(undisturbed)
    assert content["epoch"] == 3
    assert net.info["image_sample_size"] == 128
    assert content["settings"]["batch_size"] == 2
    assert not [text for text in strings(content["settings"]) if text.startswith("/")]
    assert (undisturbed.parent / "history.csv").read_text().count("\n") == 4


def strings(data: Any) -> list[str]:
    """All strings in nested plain data."""
    if isinstance(data, str):
        return [data]
    if isinstance(data, dict):
        data = [*data.keys(), *data.values()]
    return [text for item in data for text in strings(item)] if isinstance(data, list | tuple) else []


@pytest.mark.slow
def test_the_life_of_a_run(workspace: Path, capsys: pytest.CaptureFixture) -> None:
    """Train, ask again, train further, change the recipe, start anew."""
    command = [*SMALL, "--workspace", str(workspace), "--samples", "4", "--workers", "0"]
    assert main([*command, "--epochs", "1"]) == 0
    head = capsys.readouterr().out
    assert "not configured, so this run trains on the generated benchmark" in head.splitlines()[0]
    for part in (
        "dimpnet_small, ",
        "nothing frozen",
        "lasot 3 sequences",
        "1 threads",
        str(RUN),
    ):
        assert part in head
    assert main([*command, "--epochs", "1"]) == 0
    assert "Training is finished: 1 of 1 epochs" in capsys.readouterr().out

    assert main([*command, "--epochs", "1", "--seed", "5"]) == 2
    message = capsys.readouterr().err
    assert "seed: 0 -> 5" in message
    assert "--resume none" in message

    first = workspace / RUN / "DiMPnet_ep0001.pth.tar"
    assert main([*command, "--epochs", "2", "--seed", "5", "--resume", str(first)]) == 0
    output = capsys.readouterr().out
    assert "although it differs" in output
    assert "seed: 0 -> 5" in output
    assert (workspace / RUN / "DiMPnet_ep0002.pth.tar").is_file()

    assert main([*command, "--epochs", "2", "--seed", "5", "--resume", "match"]) == 0
    assert "Training is finished: 2 of 2 epochs" in capsys.readouterr().out

    assert main([*command, "--epochs", "1", "--resume", "match"]) == 0
    assert "starting anew" in capsys.readouterr().out
    kept = {path.name for path in (workspace / RUN / "previous_001").iterdir()}
    assert {"DiMPnet_ep0001.pth.tar", "DiMPnet_ep0002.pth.tar", "history.csv"} <= kept
    assert read_checkpoint(first)["epoch"] == 1
    assert main([*command, "--epochs", "1", "--resume", "none"]) == 0
    assert (workspace / RUN / "previous_002" / "DiMPnet_ep0001.pth.tar").is_file()
    assert not (workspace / RUN / "DiMPnet_ep0002.pth.tar").exists()


@pytest.mark.slow
def test_the_papers_setting_trains_its_full_size_network(
    workspace: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ltr.admin.loading import BackboneWeights

    answer = BackboneWeights(loaded=False, message="no network")
    monkeypatch.setattr("ltr.train_settings.build.load_backbone_weights", lambda net, file: answer)
    command = ["dimp", "dimp_nce_plus", "--epochs=1", "--samples=4", "--batch-size=2", "--scale=tiny"]
    assert main([*command, "--workspace", str(workspace), "--workers", "0", "--keep", "1"]) == 0
    output = capsys.readouterr().out
    assert "dimpnet50, 43.10 M parameters, 43.10 M trained" in output
    assert "nothing frozen" in output
    assert "epoch 1/1 2/2" in output


@pytest.mark.usefixtures("nothing_configured")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["dimp", "dimp_nceplus"], "did you mean 'dimp_nce_plus'"),
        (["dimpp", "dimp_nce_plus"], "did you mean 'dimp'"),
        (["dimp", "dimp_nce_plus", "--datasets", "lasto"], "did you mean 'lasot'"),
        (["dimp", "dimp_nce_plus", "--datasets", "lasot"], "EBMTRACK_LASOT"),
        (["dimp", "dimp_nce_plus", "--resume", "absent.pth.tar"], "No checkpoint at absent.pth.tar"),
        (["dimp", "dimp_nce_plus", "--device", "tpu"], "Unknown device 'tpu'"),
        (["dimp", "dimp_nce_plus", "--clip", "-1"], "--clip must be positive"),
        (["dimp", "dimp_nce_plus", "--samples", "3"], "holds no batch of 20"),
        (["dimp", "dimp_nce_plus", "--batch-size", "1"], "at least 2 samples"),
        (["dimp", "dimp_nce_plus", "--micro-batch", "1"], "parts of one sample"),
        (["dimp", "dimp_nce_plus", "--processes", "3"], "cannot be shared by 3 processes"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main([*arguments, "--workspace", str(tmp_path / "runs")]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert expected in captured.err
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("nothing_configured")
def test_a_part_of_the_data_is_an_error_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "LaSOT").mkdir()
    monkeypatch.setenv("EBMTRACK_LASOT", str(tmp_path / "LaSOT"))
    assert main(["dimp", "dimp_nce_plus", "--workspace", str(tmp_path / "runs")]) == 2
    assert "missing: GOT-10k (train), TrackingNet and COCO" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_one_real_data_set_alone_is_trained_on(
    workspace: Path, generated_tiny: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A root in LaSOT's layout; generated, so that it is small."""
    monkeypatch.setenv("EBMTRACK_LASOT", str(next(generated_tiny.glob("train-tiny-*/lasot"))))
    command = [*SMALL, "--workspace", str(workspace), "--samples", "2", "--epochs", "1", "--workers", "0"]
    assert main([*command, "--datasets", "lasot"]) == 0
    output = capsys.readouterr().out
    assert "data:    lasot 3 sequences (weight 1); validation: none\n" in output
    assert "generated" not in output


def test_the_help_is_quick_because_it_loads_nothing() -> None:
    code = (
        "import sys\nfrom ltr.run_training import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'numpy', 'cv2'} & sys.modules.keys()"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    for part in ("examples:", "dimp dimp_nce_plus", "--datasets", "Ctrl-C"):
        assert part in done.stdout


def test_a_python_without_the_project_is_told_what_to_do() -> None:
    """No site-packages and no PYTHONPATH: what a system Python would see."""
    command = [sys.executable, "-I", "-S", str(ROOT / "ltr" / "run_training.py"), "dimp", "dimp_nce_plus"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "bash install.sh" in done.stderr
    assert ".venv/bin/python ltr/run_training.py dimp dimp_nce_plus" in done.stderr
    assert "Traceback" not in done.stderr
