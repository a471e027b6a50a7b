"""What ``ebmtrack age`` and ``ebmtrack pose`` have in common: train, evaluate, table, show."""

import argparse
import importlib
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.command import local_path, run_command
from ebm.exceptions import InputError
from ebm.outputs import Output, require_outputs
from ebm.tasks.images.arguments import build_parser
from ebm.tasks.images.words import Words
from ebm.threads import using_threads

if TYPE_CHECKING:
    from ebm.fitting import FittedEBM
    from ebm.images.encoder import PictureEncoder
    from ebm.images.fit import Featured
    from ebm.tasks.images.task import Parts, Recipe, Task

__all__ = ["run"]


def run(words: Words, given: Sequence[str]) -> int:
    """Run the command of a task.

    Returns: 0; 2 for an input that cannot be used; 130 after Ctrl-C.
    """
    return run_command(
        build_parser(words),
        lambda args: _run(words, args, given),
        given,
        interrupted="features and finished trainings are kept; the same command goes on.",
    )


def _run(words: Words, args: argparse.Namespace, given: Sequence[str]) -> int:
    from ebm.checks import require_count

    task: Task = importlib.import_module(words.home).TASK
    require_count("--threads", args.threads)
    for name in ("limit", "epochs", "size", "seeds", "samples"):
        if getattr(args, name, None) is not None:
            require_count(f"--{name}", getattr(args, name))
    model = {"--model": args.model} if hasattr(args, "model") else {}
    require_outputs([Output(name="--out", path=args.out, folder=True)], {"FOLDER": args.folder, **model})
    command = shlex.join(["ebmtrack", task.name, *given])
    verbs = {"train": _train, "evaluate": _evaluate, "table": _table, "show": _show}
    with using_threads(args.threads):
        return verbs[args.verb](task, args, command)


def _train(task: "Task", args: argparse.Namespace, command: str) -> int:
    from ebm.files import write_json
    from ebm.images.fit import fit_rows
    from ebm.tasks.images.study import rows_of, training_rows

    if args.fine_tune is not None:
        return _fine_tune(task, args, command)
    recipe = _recipe(task, args)
    encoder, some = _featured(task, args, recipe, ("train", "validation"))
    x, y = training_rows(some["train"], task)
    held_x, held_y = rows_of(some["validation"])
    single = len(task.targets) == 1
    options: dict[str, Any] = {"loss": args.loss, "seed": args.seed}
    if args.epochs is not None:
        options["epochs"] = args.epochs
    options["validation_data"] = (held_x, held_y[:, 0] if single else held_y)
    args.out.mkdir(parents=True, exist_ok=True)
    checkpoint = args.out / f"{task.name}.checkpoint"
    fitted = fit_rows(encoder, task.targets, x, y[:, 0] if single else y, checkpoint=checkpoint, **options)
    fitted.save(args.out / f"{task.name}.ebm")
    checkpoint.unlink(missing_ok=True)
    write_json(args.out / "train.json", {"command": command, "config": fitted.config.plain()})
    print(fitted)
    print(f"{task.name}.ebm is in {args.out}", file=sys.stderr)
    return 0


def _fine_tune(task: "Task", args: argparse.Namespace, command: str) -> int:
    from ebm.files import write_json
    from ebm.tasks.images.task import Parts
    from ebm.tasks.images.tuned import fit_backbone, full_recipe, light_recipe

    paper = args.fine_tune == "paper"
    recipe = full_recipe(task) if paper else light_recipe(task)
    size = recipe.features.size if args.size is None else args.size
    backbone = "resnet50" if paper and args.backbone == "efficientnet_lite0" else args.backbone
    recipe = replace(recipe, features=replace(recipe.features, size=size, backbone=backbone))
    recipe = recipe if args.epochs is None else replace(recipe, epochs=args.epochs)
    recipe = recipe if args.samples is None else replace(recipe, num_samples=args.samples)
    if args.freeze is not None or backbone != task.recipe.features.backbone:
        recipe = replace(recipe, frozen=tuple(args.freeze or ()))
    parts = _parts(task, args)
    if args.limit is not None:
        own = [getattr(parts, name) for name in ("train", "validation", "test")]
        parts = Parts(*(part.chosen(range(min(args.limit, len(part)))) for part in own))
    args.out.mkdir(parents=True, exist_ok=True)
    checkpoint = args.out / f"{task.name}.checkpoint"
    fitted, found = fit_backbone(
        task,
        recipe,
        parts,
        args.loss,
        seed=args.seed,
        weights=args.weights,
        checkpoint=checkpoint,
        skip_broken=args.skip_broken,
        progress=True,
        say=_say,
    )
    fitted.save(args.out / f"{task.name}.ebm")
    checkpoint.unlink(missing_ok=True)
    record = {"command": command, "recipe": recipe.plain(), "images_per_second": found.rate}
    write_json(args.out / "train.json", record)
    print(fitted)
    print(f"{task.name}.ebm is in {args.out}", file=sys.stderr)
    return 0


def _evaluate(task: "Task", args: argparse.Namespace, command: str) -> int:
    from ebm.files import write_json
    from ebm.tasks.images.report import scores_text
    from ebm.tasks.images.study import scores_of

    fitted, some = _loaded(task, args)
    scores = scores_of(fitted, some, task)
    write_json(args.out / "scores.json", {"command": command, "pictures": len(some.labelled)} | scores)
    print(scores_text(scores, task, len(some.labelled)))
    print(f"scores.json is in {args.out}", file=sys.stderr)
    return 0


def _table(task: "Task", args: argparse.Namespace, command: str) -> int:
    from ebm.files import write_atomic, write_json
    from ebm.fitting.recipes import RECIPES
    from ebm.lookup import lookup
    from ebm.tasks.cells import run_cells
    from ebm.tasks.images.methods import BASELINES
    from ebm.tasks.images.report import ablation_markdown, markdown, results_csv
    from ebm.tasks.images.study import AROUND, Study

    energies = list(dict.fromkeys(args.energies))
    for name in energies:
        lookup("loss", name, RECIPES)
    if getattr(args, "circle", False):
        energies += [f"{name}{AROUND}" for name in energies]
    recipe = _recipe(task, args)
    _, some = _featured(task, args, recipe, ("train", "validation", "test"))
    study = Study(task, recipe, some)
    settings = recipe.plain() | {"pictures": {name: len(part.labelled) for name, part in some.items()}}
    cells: list[dict[str, Any]] = [
        {"seed": seed, "energies": energies, "settings": settings} for seed in range(args.seeds)
    ]
    if not args.no_ablation:
        cells += [{"sigmas": list(sigmas), "seed": 0, "settings": settings} for sigmas in task.ablation]

    def work(cell: dict[str, Any]) -> dict[str, Any]:
        if "sigmas" in cell:
            return study.of_sigmas(cell["sigmas"], cell["seed"])
        return study.of_seed(cell["seed"], list(BASELINES), cell["energies"])

    records = run_cells(cells, args.out / "results.json", work, report=_tell)
    seeds = [record for record in records if "energies" in record]
    text = markdown(seeds, task, energies)
    ablation = ablation_markdown([record for record in records if "sigmas" in record["cell"]], task)
    write_atomic(args.out / "table.md", f"{text}\n{ablation}")
    write_atomic(args.out / "results.csv", results_csv(seeds, task))
    write_json(args.out / "study.json", {"command": command, "settings": settings})
    print(f"{text}\n{ablation}")
    names = ["table.md", "results.csv", "study.json", *_figure(seeds, task, energies, args.out)]
    print(f"{', '.join(names)} are in {args.out}", file=sys.stderr)
    return 0


def _figure(
    seeds: "Sequence[dict[str, Any]]", task: "Task", energies: Sequence[str], folder: Path
) -> list[str]:
    """Names of the files of the figure; none, said, where nothing can draw."""
    from ebm.exceptions import MissingPackageError
    from ebm.tasks.images.picture import write_study

    try:
        return write_study(seeds, task, energies, folder)
    except MissingPackageError as error:
        _say(f"no figure was drawn: {error}")
        return []


def _show(task: "Task", args: argparse.Namespace, command: str) -> int:
    from ebm.pictures.style import require_matplotlib
    from ebm.tasks.images.show import write_pictures

    require_matplotlib()
    fitted, some = _loaded(task, args)
    chosen = None
    if args.pictures:
        places = {name: k for k, name in enumerate(some.labelled.names)}
        places |= {Path(name).name: k for name, k in places.items()}
        lost = [name for name in args.pictures if name not in places]
        if lost:
            some_names = ", ".join([*places][:3])
            raise InputError(f"{lost[0]} is no test picture of {args.folder}; they are {some_names} ...")
        chosen = [places[name] for name in args.pictures]
    names = write_pictures(fitted, some, task, args.out, chosen, faces=not args.no_faces)
    print(f"{', '.join(names)} are in {args.out}", file=sys.stderr)
    return 0


def _recipe(task: "Task", args: argparse.Namespace) -> "Recipe":
    features = replace(task.recipe.features, backbone=args.backbone)
    if args.size is not None:
        features = replace(features, size=args.size)
    recipe = replace(task.recipe, features=features)
    return recipe if args.epochs is None else replace(recipe, epochs=args.epochs)


def _parts(task: "Task", args: argparse.Namespace) -> "Parts":
    parts = task.read(args.folder, args.skip_broken)
    for note in parts.notes:
        print(note, file=sys.stderr)
    return parts


def _featured(
    task: "Task", args: argparse.Namespace, recipe: "Recipe", wanted: Sequence[str]
) -> tuple["PictureEncoder", dict[str, "Featured"]]:
    """An encoder, and the features of some parts."""
    from ebm.images.encoder import PictureEncoder
    from ebm.tasks.images.tuned import tuned_weights

    given: dict[str, Any] = {"weights": args.weights}
    if args.weights is not None and args.weights.endswith(".ebm"):
        given = {"own": tuned_weights(local_path(args.weights))}
    encoder = PictureEncoder(recipe.features, root=args.folder, cache=_cache(args), **given)
    return encoder, _features_of(encoder, _parts(task, args), args, wanted)


def _features_of(
    encoder: "PictureEncoder", parts: "Parts", args: argparse.Namespace, wanted: Sequence[str]
) -> dict[str, "Featured"]:
    from ebm.images.fit import featured

    found = {}
    for name in wanted:
        own = getattr(parts, name)
        own = own if args.limit is None else own.chosen(range(min(args.limit, len(own))))
        tell = partial(_say_of, name)
        found[name] = featured(own, encoder, skip_broken=args.skip_broken, progress=True, tell=tell)
    return found


def _loaded(task: "Task", args: argparse.Namespace) -> tuple["FittedEBM", "Featured"]:
    """A density that `train` wrote, and the features of the test pictures."""
    from ebm.fitting import load_fitted
    from ebm.images.encoder import PictureEncoder

    fitted = load_fitted(args.model)
    encoder = fitted.scaling.x_table
    if not isinstance(encoder, PictureEncoder) or fitted.scaling.y_names != task.targets:
        names = ", ".join(fitted.scaling.y_names or ("numbers",))
        raise InputError(
            f"{args.model} is no density of {', '.join(task.targets)} given pictures, but of {names}."
        )
    encoder.root, encoder.cache = args.folder, _cache(args)
    args.out.mkdir(parents=True, exist_ok=True)
    return fitted, _features_of(encoder, _parts(task, args), args, ("test",))["test"]


def _cache(args: argparse.Namespace) -> Path | None:
    from ebm.images.encoder import cache_folder

    return cache_folder(False if args.no_cache else args.cache)


def _tell(done: int, total: int, record: Any) -> None:
    _say(f"{done} of {total} trainings are done")


def _say_of(part: str, words: str) -> None:
    _say(f"{part}: {words}")


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
