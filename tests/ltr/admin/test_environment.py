"""Where paths come from, in which order, and what a broken source says."""

import os
from pathlib import Path

import pytest

from ebm.exceptions import InputError, UnknownNameError
from ltr.admin import environment
from ltr.admin.legacy_paths import read_legacy_assignments

LOCAL = """
class EnvironmentSettings:
    def __init__(self):
        self.workspace_dir = '/old/work'
        self.tensorboard_dir = self.workspace_dir + '/tensorboard/'
        self.lasot_dir = '/old/LaSOT'
        self.got10k_dir = ''
        open('{mark}', 'w').write('executed')
"""


@pytest.fixture(autouse=True)
def _bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration but what the test writes."""
    for variable in [name for name in os.environ if name.startswith("EBMTRACK_")]:
        monkeypatch.delenv(variable)
    project, user = tmp_path / "project", tmp_path / "user"
    project.mkdir()
    user.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setattr(environment.platformdirs, "user_config_dir", lambda *_args, **_kw: str(user))


def write_toml(folder: str, text: str) -> Path:
    file = Path("..") / folder / "paths.toml"
    file.write_text(text)
    return file.resolve()


def write_local(text: str) -> Path:
    file = Path("ltr/admin/local.py")
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return file


def test_nothing_configured() -> None:
    assert environment.configured_datasets() == {}
    assert environment.dataset_root("lasot") is None
    assert environment.workspace() == Path.cwd() / "runs"
    assert environment.network_folders() == (Path.cwd() / "runs" / "networks",)


def test_an_unset_dataset_is_one_paragraph_that_names_every_way_to_set_it() -> None:
    with pytest.raises(InputError) as caught:
        environment.require_dataset_root("lasot")
    message = str(caught.value)
    assert "\n" not in message
    for part in ("LaSOT", "--root", "EBMTRACK_LASOT=", 'lasot = "/data/LaSOT"', "[datasets]", "paths.toml"):
        assert part in message


def test_a_configured_folder_that_is_gone_is_an_error_naming_its_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EBMTRACK_OTB", "/nowhere/otb")
    with pytest.raises(InputError, match=r"/nowhere/otb \(environment variable EBMTRACK_OTB\)"):
        environment.require_dataset_root("otb")


def test_precedence_from_argument_down_to_local_py(monkeypatch: pytest.MonkeyPatch) -> None:
    write_local(LOCAL.format(mark="mark"))
    assert environment.dataset_root("lasot") == Path("/old/LaSOT")
    write_toml("user", '[datasets]\nlasot = "/user/LaSOT"\n')
    assert environment.dataset_root("lasot") == Path("/user/LaSOT")
    file = write_toml("project", '[datasets]\nlasot = "LaSOT"\n')
    assert environment.dataset_root("lasot") == file.parent / "LaSOT"
    monkeypatch.setenv("EBMTRACK_LASOT", "/env/LaSOT")
    assert environment.dataset_root("lasot") == Path("/env/LaSOT")
    assert environment.dataset_root("lasot", "/argument") == Path("/argument")
    located = environment.locate_dataset("lasot")
    assert located is not None
    assert located.origin == "environment variable EBMTRACK_LASOT"


def test_files_complete_each_other_key_by_key() -> None:
    write_toml("user", '[datasets]\nlasot = "/user/LaSOT"\notb = "/user/OTB"\n')
    write_toml(
        "project", '[datasets]\notb = "/project/OTB"\n[outputs]\nworkspace = "/out"\nnetworks = ["/a", "b"]\n'
    )
    found = environment.configured_datasets()
    assert {key: located.path for key, located in found.items()} == {
        "lasot": Path("/user/LaSOT"),
        "otb": Path("/project/OTB"),
    }
    assert environment.workspace() == Path("/out")
    assert environment.network_folders() == (Path("/a"), Path.cwd() / "b")


def test_local_py_is_read_but_never_run() -> None:
    write_local(LOCAL.format(mark="mark"))
    paths = environment.read_paths()
    assert not Path("mark").exists()
    assert paths.workspace.path == Path("/old/work")
    assert "lasot_dir" in paths.datasets["lasot"].origin
    assert "got10k" not in paths.datasets  # an empty string there means not set


def test_a_named_clone_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = tmp_path / "clone" / "pytracking" / "evaluation"
    clone.mkdir(parents=True)
    (clone / "local.py").write_text(
        "def local_env_settings():\n    s = E()\n    s.otb_path = '/old/OTB'\n    return s\n"
    )
    assert environment.dataset_root("otb") is None
    monkeypatch.setenv("EBMTRACK_PYTRACKING", str(tmp_path / "clone"))
    assert environment.dataset_root("otb") == Path("/old/OTB")


def test_broken_local_py_names_file_and_line() -> None:
    file = write_local("class E:\n    path = 'C:\\Users'\n    x = = 1\n")
    with pytest.raises(InputError, match=r"local\.py, line [23]: .*forward slashes"):
        read_legacy_assignments(file)


def test_broken_toml_names_file_and_line() -> None:
    file = write_toml("project", '[datasets]\nlasot = "/data\n')
    with pytest.raises(InputError, match="line 2") as caught:
        environment.read_paths()
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[datasets]\nlasto = "/data"\n', "did you mean 'lasot'"),
        ('[dataset]\nlasot = "/data"\n', "did you mean 'datasets'"),
        ('lasot = "/data"\n', r"unknown|Unknown key in \[paths.toml\] 'lasot'"),
        ("[datasets]\nlasot = 3\n", "path in quotes, not 3"),
        ("datasets = 3\n", "must be a table"),
    ],
)
def test_toml_that_says_something_else(text: str, message: str) -> None:
    write_toml("user", text)
    with pytest.raises(InputError, match=message):
        environment.read_paths()


def test_unknown_dataset_key_has_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'lasot'"):
        environment.require_dataset_root("lasto")


@pytest.mark.parametrize("file", ["paths.toml", "ltr/admin/local.py"])
def test_thousands_of_brackets_are_no_traceback(file: str) -> None:
    place = Path(file)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("a = " + "[" * 50_000)
    with pytest.raises(InputError, match="not valid"):
        environment.read_paths()
