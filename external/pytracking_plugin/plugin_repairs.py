"""What an unmodified clone does wrong on current torch, and the marked lines that mend it.

Each repair rebinds one name to a function of an added file. Where that name is, is looked up in the clone: a
definition of the described name and arguments, exactly one. Otherwise the repair is left out and named.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["REPAIRS", "Repair", "find_repairs"]


@dataclass(frozen=True)
class Repair:
    """One repair.

    Attributes:
        pattern: files of the clone that may hold the definition.
        name: the function, or ``Class.method``.
        arguments: names that its arguments must have, in this order.
        lines: what is put at the end of that file.
        without: what stays wrong without it.
        replaces: whether the lines put another function in its place, which takes one argument ahead of
            these and no others; else they wrap it.
    """

    pattern: str
    name: str
    arguments: tuple[str, ...]
    lines: str
    without: str
    replaces: bool = False


REPAIRS = (
    Repair(
        "pytracking/features/*.py",
        "sample_patch",
        ("pos", "sample_sz", "output_sz", "mode", "max_scale_change", "is_mask"),
        """# Whole pixels: torch divides integers truly since 1.5, so that a crop of 288 px has 289.
from pytracking.ebmtrack.crops import sample_patch
""",
        "trackers cut crops of 289 px where 288 are meant, and their boxes are off by pixels",
        replaces=True,
    ),
    Repair(
        "pytracking/libs/*.py",
        "TensorList.__getattr__",
        (),
        """# No list is a tensor: torch asks for this name, and takes the list for one.
from pytracking.ebmtrack.lists import not_a_tensor as _ebmtrack_list
TensorList.__getattr__ = _ebmtrack_list(TensorList.__getattr__)
""",
        "super_dimp_simple and all that derives by a TensorList fails in torch.autograd.grad",
    ),
    Repair(
        "pytracking/evaluation/*.py",
        "run_dataset",
        ("dataset", "trackers", "debug"),
        """# A sequence that failed is skipped with a print: the command ends with an error all the same.
from pytracking.ebmtrack.running import require_results as _ebmtrack_results
run_dataset = _ebmtrack_results(run_dataset)
""",
        "run_tracker.py ends with 'Done' and status 0 although sequences failed",
    ),
    Repair(
        "pytracking/evaluation/*.py",
        "create_default_local_file",
        (),
        """# A typing error in local.py is no reason to write an empty one over it.
from pytracking.ebmtrack.places import keep_existing as _ebmtrack_keep
create_default_local_file = _ebmtrack_keep(create_default_local_file, __file__)
""",
        "an error in pytracking/evaluation/local.py replaces that file by an empty one",
    ),
    Repair(
        "ltr/admin/*.py",
        "create_default_local_file",
        (),
        """# A typing error in local.py is no reason to write an empty one over it.
from ltr.ebmtrack.places import keep_existing as _ebmtrack_keep
create_default_local_file = _ebmtrack_keep(create_default_local_file, __file__)
""",
        "an error in ltr/admin/local.py replaces that file by an empty one",
    ),
    Repair(
        "ltr/admin/*.py",
        "torch_load_legacy",
        (),
        """# torch 2.6 and later refuse the classes in PyTracking's checkpoints.
from ltr.ebmtrack.loading import with_checkpoints as _ebmtrack_load
torch_load_legacy = _ebmtrack_load(torch_load_legacy)
""",
        "no network of the clone's own parameter files loads ('Weights only load failed')",
    ),
    Repair(
        "ltr/trainers/*.py",
        "BaseTrainer.train",
        ("max_epochs", "load_latest", "fail_safe"),
        """# After ten failures a training says that it is finished; and checkpoints as in ltr/admin.
from ltr.ebmtrack.training import end_truly as _ebmtrack_train
BaseTrainer.train = _ebmtrack_train(BaseTrainer.train)
""",
        "run_training.py ends with status 0 whatever failed, and Ctrl-C does not end it",
    ),
)


def find_repairs(clone: Path) -> tuple[dict[str, str], list[str]]:
    """Path -> lines for its end, and one sentence per repair whose place is not as expected."""
    blocks: dict[str, str] = {}
    missing = []
    for repair in REPAIRS:
        places = list(_places(clone, repair))
        if len(places) == 1:
            blocks[places[0]] = blocks.get(places[0], "") + repair.lines
            continue
        signature = f"{repair.name}({', '.join((*repair.arguments, '...'))})"
        where = f"defined in {', '.join(places)}" if places else f"not found in {repair.pattern}"
        missing.append(f"{signature} is {where}; left as it is: {repair.without}.")
    return blocks, missing


def _places(clone: Path, repair: Repair) -> Iterator[str]:
    """Files with the repair's definition."""
    for file in sorted(clone.glob(repair.pattern)):
        try:
            tree: ast.AST | None = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):
            continue
        for name in repair.name.split("."):
            tree = _definition(tree, name)
        if isinstance(tree, ast.FunctionDef) and _fits(tree, repair):
            yield file.relative_to(clone).as_posix()


def _definition(tree: ast.AST | None, name: str) -> ast.AST | None:
    """The last function or class called `name` in a body, as Python would find it."""
    body = getattr(tree, "body", [])
    found = (n for n in reversed(body) if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == name)
    return next(found, None)


def _fits(function: ast.FunctionDef, repair: Repair) -> bool:
    """Whether the function's arguments are as described."""
    names = tuple(argument.arg for argument in (*function.args.posonlyargs, *function.args.args))
    if repair.replaces:
        return names[1:] == repair.arguments
    return tuple(name for name in names if name in repair.arguments) == repair.arguments
