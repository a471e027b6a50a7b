"""Adds noise-contrastive box energies to a clone of visionml/pytracking, and removes them again."""

import argparse
import importlib.util
import sys
from pathlib import Path

from plugin_apply import apply
from plugin_changes import Plan, plan_install, plan_uninstall
from plugin_clone import OPERATOR, blocks_for, is_checked_out, require_clone
from plugin_errors import PluginError
from plugin_repairs import find_repairs

__all__ = ["main"]

HERE = Path(__file__).resolve().parent
NOT_COPIED = {"__pycache__"}


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit status: 2 where it was refused, 1 where something was left."""
    args = _parser().parse_args(argv)
    unmended: list[str] = []
    try:
        clone = require_clone(args.pytracking)
        if args.uninstall:
            plan = plan_uninstall(clone, args.force)
        else:
            wanted = _payload(args.copy_ebm, args.keep_prroi_pool, clone)
            blocks = blocks_for(clone, args.keep_prroi_pool)
            if not args.no_repairs:
                repairs, unmended = find_repairs(clone)
                blocks |= {path: (lines, "end") for path, lines in repairs.items()}
            plan = plan_install(clone, wanted, blocks, args.force)
        if not args.dry_run:
            apply(clone, plan)
    except (PluginError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the clone is as it was.", file=sys.stderr)
        return 130
    _report(plan, args.dry_run)
    for line in unmended:
        print(f"not mended: {line}", file=sys.stderr)
    if not args.uninstall:
        _next_steps(args.copy_ebm)
    return 1 if plan.kept or unmended else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="install.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pytracking", type=Path, required=True, metavar="DIR", help="root of the clone")
    parser.add_argument("--uninstall", action="store_true", help="remove exactly what was added")
    parser.add_argument("--dry-run", action="store_true", help="say what would happen and change nothing")
    parser.add_argument("--copy-ebm", action="store_true", help="put a copy of `ebm` into the clone as well")
    parser.add_argument(
        "--keep-prroi-pool", action="store_true", help="leave the PreciseRoIPooling submodule as it is"
    )
    parser.add_argument(
        "--no-repairs", action="store_true", help="add the settings alone, mend nothing of the clone's own"
    )
    parser.add_argument(
        "--force", action="store_true", help="also replace or remove added files that were edited since"
    )
    return parser


def _payload(copy_ebm: bool, keep_prroi_pool: bool, clone: Path) -> dict[str, bytes]:
    """Path in the clone -> content of every file to add."""
    files = _tree(HERE / "files")
    files["pytracking/ebmtrack/places.py"] = files["ltr/ebmtrack/places.py"]
    if keep_prroi_pool or is_checked_out(clone):
        del files[OPERATOR]
    if copy_ebm:
        source = HERE.parents[1] / "ebm"
        if not (source / "__init__.py").is_file():
            raise PluginError(
                f"--copy-ebm takes `ebm` from {source}, which is not there. Run install.py from a "
                "checkout of EBMTrack, or install ebm into the Python that runs the clone."
            )
        files |= {f"ebm/{path}": content for path, content in _tree(source).items()}
        licence = HERE.parents[1] / "LICENSE"
        files["ebm/LICENSE"] = licence.read_bytes()
    return files


def _tree(folder: Path) -> dict[str, bytes]:
    found = (f for f in sorted(folder.rglob("*")) if f.is_file() and not NOT_COPIED & set(f.parts))
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in found}


def _report(plan: Plan, dry_run: bool) -> None:
    for line in plan.lines:
        print(line)
    for line in plan.kept:
        print(f"kept: {line}", file=sys.stderr)
    print("Nothing was changed (--dry-run)." if dry_run else plan.summary)


def _next_steps(copied: bool) -> None:
    if not copied and importlib.util.find_spec("ebm") is None:
        print(
            "note: this Python cannot import `ebm`. Install EBMTrack into the Python that runs the clone, or "
            "run this command again with --copy-ebm."
        )
    print("Train: cd ltr && python run_training.py dimp dimp_nce_plus")
    print("Track: cd pytracking && python run_tracker.py dimp nce_plus")
