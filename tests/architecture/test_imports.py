"""Imports point down: ebm <- ltr <- pytracking; external sees ebm alone, the command's start nothing."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALLOWED: dict[str, set[str]] = {
    "ebm": set(),
    "ltr": {"ebm"},
    "pytracking": {"ebm", "ltr", "ebmtrack"},
    "ebmtrack": set(),
    "external": {"ebm"},
}


def modules() -> dict[str, Path]:
    """All modules of the packages, by their names."""
    files = [file for package in ALLOWED for file in (ROOT / package).rglob("*.py")]
    return {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for file in files
    }


def at_run_time(file: Path) -> Iterator[ast.ImportFrom | ast.Import]:
    """Imports of `file` but for those that type checkers alone see."""
    waiting: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            waiting += ast.iter_child_nodes(node)


def needed(file: Path, known: dict[str, Path]) -> set[str]:
    """The modules of ours that `file` imports, those inside functions included."""
    names: set[str] = set()
    for node in at_run_time(file):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif node.module and node.level == 0:
            own = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            names |= {full if full in known else node.module for full in own.values()}
    return names & known.keys()


def imported_modules(file: Path) -> Iterator[str]:
    """Absolute module names that `file` imports, at any depth (lazy imports inside functions included)."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_point_down(package: str) -> None:
    for file in (ROOT / package).rglob("*.py"):
        used = {module.split(".")[0] for module in imported_modules(file)}
        wrong = used & (ALLOWED.keys() - {package}) - ALLOWED[package]
        assert not wrong, f"{file.relative_to(ROOT)} imports {sorted(wrong)}"


def test_no_module_needs_one_that_needs_it() -> None:
    known = modules()
    graph = {name: needed(file, known) - {name} for name, file in known.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_the_circle_of_a_lazy_import_is_seen(tmp_path: Path) -> None:
    below, above = tmp_path / "below.py", tmp_path / "above.py"
    below.write_text("def f():\n    from above import g\n    return g\n")
    above.write_text("import below\nif TYPE_CHECKING:\n    import elsewhere\n")
    known = {"below": below, "above": above, "elsewhere": above}
    graph = {"below": needed(below, known), "above": needed(above, known)}
    assert graph == {"below": {"above"}, "above": {"below"}}
    with pytest.raises(CycleError):
        TopologicalSorter(graph).prepare()


def test_the_rule_sees_an_upward_import(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text("def f():\n    from pytracking.cli import main\n    return main\n")
    assert "pytracking.cli" in set(imported_modules(file))
