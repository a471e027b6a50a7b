"""Imports point down: ebm <- ltr <- pytracking; external sees ebm alone, the command's start nothing."""

import ast
from collections.abc import Iterator
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


def test_the_rule_sees_an_upward_import(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text("def f():\n    from pytracking.cli import main\n    return main\n")
    assert "pytracking.cli" in set(imported_modules(file))
