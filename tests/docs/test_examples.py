"""Every example of the documentation runs and prints what its page says."""

import contextlib
import io
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from pytracking.cli import COMMANDS
from tests.docs.pages import DOCS, NEEDS, ROOT, Block, all_pages, blocks, differences

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
PLAIN_COMMANDS = {"source", "git", "cd", "mkdocs", "ffmpeg", "cat", "ssh"}  # not ours: unchecked


def pages_with(language: str) -> list[str]:
    """Pages with a block of that language, relative to docs/."""
    return [
        page.relative_to(DOCS).as_posix()
        for page in all_pages()
        if any(block.language == language for block in blocks(page.read_text("utf-8")))
    ]


def run_page(name: str, text: str) -> None:
    """Execute a page's python blocks as one session and compare what they print."""
    session: dict[str, object] = {"__name__": "__main__"}
    printed: str | None = None
    for block in blocks(text):
        if block.language == "python":
            printed = None if block.reason_not_to_run else execute(name, block, session)
        elif block.language == "text" and block.follows and printed is not None:
            wrong = differences(block.text, printed, block.tolerance)
            assert wrong is None, f"{name}:{block.line}: {wrong}"
            printed = None


def execute(name: str, block: Block, session: dict[str, object]) -> str:
    """Run one block in the page's session; what it printed."""
    code = compile("\n" * block.line + block.text, f"docs/{name}", "exec")
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(code, session)
    return output.getvalue()


@pytest.mark.parametrize("name", pages_with("python"))
def test_the_examples_of_a_page_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    text = (DOCS / name).read_text("utf-8")
    for package in NEEDS.findall(text):
        pytest.importorskip(package)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        run_page(name, text)


def test_an_example_that_prints_something_else_is_noticed() -> None:
    page = "```python\nprint('D_KL', 0.5)\n```\n\n```text\nD_KL {}\n```\n"
    run_page("page.md", page.format("0.5"))
    with pytest.raises(AssertionError, match=r"announced 0\.7, printed 0\.5"):
        run_page("page.md", page.format("0.7"))
    with pytest.raises(ZeroDivisionError):
        run_page("page.md", "```python\n1 / 0\n```\n")
    run_page("page.md", "<!-- not run: it divides by zero -->\n```python\n1 / 0\n```\n")


def test_few_examples_are_not_run() -> None:
    marked = [
        block
        for page in all_pages()
        for block in blocks(page.read_text("utf-8"))
        if block.language == "python" and block.reason_not_to_run
    ]
    assert len(marked) <= 3, [block.reason_not_to_run for block in marked]


def commands(text: str) -> Iterator[list[str]]:
    """The commands of a page's bash blocks, split into words."""
    for block in blocks(text):
        if block.language == "bash":
            for line in block.text.replace("\\\n", " ").splitlines():
                for part in re.split(r"&&|\|", line):
                    words = shlex.split(part, comments=True)
                    while words and re.fullmatch(r"[A-Z_0-9]+=.*", words[0]):
                        words = words[1:]
                    if words:
                        yield words


def check_command(words: list[str]) -> None:
    """Fail unless a command names scripts, commands, options and extras that exist."""
    program, arguments = words[0], words[1:]
    if program == "ebmtrack":
        check_ebmtrack(arguments)
    elif program == "bash":
        if arguments[0].startswith(".ci/"):
            assert (ROOT / arguments[0]).is_file()
            return
        assert arguments[0] == "install.sh"
        known = re.findall(r"^  (\w+)\)$", (ROOT / "install.sh").read_text("utf-8"), re.MULTILINE)
        assert set(arguments[1:2]) <= set(known)
    elif program == "pip":
        for extra in re.findall(r"\[([\w,-]+)\]", " ".join(arguments)):
            assert set(extra.split(",")) <= EXTRAS.keys(), f"no such extra: {extra}"
    elif program == "torchrun":  # its own options come before the script
        script = next(number for number, word in enumerate(arguments) if word.endswith(".py"))
        check_command(["python", *arguments[script:]])
    elif program == "python" and arguments[0] == "-m":
        assert arguments[1] == "visdom.server", f"{arguments[1]}: teach check_command this module"
    elif program == "python":
        source = with_neighbours(ROOT / arguments[0])
        for option in (word for word in arguments if word.startswith("--")):
            assert f'"{option.partition("=")[0]}"' in source, f"{arguments[0]} has no {option}"
    else:
        assert program in PLAIN_COMMANDS, f"{program}: teach check_command this program"


def with_neighbours(script: Path) -> str:
    """Source of a script and of the modules beside it that it imports: one of them may hold its options."""
    source = script.read_text("utf-8")
    names = re.findall(r"^from ([\w.]+) import", source, re.MULTILINE)
    beside = [script.parent / f"{name.replace('.', '/')}.py" for name in names]
    return source + "".join(module.read_text("utf-8") for module in beside if module.is_file())


def check_ebmtrack(arguments: list[str]) -> None:
    """Fail unless ``ebmtrack`` has this command, with these options in its help."""
    command, rest = arguments[0], arguments[1:]
    if command.startswith("-"):
        assert command in {"--help", "--version"}
        return
    assert command in COMMANDS, f"no command {command}"
    options = {word.partition("=")[0] for word in rest if word.startswith("--")} - {"--help"}
    text = help_of(command, [])
    if rest and re.search(rf"\b{re.escape(rest[0])}\b", text.partition("options:")[0]):
        with contextlib.suppress(SystemExit):
            text += help_of(command, rest[:1])
    known = set(re.findall(r"--[a-z][\w-]*", text))
    assert options <= known, f"ebmtrack {command} has no {sorted(options - known)}"


def help_of(command: str, leading: list[str]) -> str:
    """What a command, or its subcommand, prints for --help."""
    with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.suppress(SystemExit):
        COMMANDS[command].load()([*leading, "--help"])
    return output.getvalue()


@pytest.mark.parametrize("name", pages_with("bash"))
def test_the_shell_commands_of_a_page_exist(name: str) -> None:
    found = list(commands((DOCS / name).read_text("utf-8")))
    assert found
    for words in found:
        check_command(words)


@pytest.mark.parametrize(
    "line",
    [
        "ebmtrack fly",
        "ebmtrack doctor --loudly",
        "bash install.sh everything",
        'pip install "ebmtrack[none]"',
        "python benchmarks/none.py",
        "make docs",
    ],
)
def test_a_shell_command_that_does_not_exist_is_noticed(line: str) -> None:
    (words,) = commands(f"```bash\n{line}\n```\n")
    with pytest.raises((AssertionError, FileNotFoundError)):
        check_command(words)


def test_the_page_on_commands_has_a_row_for_each() -> None:
    rows = re.findall(
        r"^\| (`\w+`(?:, `\w+`)*) \|", (DOCS / "guide/commands.md").read_text("utf-8"), re.MULTILINE
    )
    assert re.findall(r"`(\w+)`", " ".join(rows)) == list(COMMANDS)
