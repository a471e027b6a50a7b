"""The command: help, bad input, the life of a run, options that change how it runs."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from ltr.admin.loading import load_network, read_checkpoint, write_checkpoint
from ltr.run_training import main
from tests.ltr.train_settings.runs import ROOT, RUN, SMALL


@pytest.mark.slow
def test_a_whole_run_says_what_it_does_and_leaves_a_network_that_loads(
    workspace: Path, capsys: pytest.CaptureFixture
) -> None:
    command = [*SMALL, "--workspace", str(workspace), "--samples=4", "--workers=0", "--epochs=2"]
    assert main([*command, "--log-to", "tensorboard", "--scale-lr", "--set", "ema=0.9"]) == 0
    head = capsys.readouterr().out
    assert "Adam, 0.00025 to 0.0005, a cosine" in head  # an eighth of the setting's batch
    assert "weights averaged with decay 0.9" in head
    net, content = load_network(workspace / RUN)
    assert content["epoch"] == 2
    assert net.info["image_sample_size"] == 128
    assert content["settings"]["batch_size"] == 2
    assert not [text for text in strings(content["settings"]) if text.startswith("/")]
    assert (workspace / RUN / "history.csv").read_text().count("\n") == 3
    assert {path.name for path in (workspace / RUN / "tensorboard").iterdir()} == {"info", "train"}


@pytest.mark.slow
def test_a_dry_run_says_what_a_run_needs_and_writes_nothing(
    workspace: Path, capsys: pytest.CaptureFixture
) -> None:
    command = [*SMALL, "--workspace", str(workspace), "--workers=0", "--precision=bf16", "--dry-run"]
    assert main(command) == 0
    output = capsys.readouterr().out
    for part in ("cpu, bf16", "dry run: 3 steps took", "an epoch of 1024 steps", "peak memory"):
        assert part in output
    assert {path.name for path in workspace.iterdir()} == {"generated"}


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_other_precisions_train(workspace: Path, precision: str, capsys: pytest.CaptureFixture) -> None:
    command = [*SMALL, "--workspace", str(workspace), "--samples=2", "--workers=0", "--epochs=1"]
    command += ["--micro-batch=2", "--set", "geometry.crop_size=64"]
    assert main([*command, "--precision", precision]) == 0
    assert f"cpu, {precision}" in capsys.readouterr().out
    content = read_checkpoint(workspace / RUN / "DiMPnet_ep0001.pth.tar")
    assert bool(content["resume"]["scaler"]) == (precision == "fp16")
    assert content["net"]["feature_extractor.conv1.weight"].dtype == torch.float32


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
        "Adam, 0.002 to 0.004, a cosine down to x 0.01, warm-up of 0.1 epochs; gradient clipped at 10",
        "1 thread,",
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

    assert main([*command, "--epochs", "2", "--seed", "5", "--resume", str(workspace / RUN)]) == 0
    assert "Training is finished: 2 of 2 epochs" in capsys.readouterr().out
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


def test_published_weights_are_no_run_to_go_on_with(workspace: Path, capsys: pytest.CaptureFixture) -> None:
    command = [*SMALL, "--workspace", str(workspace), "--samples", "4", "--workers", "0", "--epochs", "1"]
    assert main(command) == 0
    first = workspace / RUN / "DiMPnet_ep0001.pth.tar"
    plain = workspace / "weights.pth.tar"
    fields = read_checkpoint(first)
    weights = {name: fields[name] for name in ("net", "net_type", "constructor")}
    write_checkpoint(plain, weights | {"epoch": 50, "lr_scheduler": {}})  # as published: nothing is finished
    assert main([*command, "--resume", str(plain)]) == 2
    assert "no training state" in capsys.readouterr().err
    assert first.is_file()  # set aside for nothing that goes on


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


@pytest.mark.slow
def test_a_compiled_backbone_learns_the_same(workspace: Path) -> None:
    """With a compiler that generates no code, since the one that does takes minutes on a CPU."""
    command = [*SMALL, "--workspace", str(workspace), "--samples=4", "--workers=0", "--epochs=1"]
    results = []
    for options in ([], ["--compile", "aot_eager", "--resume=none"]):
        assert main([*command, "--micro-batch=2", *options]) == 0
        results.append(read_checkpoint(workspace / RUN / "DiMPnet_ep0001.pth.tar")["net"])
    assert results[0].keys() == results[1].keys()
    for name, value in results[0].items():
        torch.testing.assert_close(results[1][name], value, rtol=1e-3, atol=1e-5)


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
        (["dimp", "dimp_nce_plus", "--max-time", "soon"], "a duration reads 45m, 90s or 1.5h, got 'soon'"),
        (["dimp", "dimp_nce_plus", "--batch-size", "1"], "at least 2 samples"),
        (["dimp", "dimp_nce_plus", "--micro-batch", "1"], "parts of one sample"),
        (["dimp", "dimp_nce_plus", "--processes", "3"], "cannot be shared by 3 processes"),
        (["dimp", "dimp_nce_plus", "--compile", "inducter"], "did you mean 'inductor'"),
        (["dimp", "dimp_nce_plus", "--log-to", "visdon"], "did you mean 'visdom'"),
        (["dimp", "dimp_nce_plus", "--set", "ema=1.5"], "between 0 and 1"),
        (["dimp", "dimp_nce_plus", "--device=cpu", "--set", "sync_batch_norm=true"], "needs GPUs"),
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
    assert done.stderr.count("bash install.sh") == 1
    assert ".venv/bin/python" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_while_everything_loads_is_one_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ltr.run_training.importlib.import_module", interrupted)
    assert main(["dimp", "dimp_nce_plus"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
