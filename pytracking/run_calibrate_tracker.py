"""Measure the threshold and the step lengths of a network, on sequences that are not the test set."""

import argparse
import sys
from collections.abc import Sequence as List
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.command import CommandParser, local_path, run_command
from pytracking.evaluation.command import counting_number, tell, whole_number

if TYPE_CHECKING:
    from pytracking.analysis.trials import Study
    from pytracking.evaluation.data import Sequence
    from pytracking.evaluation.spec import TrackerSpec

__all__ = ["build_parser", "main"]

_EXAMPLES = """examples:
  ebmtrack calibrate tracker net.pth.tar --show
  ebmtrack calibrate tracker net.pth.tar --store measured.pth.tar
  ebmtrack calibrate tracker net.pth.tar --dataset generated_lasot=held_out/generated/test-1/lasot \\
      --dataset 'folder=/data/videos/davis_*' --frames 60 --store measured.pth.tar

Step lengths: boxes near the annotated ones are refined with lengths that differ by factors of two, of both
parts of a box, of its size and of its position; the mean overlap with the annotated boxes decides. Threshold
below which the target counts as lost: every sequence is tracked with a few; the mean over frames of the
overlap decides, which counts nothing where the tracker says lost, and one where the target is gone and it
says so. A value takes the place of the parameter set's if it is better by more than its standard error over
the sequences.

Without --dataset, generated videos are taken that are drawn from another seed than the test set. Never
measure on the sequences that you report on. --store writes a copy of the weights that carries the values;
every tracker uses them that loads it.

exit codes: 0 done, 2 the input cannot be used, 130 interrupted."""

HELD_OUT_SEED = 11  # the test set's is 2
_HELD_OUT = {"generated": "otb", "generated_lasot": "lasot"}  # data set -> layout


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = CommandParser(
        prog="ebmtrack calibrate tracker",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=local_path, help="weights file")
    parser.add_argument("--tracker", help="dimp or atom (default: as the weights' train setting says)")
    parser.add_argument("--parameter", help="name of its parameter set (default: likewise)")
    parser.add_argument(
        "--weights", choices=("auto", "net", "net_ema"), default="auto", help="which of the file's"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    parser.add_argument("--seed", type=whole_number, default=0, help="of everything drawn (default: 0)")
    parser.add_argument(
        "--dataset",
        action="append",
        metavar="NAME[=DIR]",
        help="otb, lasot, uav, nfs, generated, generated_lasot or folder (videos of your own in OTB's "
        "layout), and its folder, whose last part may be a pattern of names; may be repeated (default: "
        "generated and generated_lasot, 10 sequences of each)",
    )
    parser.add_argument(
        "--frames", type=whole_number, default=0, metavar="N", help="only the first N of each"
    )
    parser.add_argument(
        "--stride",
        type=counting_number,
        default=5,
        metavar="N",
        help="refine every how many frames (default: 5)",
    )
    parser.add_argument("--only", choices=("threshold", "steps"), help="measure this alone")
    parser.add_argument("--store", type=local_path, metavar="FILE.pth.tar", help="weights with the values")
    parser.add_argument("--show", action="store_true", help="say what the weights carry, and measure nothing")
    from ltr.admin.workspace_option import add_workspace_option

    add_workspace_option(parser)
    return parser


def main(argv: List[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0; 2 for unusable input, 130 after Ctrl-C.
    """
    return run_command(build_parser(), _run, argv, interrupted="nothing was written.")


def _run(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from ebm.outputs import Output, require_outputs
    from pytracking.evaluation.spec import make_spec
    from pytracking.tracker.common.network_info import MEASURED, carried
    from pytracking.utils.loading import WeightsChoice, load_tracking_network
    from pytracking.utils.stated import set_of_weights, store_stated

    tracker, parameter = set_of_weights(args.checkpoint, args.tracker, args.parameter)
    spec = make_spec(
        tracker,
        parameter,
        checkpoint=args.checkpoint,
        weights=args.weights,
        seed=args.seed,
        device=args.device,
    )
    print(f"{spec.weights}\nParameter set: {tracker} {parameter}.")
    assert isinstance(spec.weights, WeightsChoice)  # make_spec took torch
    network = load_tracking_network(spec.weights, tracker=tracker)
    if args.show:
        return _show(spec, network)
    outputs = [] if args.store is None else [Output(name="the weights --store", path=args.store)]
    sequences, roots = _open(args)
    require_outputs(outputs, {**roots, "the weights": spec.weights.files})
    info = getattr(network, "info", None) or {}
    spec = replace(spec, params=_params_to_measure_with(args, spec.params, info))
    measured = _measure(args, spec, network, sequences)
    if args.store is not None:
        stated = _kept(args, info) | measured
        store_stated(args.store, spec.weights.files[0], {MEASURED: stated})
        print(f"weights  {args.store}, which carry {carried({MEASURED: stated}) or 'nothing new'}")
    return 0


def _params_to_measure_with(args: argparse.Namespace, params: Any, info: Any) -> Any:
    """The set's own values; a threshold alone is measured with the step lengths that the weights carry."""
    from dataclasses import replace

    from pytracking.tracker.common.network_info import adopt_geometry

    adopted, _ = adopt_geometry(params, info)
    changed: dict[str, Any] = {"calibration_from_network": False}
    if args.only == "threshold":
        changed["box_refinement_step_length"] = adopted.box_refinement_step_length
    return replace(params, **changed)


def _kept(args: argparse.Namespace, info: Any) -> dict[str, Any]:
    """What the weights carry already and is not measured anew."""
    from pytracking.tracker.common.network_info import ASCENT, MEASURED, SCORES, STEP, THRESHOLD

    known = dict(info.get(MEASURED) or {})
    anew: tuple[str, ...] = () if args.only == "steps" else (THRESHOLD, *SCORES)
    anew += () if args.only == "threshold" else (STEP, *ASCENT)
    return {name: value for name, value in known.items() if name not in anew}


def _show(spec: "TrackerSpec", network: Any) -> int:
    """What the weights carry, and what is in force with them."""
    from pytracking.tracker.common.network_info import STEP, THRESHOLD, adopt_geometry

    params, notes = adopt_geometry(spec.params, getattr(network, "info", None))  # type: ignore[type-var]
    print(f"{'':<30}{'parameter set':>20}{'in force':>20}")
    for name in (THRESHOLD, STEP, "density_temperature", "presence_power"):
        row = [_text(getattr(which, name)) for which in (spec.params, params)]
        print(f"{name:<30}{row[0]:>20}{row[1]:>20}")
    print(*notes or ["The weights carry no values of their own."], sep="\n")
    return 0


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return " / ".join(map(_text, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _open(args: argparse.Namespace) -> "tuple[list[Sequence], dict[str, Path]]":
    """The sequences to measure on, and the folders they are in."""
    from dataclasses import replace

    from pytracking.evaluation.command_options import CommandOptions
    from pytracking.evaluation.datasets import find_root, open_dataset

    sequences: list[Sequence] = []
    roots: dict[str, Path] = {}
    for name, root, pattern in _chosen(args):
        found = open_dataset(
            name,
            root,
            sequences=[pattern] if pattern else None,
            allow_missing=True,
            tell=tell,
            options=CommandOptions(root=f"--dataset {name}=DIR"),
        )
        place = find_root(name, root)
        roots[f"the data set {name} {place}"] = place
        for sequence in found:
            visible = sequence.target_visible
            cut = slice(args.frames or None)
            sequences.append(
                replace(
                    sequence,
                    frames=sequence.frames[cut],
                    ground_truth=sequence.ground_truth[cut],
                    target_visible=None if visible is None else visible[cut],
                )
            )
    frames = sum(map(len, sequences))
    names = ", ".join(dict.fromkeys(sequence.dataset for sequence in sequences))
    print(f"Measured on {frames} frames of {len(sequences)} sequences: {names}.")
    return sequences, roots


def _chosen(args: argparse.Namespace) -> "list[tuple[str, Path | None, str]]":
    """(name, folder, pattern) of every data set; generated ones without a folder are not the test set."""
    chosen = [_parsed(text) for text in args.dataset or _HELD_OUT]
    if not any(root is None and name in _HELD_OUT for name, root, _ in chosen):
        return chosen
    from ltr.admin.environment import workspace
    from ltr.dataset.generated import ensure_generated
    from ltr.dataset.generated.plans import adapted_plan

    plan = adapted_plan("test", "demo", sequences=10, seed=HELD_OUT_SEED)
    drawn = ensure_generated(workspace(), "test", plan=plan)
    return [
        (name, drawn[_HELD_OUT[name]] if root is None and name in _HELD_OUT else root, pattern)
        for name, root, pattern in chosen
    ]


def _parsed(text: str) -> "tuple[str, Path | None, str]":
    name, _, folder = text.partition("=")
    path = Path(folder).expanduser()
    if set(path.name) & set("*?["):
        return name, path.parent, path.name
    return name, path if folder else None, ""


def _measure(
    args: argparse.Namespace, spec: "TrackerSpec", network: Any, sequences: "List[Sequence]"
) -> dict[str, Any]:
    """What replaces the parameter set's values, as the weights are to state it; prints the tables."""
    from ltr.data.image_loader import read_image
    from pytracking.analysis.bench import Bench
    from pytracking.tracker.common.network_info import ASCENT, SCORES, STEP, THRESHOLD

    def read(sequence: "Sequence", number: int) -> Any:
        return read_image(sequence.frames[number], sequence=sequence.name, frame=number)

    bench = Bench(spec, network, sequences, read)
    params: Any = bench.params
    stated: dict[str, Any] = {}
    if args.only != "threshold" and params.use_iou_net:
        study = bench.steps(args.stride)
        if _report(STEP, study, 100.0, "IoU, %"):
            stated |= {STEP: list(study.chosen)} | _of(params, ASCENT)
            bench.take(study.chosen)
    if args.only != "steps":
        threshold = bench.threshold()
        if _report(THRESHOLD, threshold, 100.0, "quality, %"):
            stated |= {THRESHOLD: threshold.chosen} | _of(params, SCORES)
    return stated


def _of(params: Any, names: "tuple[str, ...]") -> dict[str, Any]:
    return {name: getattr(params, name) for name in names}


def _report(name: str, study: "Study[Any]", unit: float, criterion: str) -> bool:
    """Print the values tried; whether one of them is better than the parameter set's."""
    columns = list(study.trials[0].more)
    print(f"\n{name:<28}{criterion:>12}" + "".join(f"{column:>16}" for column in columns))
    for trial in study.trials:
        mark = " *" if trial.value == study.chosen else ""
        cells = "".join(f"{trial.more[column]:>16.3g}" for column in columns)
        print(f"{_text(trial.value):<28}{unit * trial.mean:>12.2f}{cells}{mark}")
    gain = study.gain
    if study.best.value == study.start:
        print("The parameter set's value, in the first row, is the best.")
        return False
    if gain.counts:
        verb = "taken: better than the parameter set's by"
    else:
        verb = "not taken, the parameter set's is kept: better by"
    print(f"{_text(study.best.value)} is {verb} {unit * gain.mean:.2f} ± {unit * gain.standard_error:.2f}.")
    return gain.counts


if __name__ == "__main__":
    sys.exit(main())
