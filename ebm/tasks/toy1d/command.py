"""``ebmtrack toy1d``: repeat the papers' 1D study: table 1, the sweep over M, the pictures."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ebm.command import CommandParser, local_path, run_command
from ebm.exceptions import EBMError
from ebm.outputs import Output, require_outputs
from ebm.threads import in_words

if TYPE_CHECKING:
    from ebm.tasks.toy1d.plan import Plan, Request
    from ebm.tasks.toy1d.store import Store
    from ebm.tasks.toy1d.study import Resources, StudyOutcome

__all__ = ["build_parser", "main"]

_DEFAULT_FOLDER = Path("runs") / "toy1d"

_EXAMPLES = """\
examples:
  ebmtrack toy1d table --quick                           everything once, small, in minutes
  ebmtrack toy1d table --jobs 4                          table 1 without ML-MCMC-256
  ebmtrack toy1d table --methods all --runs 20,ml-mcmc-256=4 --samples 1024,ml-mcmc-256=128
  ebmtrack toy1d table --methods nce+ --variant recipe --variant share=on --variant beta-mode=variance
  ebmtrack toy1d ablation --methods kld-is --jobs 2      initialisation, optimiser, grid, best 5 of 20
  ebmtrack toy1d sweep --methods nce ml-is --samples 1,16,256 --runs 5
  ebmtrack toy1d plot --methods ml-is nce --pick median

Finished jobs stay in the output folder; the same command again runs only what is missing.
"""

_DEFAULTS = {"sweep": "ml-is kld-is nce nce+ cnce", "ablation": "kld-is ml-mcmc-256"}
_VARIANTS = """\
variants test an explanation: --variant KEY=VALUE[,KEY=VALUE ...], repeatable; 'recipe' is the recipe itself:
  share=on|off        one set of offsets, and one nu, for a whole mini-batch, or own ones for every label
  beta-mode=variance  NCE+ with beta as equation 15 prints it;  beta=VALUE
  init=torch|xavier|orthogonal, optimiser=adam|amsgrad|rmsprop, lr=VALUE (0.001), schedule=constant|cosine
  data-seed=N         another draw of the training set;  train-size=N
  epsilon=VALUE       what the evaluation adds to the true density (1e-30);  grid=N (2048); no new training
  label-sigma=VALUE (KLD-IS), dsm-sigma=VALUE (DSM; the paper prints 0.2 for both sets), alpha=VALUE (ML-MCMC)
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line; importing nothing heavy."""
    parser = CommandParser(
        prog="ebmtrack toy1d",
        description="Repeat the papers' 1D study: ten ways to train one network, two data sets.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    table = _command(commands, "table", "table 1: KL and cost of every method, the published beside ours")
    sweep = _command(commands, "sweep", "figure 2: KL over the number of samples M")
    ablation = _command(
        commands,
        "ablation",
        "what remains between our figures and the published: one thing changed at a time",
    )
    for each in (table, sweep, ablation):
        each.add_argument(
            "--format",
            default="text",
            help="of the printed table: text, markdown, csv or json (default: %(default)s)",
        )
    plot = _command(commands, "plot", "figures S1 to S6, and figure 2 of the first paper")
    plot.add_argument(
        "--pick", default="best", help="the run that is drawn: best or median by KL (default: %(default)s)"
    )
    plot.add_argument(
        "--first-paper",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="also train and draw what figure 2 of the first paper shows",
    )
    return parser


def _command(
    commands: "argparse._SubParsersAction[CommandParser]", name: str, summary: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=_EXAMPLES + "\n" + _VARIANTS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    many = "default: " + _DEFAULTS.get(name, "all but ml-mcmc-256")
    what = parser.add_argument_group("what is run")
    what.add_argument("--methods", nargs="+", metavar="NAME", help=f"methods, or all ({many})")
    what.add_argument("--data-sets", nargs="+", type=int, default=[1, 2], metavar="N", help="1, 2 or both")
    what.add_argument("--runs", metavar="N", help="initialisations; N,METHOD=N for some (default: 20)")
    if name == "sweep":
        what.add_argument("--samples", metavar="M,M,...", help="values of M (default: 1,2,4,...,1024)")
    else:
        usual = "256, ml-mcmc-256=16" if name == "ablation" else "1024"
        what.add_argument(
            "--samples", metavar="M", help=f"samples a label; M,METHOD=M for some (default: {usual})"
        )
    what.add_argument("--epochs", type=int, metavar="N", help="passes over the data (default: 75)")
    what.add_argument("--beta-mode", metavar="MODE", help="std (the code) or variance (eq. 15) for NCE+")
    what.add_argument("--variant", action="append", default=[], metavar="SETTINGS", help="see below")
    what.add_argument("--quick", action="store_true", help="2 runs, M = 128, 25 epochs, unless given")
    where = parser.add_argument_group("where and how")
    where.add_argument(
        "--out", type=local_path, default=_DEFAULT_FOLDER, metavar="DIR", help="default: %(default)s"
    )
    where.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    where.add_argument("--jobs", type=int, default=1, metavar="N", help="jobs at a time (default: 1)")
    where.add_argument("--threads", type=int, default=0, metavar="N", help="of a job (default: cores / jobs)")
    where.add_argument("--backend", default="auto", help="auto, fused or plain (default: %(default)s)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0; 1 if a job failed; 2 for an input that cannot be used; 130 after Ctrl-C.
    """
    return run_command(
        build_parser(),
        _chosen,
        argv,
        interrupted="finished jobs are kept in the folder --out; the same command runs the rest.",
    )


def _chosen(args: argparse.Namespace) -> int:
    actions: dict[str, Callable[[argparse.Namespace], int]] = {
        "table": _table,
        "sweep": _sweep,
        "ablation": _ablation,
        "plot": _plot,
    }
    return actions[args.command](args)


def _table(args: argparse.Namespace) -> int:
    from ebm.lookup import lookup
    from ebm.tasks.toy1d.plan import TABLE_METHODS, make_plan
    from ebm.tasks.toy1d.report import FORMATS, format_table, save_report
    from ebm.tasks.toy1d.rows import make_rows

    lookup("table format", args.format, FORMATS)
    plan = make_plan(_request(args, TABLE_METHODS))
    store, outcome = _run(args, plan)
    rows = make_rows(plan, outcome.results)
    print(format_table(rows, args.format))
    _written(save_report(rows, store.folder, "variants" if args.variant else "table"))
    return _code(outcome)


def _sweep(args: argparse.Namespace) -> int:
    from ebm.lookup import lookup
    from ebm.tasks.toy1d.plan import SWEEP_METHODS, SWEEP_SAMPLES, make_plan
    from ebm.tasks.toy1d.report import FORMATS, format_table, save_report
    from ebm.tasks.toy1d.rows import make_rows
    from ebm.tasks.toy1d.sweep import parse_samples, save_sweep, sweep_table

    lookup("table format", args.format, FORMATS)
    samples = parse_samples(args.samples) if args.samples else SWEEP_SAMPLES
    plan = make_plan(_request(args, SWEEP_METHODS), sweep=samples)
    store, outcome = _run(args, plan)
    rows = make_rows(plan, outcome.results)
    print(sweep_table(rows) if args.format == "text" else format_table(rows, args.format))
    files = save_report(rows, store.folder, "sweep")
    try:
        files += save_sweep(rows, store.folder)
    except EBMError as error:  # the numbers are there all the same
        print(f"note: {error}", file=sys.stderr)
    _written(files)
    return _code(outcome)


def _ablation(args: argparse.Namespace) -> int:
    from ebm.lookup import lookup
    from ebm.tasks.toy1d import ablation
    from ebm.tasks.toy1d.plan import make_plan
    from ebm.tasks.toy1d.report import format_table, save_report
    from ebm.tasks.toy1d.rows import make_rows

    forms = ablation.ABLATION_FORMATS
    lookup("table format", args.format, forms)
    request = _request(args, ablation.ABLATION_METHODS)
    samples = request.samples if args.samples or args.quick else ablation.ABLATION_SAMPLES
    variants = args.variant or ablation.ABLATION_VARIANTS
    plan = make_plan(replace(request, samples=samples, variants=variants))
    store, outcome = _run(args, plan)
    rows = make_rows(plan, outcome.results)
    print(format_table(rows, args.format, forms))
    _written(save_report(rows, store.folder, "ablation", forms))
    return _code(outcome)


def _plot(args: argparse.Namespace) -> int:
    from ebm.lookup import unknown_name
    from ebm.tasks.toy1d.figures import require_matplotlib
    from ebm.tasks.toy1d.plan import TABLE_METHODS, make_plan
    from ebm.tasks.toy1d.plots import PICKS, save_pictures

    if args.pick not in PICKS:
        raise unknown_name("pick", args.pick, PICKS)
    require_matplotlib()
    plan = make_plan(_request(args, TABLE_METHODS))
    store, outcome = _run(args, plan)
    files = save_pictures(plan, outcome.results, store, _resources(args), args.pick)
    if args.first_paper:
        from ebm.tasks.toy1d.first_paper import save_first_paper

        files += save_first_paper(store, quick=args.quick)
    _written(files)
    return _code(outcome)


def _request(args: argparse.Namespace, methods: Sequence[str]) -> "Request":
    from ebm.tasks.toy1d.plan import Counts, Request

    samples = (
        Counts() if args.command == "sweep" or not args.samples else Counts.parse(args.samples, "--samples")
    )
    return Request(
        methods=args.methods or methods,
        data_sets=args.data_sets,
        runs=Counts.parse(args.runs, "--runs") if args.runs else Counts(),
        samples=samples,
        epochs=args.epochs,
        beta_mode=args.beta_mode,
        quick=args.quick,
        variants=args.variant,
    )


def _resources(args: argparse.Namespace) -> "Resources":
    import torch

    from ebm.checks import require_count
    from ebm.devices import resolve_device
    from ebm.tasks.toy1d.study import Resources

    auto = "cuda" if torch.cuda.is_available() else "cpu"  # not MPS: the study computes in float64 too
    device = str(resolve_device(auto if args.device == "auto" else args.device))
    require_count("--jobs", args.jobs)
    require_count("--threads", args.threads, least=0)
    return Resources(device=device, jobs=args.jobs, threads=args.threads, backend=args.backend)


def _run(args: argparse.Namespace, plan: "Plan") -> "tuple[Store, StudyOutcome]":
    """Run what the rows of a plan lack."""
    from ebm.tasks.toy1d.progress import StudyProgress
    from ebm.tasks.toy1d.store import Store
    from ebm.tasks.toy1d.study import run_study

    resources = _resources(args)
    require_outputs([Output(name="--out", path=args.out, folder=True)])
    store = Store(args.out)
    jobs = [job for row in plan.values() for job in row.values()]
    if resources.device == "cpu":
        threads = in_words(resources.threads_per_job(), "thread")
        print(f"cpu, {in_words(resources.jobs, 'job')} at a time, {threads} each", file=sys.stderr)
    return store, run_study(jobs, store, resources, StudyProgress())


def _code(outcome: "StudyOutcome") -> int:
    for job, reason in outcome.failed.items():
        print(f"error: {job.describe()} has no result: {reason}", file=sys.stderr)
    return 1 if outcome.failed else 0


def _written(files: Sequence[Path]) -> None:
    print("Written:", *(f"  {file}" for file in files), sep="\n", file=sys.stderr)
