"""The benchmarks that are tracked on are checked as those that are trained on; what is listed is taken."""

import json
from pathlib import Path

import pytest

from ebm.exceptions import InputError
from ltr.admin.known_datasets import DATASETS
from ltr.dataset.opening import KINDS
from pytracking.cli import main
from pytracking.evaluation.command import add_dataset_options
from pytracking.evaluation.datasets import BENCHMARKS, open_dataset
from pytracking.evaluation.places import official_table
from tests.pytracking.evaluation.tiny import boxes_of, draw_frames, write_otb


def test_one_table_decides_what_is_listed() -> None:
    assert {key for key, info in DATASETS.items() if info.trains} == set(KINDS)
    roots = {benchmark.root_key for benchmark in BENCHMARKS.values()} - {None}
    assert {key for key, info in DATASETS.items() if info.tracks} == roots
    assert all(info.trains or info.tracks for info in DATASETS.values())


@pytest.mark.parametrize("key", DATASETS)
def test_what_is_listed_is_taken_by_the_check(
    key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    code = main(["dataset", "check", key, "--root", str(tmp_path / "empty")])
    printed = capsys.readouterr()
    assert code in (1, 2)  # nothing is there
    assert "is a path" not in printed.err
    assert "Unknown" not in printed.err


@pytest.mark.parametrize("key", [name for name, benchmark in BENCHMARKS.items() if benchmark.root_key])
def test_what_is_listed_is_taken_by_track_and_evaluate(
    key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--dataset", key, "--root", str(tmp_path)]
    for command in (["evaluate", "first_box"], ["track", "first_box", "default"]):
        assert main([*command, *options]) == 2
        assert f"holds none of the {BENCHMARKS[key].size} sequences" in capsys.readouterr().err


def test_the_help_names_every_benchmark() -> None:
    import argparse

    parser = argparse.ArgumentParser()
    add_dataset_options(parser)
    text = " ".join(parser.format_help().split())
    assert all(name in text for name in BENCHMARKS)


def test_otb_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_otb(tmp_path / "otb", {"Walking": 6, "Deer": 4, "Couple": 3})
    assert main(["dataset", "check", "otb", "--root", str(root)]) == 0
    assert "otb at" in capsys.readouterr().out
    (root / "Deer/img/0002.jpg").unlink()
    (root / "Walking/img/0006.jpg").write_bytes((root / "Walking/img/0006.jpg").read_bytes()[:-40])
    for file in (root / "Couple").rglob("*.*"):
        file.unlink()
    assert main(["dataset", "check", "otb", "--root", str(root), "--json", "-"]) == 1
    found = {f["sequence"]: f["kind"] for f in json.loads(capsys.readouterr().out)["findings"]}
    assert found == {
        "Deer": "unusable sequence",
        "Walking": "truncated image",
        "Couple": "unusable sequence",
    }
    assert main(["dataset", "pack", "otb", "--root", str(root), "--out", str(tmp_path / "o")]) == 2
    assert "tracked on, not trained on" in capsys.readouterr().err


def write_uav(root: Path, names: list[str]) -> None:
    """Sequences of UAV123 as the table cuts them; the target is absent in the third frame."""
    for name in names:
        row = official_table("uav")[name]
        folder = root / row["folder"]
        if not folder.exists():
            draw_frames(folder, boxes_of(1), digits=6)
        for number in range(row["start"], row["end"] + 1):
            if not (folder / f"{number:06d}.jpg").exists():
                (folder / f"{number:06d}.jpg").symlink_to(folder / "000001.jpg")
        file = root / row["annotation"]
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = [",".join(map(str, box)) for box in boxes_of(row["end"] - row["start"] + 1)]
        rows[2] = "NaN,NaN,NaN,NaN"
        file.write_text("\n".join(rows) + "\n")


def test_uav_is_read_tracked_and_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["uav_uav1_1", "uav_uav1_2"]  # two parts of one folder
    write_uav(tmp_path / "UAV", names)
    first, second = open_dataset("uav", tmp_path / "UAV", sequences=["uav1_1", "uav_uav1_2"])
    assert [first.name, second.name] == names
    assert first.frames[0].name == "000001.jpg"
    assert second.frames[0].name == f"{official_table('uav')['uav_uav1_2']['start']:06d}.jpg"
    for name in ("uav1_1", "uav1_2"):  # another toolkit's names
        (tmp_path / "r").mkdir(exist_ok=True)
        rows = boxes_of(len(first if name == "uav1_1" else second))
        (tmp_path / "r" / f"{name}.txt").write_text("".join("\t".join(map(str, b)) + "\n" for b in rows))
    options = ["--dataset", "uav", "--root", str(tmp_path / "UAV"), "--out", str(tmp_path / "o")]
    assert main(["evaluate", str(tmp_path / "r"), *options, "--allow-missing"]) == 0
    assert "UAV123, 2 sequences" in capsys.readouterr().out


def test_the_tables_are_complete() -> None:
    for tag, count, frames in (("uav", 123, 112578), ("nfs", 100, 47953)):
        rows = official_table(tag).values()
        assert len(rows) == count
        assert sum(row["end"] - row["start"] + 1 - row["omit"] for row in rows) == frames


def test_a_half_present_sequence_is_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_otb(tmp_path / "otb", {"Walking": 6, "Deer": 4}, generated=True)
    (root / "Deer/img/0002.jpg").unlink()
    with pytest.raises(InputError, match="Deer.*frame 0002"):
        open_dataset("generated", root)
    options = ["--dataset", "generated", "--root", str(root), "--out", str(tmp_path / "o")]
    assert main(["evaluate", "first_box", *options, "--allow-missing"]) == 0
    printed = capsys.readouterr()
    assert "1 sequences that cannot be read are left out: Deer" in printed.err
    assert "1 sequence" in printed.out
    with pytest.warns(UserWarning, match="Deer"):
        assert [s.name for s in open_dataset("generated", root, allow_missing=True)] == ["Walking"]
    (root / "Walking/groundtruth_rect.txt").unlink()
    with pytest.raises(InputError, match="Walking"):  # nothing is left
        open_dataset("generated", root, allow_missing=True)


def test_the_workspace_is_an_option_of_every_command_that_uses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EBMTRACK_WORKSPACE", str(tmp_path / "elsewhere"))
    root = write_otb(tmp_path / "otb", {"Walking": 3})
    options = ["--dataset", "generated", "--root", str(root), "--workspace", str(tmp_path / "w")]
    assert main(["track", "first_box", "default", *options]) == 0
    assert list((tmp_path / "w/tracking_results/first_box").iterdir())
    assert main(["evaluate", "first_box/default", *options]) == 0
    assert (tmp_path / "w/reports/generated/scores.txt").is_file()
    assert not (tmp_path / "elsewhere").exists()
    assert main(["doctor", "--workspace", str(tmp_path / "v")]) == 0
    assert f"{tmp_path / 'v'} (environment variable" in capsys.readouterr().out
    for command in ("demo", "train", "track", "video", "evaluate", "doctor"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        assert "--workspace" in capsys.readouterr().out
