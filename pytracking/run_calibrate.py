"""Measure whether a tracker's density over boxes is honest, and fit what makes it so."""

import argparse
import sys
from collections.abc import Sequence as List
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.command import CommandParser, local_path, run_command
from pytracking.evaluation.asked_tracker import asked_spec
from pytracking.evaluation.command import (
    add_dataset_options,
    add_tracker_options,
    counting_number,
    open_by_options,
    read_by_dataset,
)

if TYPE_CHECKING:
    from pytracking.analysis.box_calibration import BoxRecords
    from pytracking.analysis.box_calibration_report import Factors
    from pytracking.evaluation.spec import TrackerSpec

__all__ = ["build_parser", "main"]

_EXAMPLES = """'ebmtrack calibrate tracker CHECKPOINT' measures a network's threshold and steps instead;
'ebmtrack calibrate tracker --help' describes it.

examples:
  ebmtrack generate --out held_out --kind test --seed 11
  ebmtrack calibrate density dimp nce_plus_small --dataset generated --root held_out/generated/test-*/otb \\
      --store calibrated.pth.tar
  ebmtrack calibrate density dimp nce_plus_small --dataset otb --root DIR --checkpoint calibrated.pth.tar

Every few frames the density of the tracker's box is asked for, and compared with the annotated box: how often
do the regions of 50, 80, 90 and 95 % hold it, and how often does the box overlap it by at least 0.5, beside
the confidence. --store fits two numbers, a temperature of the energy and a power of the classifier's score in
the confidence, and writes a copy of the weights that carries them; every tracker then uses them. Fit on
sequences that are not the test set, and measure the copy on those that are.

exit codes: 0 done, 2 the input cannot be used or has no density, 130 interrupted."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = CommandParser(
        prog="ebmtrack calibrate density",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_tracker_options(parser)
    parser.add_argument(
        "--stride", type=counting_number, default=5, metavar="N", help="every how many frames (default: 5)"
    )
    parser.add_argument(
        "--out", type=local_path, metavar="DIR", help="plot and table: calibration.png, calibration.csv"
    )
    parser.add_argument(
        "--store", type=local_path, metavar="FILE.pth.tar", help="fit, and write the weights with the fit"
    )
    add_dataset_options(parser)
    return parser


def main(argv: List[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: ``density`` and its arguments, the word may be left out, or ``tracker`` and those of
            `pytracking.run_calibrate_tracker`; ``sys.argv[1:]`` where left out.

    Returns: 0; 2 for unusable input, 130 after Ctrl-C.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv[:1] == ["tracker"]:
        from pytracking.run_calibrate_tracker import main as calibrate_tracker

        return calibrate_tracker(argv[1:])
    argv = argv[1:] if argv[:1] == ["density"] else argv
    return run_command(build_parser(), _run, argv, interrupted="nothing was written.")


def _run(args: argparse.Namespace) -> int:
    from ebm.outputs import Output, require_outputs
    from ebm.pictures.style import require_matplotlib
    from pytracking.analysis.box_calibration_report import Factors, table_of

    if args.out is not None:
        require_matplotlib()
    dataset, sequences = open_by_options(args, print)
    spec = asked_spec(args)
    outputs = [] if args.out is None else [Output(name="the folder --out", path=args.out, folder=True)]
    outputs += [] if args.store is None else [Output(name="the weights --store", path=args.store)]
    require_outputs(outputs, {**read_by_dataset(args, dataset), "the weights": spec.weights.files})
    print(spec.weights, *spec.notes, sep="\n")
    records, params = _recorded(spec, sequences, args.stride)
    fit = None
    if args.store is not None:
        temperature = records.best_temperature()
        fit = Factors(temperature, records.best_power(temperature))
    print(table_of(records, [Factors()] if fit is None else [Factors(), fit]))
    if args.out is not None:
        _draw(args.out, records, fit, f"{spec.label} on {dataset}")
    if fit is not None:
        _store(args.store, spec, params, fit)
    return 0


def _recorded(spec: "TrackerSpec", sequences: Any, stride: int) -> "tuple[BoxRecords, Any]":
    """What the densities said, and the parameters that were in force."""
    import warnings

    from ebm.bars import progress_bar
    from ebm.exceptions import EffectiveSampleSizeWarning
    from ltr.data.image_loader import read_image
    from pytracking.analysis.box_calibration import record_densities
    from pytracking.evaluation.runner import SequenceRunner

    runner = SequenceRunner(spec, spec.resolved_device(), timed=False)
    with (
        progress_bar(total=sum(map(len, sequences)), unit=" frames", mininterval=1.0) as bar,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", EffectiveSampleSizeWarning)
        records = record_densities(
            runner.tracker,
            sequences,
            lambda sequence, number: read_image(
                sequence.frames[number], sequence=sequence.name, frame=number
            ),
            stride=stride,
            on_frame=lambda: bar.update() and None,
        )
    return records, getattr(runner.tracker(sequences[0]), "params", spec.params)


def _draw(folder: Path, records: "BoxRecords", fit: "Factors | None", title: str) -> None:
    from ebm.files import write_atomic
    from ebm.pictures.style import rendered
    from pytracking.analysis.box_calibration_report import draw_calibration, record_curves

    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "calibration.png", rendered(draw_calibration(records, fit, title), "png"))
    record_curves(records).save(folder / "calibration.csv")
    print(f"\nplot     {folder / 'calibration.png'}\ntable    {folder / 'calibration.csv'}")


def _store(path: Path, spec: "TrackerSpec", params: Any, fit: "Factors") -> None:
    """A copy of the weights, with the numbers that the trackers are to use."""
    from pytracking.utils.stated import store_stated

    assert spec.weights.path is not None
    stated = {
        "density_temperature": params.density_temperature * fit.temperature,
        "presence_power": params.presence_power * fit.power,
    }
    store_stated(path, spec.weights.path, stated)
    print(
        f"weights  {path}, which carry density_temperature {stated['density_temperature']:.3g} and "
        f"presence_power {stated['presence_power']:.3g}"
    )


if __name__ == "__main__":
    sys.exit(main())
